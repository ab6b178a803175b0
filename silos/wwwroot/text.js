// How figures and events are written for people.

export const number = (value, digits = 0) =>
  Number.isFinite(value) ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–";

/** With three decimals, as the literature gives it. */
export const bits = value => number(value, 3);

/** Images a second: of few, two decimals. */
export const speed = value => number(value, value < 10 ? 2 : 0);

/** Of any size: three digits that count. */
export const rough = value => Number.isFinite(value) ? value.toLocaleString("en", { maximumSignificantDigits: 3 }) : "–";

/** For axes: 12k, 3.4M. */
export const short = value => value.toLocaleString("en", { notation: "compact", maximumSignificantDigits: 4 });

/** The two largest units: "3 min 20 s", "5 d 3 h". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  return d ? `${d} d ${h % 24} h` : h ? `${h} h ${m % 60} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
}

/** The largest unit: "3 min ago". */
export function ago(seconds) {
  return seconds < 2 ? "just now" : `${duration(seconds).split(" ").slice(0, 2).join(" ")} ago`;
}

export const dataSet = name => name.replaceAll("_", "-");

/** What is trained, in one line. */
export function model(started) {
  const { spec } = started;
  return [
    dataSet(spec.data_set),
    `${number(started.train_images)} training and ${number(started.test_images)} test images of ${started.size}×${started.size}`,
    `${spec.blocks} × ${spec.filters} filters, ${spec.mixtures} logistics`,
    `${number(started.parameters)} parameters`,
    `${spec.shards} shards of ${spec.batch_size} images a step`,
    ...(spec.class_conditional ? ["class conditional"] : []),
    ...(spec.non_local ? ["non-local block"] : []),
  ].join(" · ");
}

/** The line for an event other than a step. */
export function event(e) {
  switch (e.event) {
    case "started": return `begins at step ${number(e.first_step)} of ${number(e.total_steps)}`;
    case "waiting": return "waits for a worker";
    case "generation": return `generation ${e.generation}: ${e.workers.length} of ${e.workers_wanted} workers (${e.cause})`
      + `${e.steps_redone ? `, ${number(e.steps_redone)} step${e.steps_redone === 1 ? "" : "s"} redone` : ""}, ${number(e.seconds, 1)} s — ${e.workers.join(", ")}`;
    case "evaluated": return Number.isFinite(e.test_bits_per_dim)
      ? `test score ${bits(e.test_bits_per_dim)} bits/dim on ${number(e.images)} images (${number(e.seconds, 1)} s)`
      : `test score ${bits(e.test_loss)} energy distance on ${number(e.images)} images (${number(e.seconds, 1)} s)`;
    case "checkpoint": return `checkpoint ${e.path} (${number(e.bytes / 1e6, 1)} MB)`;
    case "samples": return `sampled ${number(e.count)} images: ${e.path}`;
    case "fault": return e.worker && !e.message.startsWith(e.worker) ? `${e.worker}: ${e.message}` : e.message;
    case "ended": return `${e.outcome}${e.error ? `: ${e.error}` : ""}`;
    default: return e.event;
  }
}
