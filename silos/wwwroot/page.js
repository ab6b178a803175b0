// Asks the silo, and shows what it says. Names, paths and messages are other people's: they become text, never markup.
import { Chart } from "./charts.js";
import { History } from "./history.js";
import * as text from "./text.js";

const EVERY_MS = 2000, REST_MS = 500, RETRY_MS = 1500, OVER_MS = 4000, PATIENCE_MS = 15000, GONE_FOR_MS = 600000;

const $ = id => document.getElementById(id);
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

function make(tag, className, ...content) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...content);
  return element;
}

/** Gives each item an element that stays the same one, and where it is, as long as the item is there: focus and selection last. */
function list(parent, items, key, tag, fill) {
  const known = new Map([...parent.children].map(child => [child.dataset.key, child]));
  const elements = items.map(item => {
    const element = known.get(key(item)) ?? document.createElement(tag);
    element.dataset.key = key(item);
    fill(element, item);
    return element;
  });
  if (elements.length !== parent.children.length || elements.some((element, i) => element !== parent.children[i])) parent.replaceChildren(...elements);
}

const charts = {
  score: new Chart($("score-chart"), [
    { label: "training", colour: "--train-faint", format: text.bits, faint: true },
    { label: "training, mean", colour: "--train", format: text.bits },
    { label: "test", colour: "--test", format: text.bits, dots: true },
  ]),
  speed: new Chart($("speed-chart"), [{ label: "images/s", colour: "--speed", format: text.speed }]),
  norm: new Chart($("norm-chart"), [{ label: "norm", colour: "--norm", format: text.rough, faint: true }], { log: true }),
};

/** What the cluster said last. */
let cluster = { runs: [], workers: [] };
/** The run that is shown, and what was read of it. */
let shown = null;
/** Workers that were there once, by name, and when they were seen last. */
const seen = new Map();

/** What the silo answers; if it cannot, an error with the sentence that it says. */
async function ask(path, signal) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let answer, body;
  try {
    answer = await fetch(path, { signal: signal ? AbortSignal.any([signal, patience]) : patience });
    body = await answer.text();
  } catch (cause) {
    throw new Error("the silo does not answer; trying again", { cause });
  }
  if (!answer.ok) throw new Error(body || `the silo answers ${answer.status}`);
  return JSON.parse(body);
}

function tellLink(fault) {
  $("link").textContent = fault?.message ?? "live";
  $("link").dataset.state = fault ? "failed" : "training";
  document.body.classList.toggle("stale", Boolean(fault));
}

/** What cannot be shown is told in the browser's console, and what is asked next is shown again. */
function show(...parts) {
  try {
    for (const part of parts) part();
  } catch (fault) {
    reportError(fault);
  }
}

async function watchCluster() {
  for (; ; await pause(EVERY_MS)) {
    try {
      cluster = await ask("api/cluster");
      tellLink();
    } catch (fault) {
      tellLink(fault);
      continue;
    }
    show(showCluster);
  }
}

function showCluster() {
  $("cluster").textContent = `cluster ${cluster.cluster_id}, silo ${cluster.silo}`;
  $("no-run").hidden = cluster.runs.length > 0;
  $("run-count").textContent = cluster.runs.length || "";
  choose();
  list($("run-list"), cluster.runs, run => run.run, "a", showOverview);
  showWorkers();
  if (shown) showRun();
}

function showOverview(link, run) {
  link.href = `#${encodeURIComponent(run.run)}`;
  link.className = "run";
  link.toggleAttribute("aria-current", run.run === shown?.name);
  link.replaceChildren(
    make("span", "name", run.run), chip(run.state),
    make("span", "muted", `${text.dataSet(run.data_set)} · step ${text.number(run.step)} · ${text.ago(age(run))}`),
    make("span", "score", text.bits(run.test_bits_per_dim ?? run.bits_per_dim)));
}

/** Seconds since the run was submitted, by the silos' clock. */
const age = run => (Date.parse(cluster.now) - Date.parse(run.submitted)) / 1000;

function chip(state) {
  const element = make("span", "chip", state);
  element.dataset.state = state;
  return element;
}

function showWorkers() {
  const now = Date.now();
  for (const worker of cluster.workers) seen.set(worker.worker, { worker, at: now });
  for (const [name, { at }] of seen) {
    if (now - at > GONE_FOR_MS) seen.delete(name);
  }
  const rows = [...seen.values()].sort((a, b) => a.worker.worker < b.worker.worker ? -1 : 1);
  $("no-worker").hidden = rows.length > 0;
  $("worker-count").textContent = cluster.workers.length;
  list($("worker-list"), rows, row => row.worker.worker, "div", (element, { worker, at }) => {
    const gone = at < now;
    element.className = "worker";
    element.replaceChildren(
      make("span", "name", worker.worker), chip(gone ? "gone" : worker.phase),
      make("span", "muted", gone ? `seen ${text.ago((now - at) / 1000)}`
        : [worker.device, worker.run ? `${worker.run}, generation ${worker.generation}, step ${text.number(worker.step)}` : "stands by"].filter(Boolean).join(" · ")));
  });
}

