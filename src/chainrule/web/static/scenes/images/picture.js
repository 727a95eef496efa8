// Pictures of events (channels, height, width) of levels, and the controls that all cards of the scene have.

import { download, number, checkbox, select, make } from "../../controls.js";
import { pixels } from "../../plots.js";
import { csv } from "../files.js";

/** The shape of a run's events. */
export function shapeOf(run) {
  const [channels, height, width] = run.about.event_shape;
  return { channels, height, width, area: height * width };
}

/** Show the flat values (null where nothing is known) as a picture; levels from 0 to `run.about.levels` - 1. */
export function picture(canvas, run, values, { size = 224, summary } = {}) {
  const { channels, height, width, area } = shapeOf(run);
  const most = run.about.levels - 1;
  const grey = (value) => Math.round(255 * Math.min(Math.max(value / most, 0), 1));
  pixels(canvas, height, width, (row, column) => {
    const at = row * width + column;
    const found = [0, 1, 2].map((c) => values[Math.min(c, channels - 1) * area + at]);
    return found.every((value) => value === null || value === undefined) ? null : found.map((value) => grey(value ?? 0));
  }, { size, summary });
}

/** Where variable `index` of a flat event is, in words. */
export function place(run, index) {
  const { channels, width, area } = shapeOf(run);
  const at = index % area;
  const words = `row ${Math.floor(at / width) + 1}, column ${(at % width) + 1}`;
  return channels > 1 ? `${words}, ${["red", "green", "blue"][Math.floor(index / area)]}` : words;
}

/** The file of an image, pixel by pixel, whose grey values read back as the same levels. */
export function savePicture(run, values, name) {
  const { channels, height, width, area } = shapeOf(run);
  const { levels } = run.about;
  const byte = (level) => {
    const spread = Math.round((level * 255) / (levels - 1));
    const low = Math.ceil((level * 256) / levels), high = Math.ceil(((level + 1) * 256) / levels) - 1;
    return Math.min(Math.max(spread, low), high);
  };
  const canvas = make("canvas", { width, height });
  const image = canvas.getContext("2d").createImageData(width, height);
  for (let at = 0; at < area; at += 1) {
    const colours = [0, 1, 2].map((c) => byte(values[Math.min(c, channels - 1) * area + at] ?? 0));
    image.data.set([...colours, 255], 4 * at);
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.toBlob((blob) => download(name, blob));
}

/** Controls of how values are drawn; `.request` is their part of a request. */
export function drawingControls(run, { greedy = true } = {}) {
  const { classes } = run.about;
  const seed = number("Seed", { value: 0, min: 0, max: 2 ** 31, step: 1 });
  const temperature = number("Temperature", { value: 1, min: 0.05, max: 20, step: 0.05 });
  const most = checkbox("Greedy");
  const label = classes.length ? select("Class", [["", "any"], ...classes.map((name, i) => [String(i), name])]) : null;
  const element = make("div", { class: "row", role: "group", "aria-label": "How values are drawn" }, seed, temperature, greedy ? most : null, label);
  Object.defineProperty(element, "request", {
    get: () => ({
      seed: Math.round(seed.value), temperature: temperature.value, greedy: most.value,
      label: label === null || label.value === "" ? null : Number(label.value),
    }),
    set: (given) => {
      seed.value = given.seed;
      temperature.value = given.temperature;
      most.value = given.greedy;
      if (label !== null) label.value = given.label === null || given.label >= classes.length ? "" : String(given.label);
    },
  });
  element.again = () => { seed.value = Math.round(seed.value) + 1; };
  return element;
}

/** The part of a request that this run understands: a class only if it has it. */
export function understood(run, request) {
  return { ...request, label: request.label !== null && request.label < run.about.classes.length ? request.label : null };
}

/** Save `rows` of numbers, one for each variable along `order`, after the columns t, row, column and channel. */
export function saveNumbers(run, name, order, columns, rows) {
  const { width, area } = shapeOf(run);
  const lines = rows.map((numbers, t) => {
    const at = order[t] % area;
    return [t + 1, Math.floor(at / width) + 1, (at % width) + 1, Math.floor(order[t] / area) + 1, ...numbers];
  });
  download(name, csv([["t", "row", "column", "channel", ...columns], ...lines]));
}

/** Numbers of variables, added up over the channels of each pixel; null counts as infinite. */
export function byPixel(run, values) {
  const { channels, area } = shapeOf(run);
  const at = (i, channel) => values[channel * area + i] ?? Infinity;
  return Array.from({ length: area }, (_, i) => Array.from({ length: channels }, (__, channel) => at(i, channel)).reduce((a, b) => a + b));
}
