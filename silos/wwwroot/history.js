// A run as its events tell it, in bounded memory.

const MOST_POINTS = 4000, MOST_EVENTS = 200, FORGET = 0.95;

/** Drops every second item of the older half when there are too many. */
function thin(items) {
  return items.length <= MOST_POINTS ? items : items.filter((_, i) => i >= items.length / 2 || i % 2 === 0);
}

/** Running mean that forgets, corrected for its start: the first value stands for itself. */
class RunningMean {
  #sum = 0;
  #weight = 0;

  add(value) {
    if (Number.isFinite(value)) {
      this.#sum = FORGET * this.#sum + (1 - FORGET) * value;
      this.#weight = FORGET * this.#weight + (1 - FORGET);
    }
    return this.value;
  }

  get value() { return this.#weight > 0 ? this.#sum / this.#weight : undefined; }
}

export class History {
  /** Training steps: step, objective, its running mean, images a second, gradient norm. */
  points = [];
  /** Test scores: step and score. */
  tests = [];
  /** Steps at which a generation began, for the last of them. */
  generations = [];
  /** The newest first; at: when it came, unknown for what was there before the page. */
  events = [];
  #seen = 0;
  #objective = new RunningMean();
  #speed = new RunningMean();

  /** @param at milliseconds, or null when the event is an old one. */
  add(e, at) {
    this[e.event] = e;
    switch (e.event) {
      case "started":
        this.ended = undefined;
        this.#goTo(e.first_step);
        break;
      case "generation":
        this.#goTo(e.step);
        this.generations = thin([...this.generations, e.step]);
        break;
      case "step":
        this.points.push({
          step: e.step, value: finite(e.bits_per_dim ?? e.loss), mean: this.#objective.add(e.bits_per_dim ?? e.loss),
          speed: this.#speed.add(e.images_per_s), norm: e.gradient_norm > 0 ? finite(e.gradient_norm) : null,
        });
        this.points = thin(this.points);
        return;
      case "evaluated":
        this.tests = thin([...this.tests, { step: e.step, value: finite(e.test_bits_per_dim ?? e.test_loss) }]);
        break;
    }
    this.events = [{ id: `${this.#seen++}`, e, at }, ...this.events].slice(0, MOST_EVENTS);
  }

  get objective() { return this.#objective.value; }

  get speed() { return this.#speed.value; }

  get best() { return this.tests.reduce((best, test) => Math.min(best, test.value ?? Infinity), Infinity); }

  /** Until the run ends by steps or by minutes, whichever comes first. */
  secondsLeft(elapsed) {
    if (!this.started || !this.step) return NaN;
    const { total_steps, spec } = this.started;
    return Math.min((total_steps - this.step.step) * spec.batch_size * spec.shards / this.speed, (spec.max_minutes ?? Infinity) * 60 - elapsed);
  }

  /** The part of the run that is done, from 0 to 1. */
  done(elapsed) {
    if (!this.started) return 0;
    return Math.max((this.step?.step ?? 0) / this.started.total_steps, elapsed / 60 / (this.started.spec.max_minutes ?? Infinity));
  }

  /** Where all workers were lost, a run goes on from a checkpoint: what came after it is no longer true. */
  #goTo(step) {
    const lasts = item => item.step <= step;
    if (this.points.at(-1)?.step > step) this.points = this.points.filter(lasts);
    if (this.tests.at(-1)?.step > step) this.tests = this.tests.filter(lasts);
  }
}

const finite = value => Number.isFinite(value) ? value : null;