/** A name out of an address; as it stands, if somebody has typed it so that it cannot be decoded. */
function decoded(written) {
  try {
    return decodeURIComponent(written);
  } catch {
    return written;
  }
}

/** The run of the address; else the newest that trains; else the newest. */
function choose() {
  const asked = decoded(location.hash.slice(1));
  const name = asked || (shown?.name ?? (cluster.runs.find(run => run.state === "training") ?? cluster.runs[0])?.run);
  if (!name || name === shown?.name) return;
  shown?.stop.abort();
  shown = { name, history: new History(), stop: new AbortController() };
  $("events").replaceChildren();
  $("run").hidden = true;
  follow(shown);
}

async function follow(run) {
  const { signal } = run.stop;
  for (let from = "0", over = false; !signal.aborted;) {
    try {
      const read = await ask(`api/events?run=${encodeURIComponent(run.name)}&from=${from}`, signal);
      for (const e of read.events) run.history.add(e, from === "0" ? null : Date.now());
      from = read.next;
      run.fault = undefined;
      over = read.over;
    } catch (fault) {
      run.fault = fault.message;
    }
    if (signal.aborted) return;
    show(showRun, showCurves);
    $("run").hidden = false;
    await pause(run.fault ? RETRY_MS : over ? OVER_MS : REST_MS);
  }
}

function showRun() {
  const { name, history, fault } = shown;
  const overview = cluster.runs.find(run => run.run === name);
  const { started, step, generation, samples } = history;
  document.title = `${text.bits(history.tests.at(-1)?.value ?? history.objective)} · ${name}`;
  $("run-name").textContent = name;
  $("run-state").replaceWith(Object.assign(chip(overview?.state ?? "unknown"), { id: "run-state" }));
  $("run-model").textContent = started ? text.model(started) : "";
  const error = fault ?? overview?.error ?? "";
  $("run-error").hidden = !error;
  $("run-error").textContent = error;
  const trains = overview?.state === "training";
  $("run-done").value = overview?.state === "completed" ? 1 : history.done(trains ? age(overview) : 0);
  $("objective").textContent = step && !Number.isFinite(step.bits_per_dim) ? "energy distance" : "bits/dim";

  const figures = [
    ["Step", text.number(step?.step), started ? `of ${text.number(started.total_steps)}` : ""],
    ["Epoch", text.number(step?.epoch, 2), ""],
    ["Training", text.bits(history.objective), $("objective").textContent],
    ["Test", text.bits(history.tests.at(-1)?.value), Number.isFinite(history.best) ? `best ${text.bits(history.best)}` : ""],
    ["Speed", text.speed(history.speed), "images/s"],
    ["Time left", trains ? text.duration(history.secondsLeft(age(overview))) : "–", ""],
    ["Workers", text.number(overview?.workers.length), overview ? `of ${overview.workers_wanted}` : ""],
    ["Generation", text.number(generation?.generation), generation?.cause ?? ""],
  ];
  $("figures").replaceChildren(...figures.map(([label, value, unit]) =>
    make("div", "figure", make("dt", "", label), make("dd", "", value), make("dd", "muted", unit))));

  list($("events"), history.events, ({ id }) => id, "li", showEvent);
  showSamples(samples, started);
}

function showEvent(row, { e, at }) {
  if (!row.firstChild) {
    row.dataset.event = e.event;
    row.append(make("span", "step", text.number(e.step ?? e.first_step)), make("span", "text", text.event(e)), make("time", "muted"));
  }
  row.lastChild.textContent = at ? text.ago((Date.now() - at) / 1000) : "";
}

function showSamples(samples, started) {
  const image = $("samples");
  image.hidden = !samples;
  $("no-samples").hidden = Boolean(samples);
  $("no-samples").textContent = started?.spec.samples === 0 ? "This run makes no samples." : "No picture yet: the first comes with a checkpoint.";
  $("samples-step").textContent = samples ? `after step ${text.number(samples.step)}` : "";
  const source = samples ? `api/samples.png?run=${encodeURIComponent(shown.name)}&step=${samples.step}` : "";
  if (image.getAttribute("src") !== source) {
    if (samples) image.src = source;
    else image.removeAttribute("src");
  }
}

function showCurves() {
  const { points, tests, generations } = shown.history;
  const steps = points.map(point => point.step), of = name => points.map(point => point[name]);
  charts.score.draw([[steps, of("value"), of("mean")], [tests.map(test => test.step), tests.map(test => test.value)]], generations);
  charts.speed.draw([[steps, of("speed")]], generations);
  charts.norm.draw([[steps, of("norm")]], generations);
}

addEventListener("hashchange", showCluster);
watchCluster();
