// Waveforms, with the surprisal below, and the distribution of the next sample.

import { axes, colour, describe, short } from "../../plots.js";
import { amplitudeOf } from "./sound.js";

/**
 * The waveform of `samples`, of which the first `known` were given. `place` is the place whose distribution is shown, `heard`
 * the one that is heard, or null. Returns a function from a horizontal place on the canvas to a sample.
 */
export function wave(canvas, { samples, known, total, place, heard, rate, width, height = 190 }) {
  const seconds = Math.max(total, samples.length, 1) / rate;
  const plot = axes(canvas, { width, height, x: { label: "seconds", min: 0, max: seconds }, y: { label: "amplitude", min: -1, max: 1 } });
  const { context, placeX, placeY, inner, left } = plot;
  const at = (sample) => placeX(sample / rate);
  for (const [from, to, name] of [[0, known, "--soft"], [known, samples.length, "--accent"]]) {
    if (to <= from) continue;
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = 1;
    if (to - from < 2 * inner.width) {
      context.beginPath();
      for (let i = Math.max(from - 1, 0); i < to; i += 1) context.lineTo(at(i), placeY(samples[i]));
      context.stroke();
    } else {
      const perPixel = (seconds * rate) / inner.width;
      for (let x = Math.floor(at(from)); x <= at(to); x += 1) {
        const first = Math.max(Math.floor((x - left) * perPixel), from), last = Math.min(Math.ceil((x + 1 - left) * perPixel), to);
        const part = samples.subarray(first, last);
        if (!part.length) continue;
        const high = placeY(Math.max(...part)), low = placeY(Math.min(...part));
        context.fillRect(x, high, 1, Math.max(low - high, 1));
      }
    }
  }
  for (const [where, name] of [[place, "--warm"], [heard, "--good"]]) {
    if (where === null) continue;
    context.fillStyle = colour(name);
    context.fillRect(at(where) - 1, placeY(1), 2, placeY(-1) - placeY(1));
  }
  describe(canvas, `Waveform of ${short(samples.length / rate)} s, of which ${short(known / rate)} s were given and ${short((samples.length - known) / rate)} s drawn`);
  return (x) => Math.round((((x - left) / inner.width) * seconds) * rate);
}

/** The surprisal, in bits per sample, along a recording: its mean over stretches of `size` samples. */
export function stretches(nats, size) {
  const found = [];
  for (let first = 0; first < nats.length; first += size) {
    const part = nats.slice(first, first + size);
    found.push(part.reduce((sum, each) => sum + each, 0) / part.length / Math.LN2);
  }
  return found;
}

/**
 * The distribution of the next sample: bars of p and, where they differ, an outline of the probabilities with which it is
 * drawn. `level` is the one that came, or null.
 */
export function nextSample(canvas, run, { p, drawn }, level, summary) {
  const per = run.about.per_bar, most = Math.max(...p, ...(drawn ?? []), 1e-9);
  const width = Math.min(canvas.parentElement.clientWidth, 560);
  const { context, placeX, placeY, inner, bottom } = axes(canvas, {
    width, height: 210, x: { label: "amplitude of the next sample", min: 0, max: p.length, ticks: amplitudeTicks(run, p.length, width) },
    y: { label: per === 1 ? "p(x_t | x_<t)" : `p of ${per} levels`, min: 0, max: most },
  });
  const step = inner.width / p.length;
  context.fillStyle = colour("--accent");
  p.forEach((each, bar) => context.fillRect(placeX(bar), placeY(each), Math.max(step * 0.85, 1), bottom - placeY(each)));
  if (drawn) {
    context.strokeStyle = colour("--ink");
    context.lineWidth = 1.2;
    context.beginPath();
    drawn.forEach((each, bar) => { context.lineTo(placeX(bar), placeY(each)); context.lineTo(placeX(bar + 1), placeY(each)); });
    context.stroke();
  }
  if (level !== null) {
    const at = placeX(Math.floor(level / per) + 0.5);
    context.fillStyle = colour("--warm");
    context.fillRect(at - 1, placeY(most), 2, bottom - placeY(most));
  }
  describe(canvas, summary);
}

/** The amplitude in the middle of each of `count` bars. */
export function amplitudesOfBars(run, count) {
  const per = run.about.per_bar;
  return Array.from({ length: count }, (_, bar) => amplitudeOf(run, Math.min(Math.round(bar * per + (per - 1) / 2), run.about.levels - 1)));
}

/** Ticks at round amplitudes; levels of the mu-law are not evenly spaced in them. */
function amplitudeTicks(run, count, width) {
  const centres = amplitudesOfBars(run, count), found = [], apart = (count * 42) / (width - 68);
  for (const amplitude of [0, -1, 1, -0.1, 0.1, -0.01, 0.01, -0.3, 0.3, -0.03, 0.03]) {  // the more important first
    const bar = centres.reduce((best, each, i) => (Math.abs(each - amplitude) < Math.abs(centres[best] - amplitude) ? i : best), 0);
    if (found.every(([other]) => Math.abs(bar + 0.5 - other) > apart)) found.push([bar + 0.5, String(amplitude)]);
  }
  return found;
}
