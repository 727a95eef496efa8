// The known values of the series of a run, which are fetched as they are needed.

import { ask } from "../../api.js";

export class History {
  constructor(run) {
    this.run = run;
    this.parts = new Map();
  }

  /** The number, name and size of each series. */
  get series() {
    return this.run.about.series;
  }

  /** Values `first` to `stop` of a series, and all that came with them: `{first, values, times, overview, size}`. */
  async around(series, first, stop) {
    const { size } = this.series[series], known = this.parts.get(series);
    const [from, to] = [Math.max(0, first), Math.min(size, stop)];
    if (known && known.first <= from && to <= known.first + known.values.length) return known;
    const most = 2000, begin = Math.max(0, Math.min(from - Math.floor((most - (to - from)) / 2), size - most));
    const part = await ask(this.run, "history", { series, first: begin, count: most });
    this.parts.set(series, part);
    return part;
  }
}

const PER_TICK = 110, EDGE = 45;

/** Ticks `[[place, time], ...]` of an axis of `width` pixels between two places; `time(place)` gives the words of one. */
export function timeTicks(low, high, width, time) {
  const step = Math.max(1, Math.ceil(((high - low) * PER_TICK) / width));
  const found = [];
  for (let place = Math.ceil(low / step) * step; place <= high - ((high - low) * EDGE) / width; place += step) {
    const words = time(place);
    if (words !== undefined) found.push([place, words]);
  }
  return found;
}

/** A number in a few digits more than `short` has. */
export function figure(value) {
  if (value === null || !Number.isFinite(value)) return "missing";
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e9) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}
