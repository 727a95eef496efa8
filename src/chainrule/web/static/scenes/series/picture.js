// The pictures of a series: history with the bands of a forecast, the whole of it in a strip, and surprisals.

import { colour, describe, lines } from "../../plots.js";
import { figure, timeTicks } from "./history.js";

const WIDE = 1600;  // as wide as the card is
const ROOM = 1;  // bands may reach so many heights of what is known, and of the median, beyond these

/** History, origin, bands and what came; returns the plot and the range of its places. */
export function drawForecast(canvas, { part, origin, past, length, forecast, about, paths }) {
  const min = Math.max(0, origin - past), max = origin - 1 + length;
  const value = (place) => part.values[place - part.first] ?? NaN;
  const before = range(min, origin), after = range(origin, Math.min(max + 1, part.size));
  const series = [
    { x: before, values: before.map(value), colour: colour("--ink") },
    { x: after, values: after.map(value), colour: colour("--ink"), dashed: true },
  ];
  const times = (place) => (place < part.size ? part.times[place - part.first] : forecast?.times[place - origin]);
  let bands = [], low = Infinity, high = -Infinity, cut = false;
  const middle = [...series[0].values, ...series[1].values, ...(forecast?.bands["50%"] ?? [])].filter(Number.isFinite);
  if (middle.length > 0) [low, high] = [Math.min(...middle), Math.max(...middle)];
  if (forecast !== null) {
    const outer = ["5%", "25%", "75%", "95%"].flatMap((name) => forecast.bands[name]).filter(Number.isFinite);
    const room = (high - low || 1) * ROOM, [least, most] = [low - room, high + room];
    cut = outer.some((each) => each < least || each > most);
    [low, high] = [Math.max(Math.min(low, ...outer), least), Math.min(Math.max(high, ...outer), most)];
    const hold = (each) => Math.min(Math.max(each, low), high);
    const x = forecast.times.map((_, i) => origin + i);
    bands = [["5%", "95%", 0.18], ["25%", "75%", 0.3]].map(([from, to, alpha]) => ({
      x, low: forecast.bands[from].map(hold), high: forecast.bands[to].map(hold), alpha,
    }));
    series.push({ x, values: forecast.bands["50%"].map(hold), colour: colour("--accent") });
    if (paths) series.push(...forecast.paths.map((path) => ({ x, values: path.map((each) => (each === null || each < low || each > high ? NaN : each)), colour: colour("--warm") })));
  }
  const width = Math.min(canvas.parentElement.clientWidth, WIDE), margin = (high - low || 1) * 0.05;
  const plot = lines(canvas, {
    series, bands, mark: origin - 0.5, width, height: 300,
    x: { label: about.times === null ? "number of the value" : `${about.times.columns.join(", ")}, ${about.times.words}`, min, max, ticks: timeTicks(min, max, width, times) },
    y: { label: about.column, min: low - margin, max: high + margin },
    summary: summaryOf({ about, part, origin, forecast }),
  });
  return { ...plot, min, max, cut };
}

function summaryOf({ about, part, origin, forecast }) {
  const known = `${about.column} up to ${part.times[origin - 1 - part.first]}, the last value is ${figure(part.values[origin - 1 - part.first])}`;
  if (forecast === null) return known;
  const last = forecast.times.length - 1, { bands } = forecast;
  return `${known}; forecast of ${forecast.times.length} values, at the end median ${figure(bands["50%"][last])}, 90 % from ${figure(bands["5%"][last])} to ${figure(bands["95%"][last])}`;
}

/** All values in a strip, with what is shown of them; returns the plot and the range of its places. */
export function drawOverview(canvas, { part, origin, past, length, series }) {
  const { low, high, size } = part.overview, x = low.map((_, i) => (i + 0.5) * size);
  const finite = [...low, ...high].filter(Number.isFinite);
  const width = Math.min(canvas.parentElement.clientWidth, WIDE);
  const plot = lines(canvas, {
    series: [{ x, values: low.map((each) => each ?? NaN), colour: colour("--soft") }, { x, values: high.map((each) => each ?? NaN), colour: colour("--soft") }],
    bands: [{ x: [Math.max(0, origin - past), origin - 1 + length], low: [Math.min(...finite), Math.min(...finite)], high: [Math.max(...finite), Math.max(...finite)] }],
    mark: origin - 0.5, width, height: 90,
    x: { label: `all ${part.size.toLocaleString("en")} values, by number`, min: 0, max: Math.max(part.size - 1, origin - 1 + length) },
    y: { label: "", min: Math.min(...finite), max: Math.max(...finite) },
    summary: `All ${part.size} values; the picture above shows the ${past} before ${origin}`,
  });
  return { ...plot, min: 0, max: Math.max(part.size - 1, origin - 1 + length) };
}

/** Surprisals `nats` of the values `min` to `max`, of which that at `chosen` stands out. */
export function drawSurprisal(canvas, { part, nats, min, max, chosen, about }) {
  const places = range(min, max + 1).filter((place) => nats[place] !== undefined);
  const values = places.map((place) => nats[place] ?? NaN), finite = values.filter(Number.isFinite);
  const [least, most] = finite.length > 0 ? [Math.min(...finite), Math.max(...finite)] : [0, 1];
  const width = Math.min(canvas.parentElement.clientWidth, WIDE), margin = (most - least || 1) * 0.08;
  const plot = lines(canvas, {
    series: [{ x: places, values, colour: colour("--accent") }], mark: chosen === null ? undefined : chosen, width, height: 170,
    x: { label: about.times === null ? "number of the value" : about.times.columns.join(", "), min, max, ticks: timeTicks(min, max, width, (place) => part.times[place - part.first]) },
    y: { label: "surprisal (nats)", min: least - margin, max: most + margin },
    summary: `Surprisal of ${places.length} values of ${about.column}, from ${figure(least)} to ${figure(most)} nats`,
  });
  describe(canvas, canvas.getAttribute("aria-label"));
  return { ...plot, min, max };
}

/** The place in a plot that a pointer is at. */
export function placeAt({ left, inner, min, max }, event) {
  return min + ((event.offsetX - left) / inner.width) * (max - min);
}

function range(from, to) {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
