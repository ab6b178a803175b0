// Curves over steps, drawn by uPlot in the page's colours.
import { number, short } from "./text.js";

const FONT = "12px system-ui, sans-serif", FEW = 50;

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Leaves out the steepest start, which would flatten all that follows. */
function fit(u) {
  const [from, to] = u.series[0].idxs ?? [0, 0];
  const values = u.data.slice(1).flatMap(series => series.slice(from, to + 1)).filter(Number.isFinite).sort((a, b) => a - b);
  if (values.length === 0) return [0, 1];
  const low = values[0], high = values[values.length > FEW ? Math.floor(values.length * 0.98) : values.length - 1];
  const margin = (high - low) * 0.06 || 0.5;
  return [low - margin, high + margin];
}

/** Of a logarithmic axis' lines, those of a few powers of ten. */
function decades(u, splits) {
  const every = Math.ceil(Math.log10(u.scales.y.max / u.scales.y.min) / 5);
  return splits.map(value => Math.abs(Math.log10(value) / every % 1) < 1e-9 ? value : null);
}

/** Thin upright lines where the workers changed. */
function drawMarks(u, steps) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.strokeStyle = colour("--mark");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const step of steps.filter(step => step > u.scales.x.min && step < u.scales.x.max)) {
    const x = Math.round(u.valToPos(step, "x", true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

export class Chart {
  #element;
  #plot;
  #marks = [];

  /**
   * @param series label, colour (a CSS variable), format; faint for a thin line, dots for points.
   * @param log the y axis is logarithmic.
   */
  constructor(element, series, { log = false } = {}) {
    this.#element = element;
    const line = { stroke: () => colour("--grid"), width: 1 };
    const axis = { stroke: () => colour("--muted"), font: FONT, grid: line, ticks: { ...line, size: 4 } };
    const upright = log ? { filter: decades, grid: { ...line, filter: decades }, ticks: { ...line, size: 4, filter: decades } } : {};
    this.#plot = new uPlot({
      ...this.#size(),
      scales: {
        x: { time: false, range: (_, low, high) => [low ?? 0, high > low ? high : (low ?? 0) + 1] },
        y: log ? { distr: 3 } : { range: fit },
      },
      cursor: { sync: { key: "steps" }, points: { size: 7 }, y: false },
      axes: [
        { ...axis, size: 30, space: 70, values: (_, values) => values.map(value => Number.isInteger(value) ? short(value) : "") },
        { ...axis, ...upright, size: 54, space: 24, values: (_, values) => values.map(value => value === null ? "" : value >= 1000 ? short(value) : `${+value.toPrecision(4)}`) },
      ],
      series: [
        { label: "step", value: (u, value) => number(value ?? u.data[0].at(-1)) },
        ...series.map(({ label, colour: name, format, faint, dots }) => ({
          label, stroke: () => colour(name), width: faint ? 1 : 2, spanGaps: true,
          points: dots ? { show: true, size: 6, fill: () => colour(name) } : { show: false },
          value: (u, value, i, index) => format(index === null ? u.data[i].findLast(Number.isFinite) : value),
        })),
      ],
      // A variable of the page's, which follows the colour scheme by itself.
      legend: { markers: { width: 0, fill: (_, i) => `var(${series[i - 1].colour})` } },
      hooks: { drawAxes: [u => drawMarks(u, this.#marks)] },
    }, [[], ...series.map(() => [])], element);
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#plot.redraw(false, true));
  }

  /** @param tables for uPlot.join: each has its steps first. */
  draw(tables, marks) {
    const old = this.#plot.data[0], { min, max } = this.#plot.scales.x;
    const zoomed = old.length > 1 && (min > old[0] || max < old.at(-1));
    this.#marks = marks;
    const data = uPlot.join(tables);
    this.#plot.setData(data, !zoomed);
    if (zoomed) this.#plot.redraw(true, true);
    this.#element.dataset.points = tables[0][0].length;
    this.#element.classList.toggle("blank", data[0].length === 0);
  }

  #size() {
    return { width: this.#element.clientWidth, height: parseInt(getComputedStyle(this.#element).getPropertyValue("--height")) };
  }
}
