// A picture to paint on and to erase from: values are known where there is paint, and unknown elsewhere.

import { button, make, select, slider } from "../../controls.js";
import { colour, describe } from "../../plots.js";
import { picture, place, shapeOf } from "./picture.js";

/** The editor: `.values` is flat, null where unknown; `changed()` is called after each stroke. */
export function editor(run, changed) {
  const { channels, height, width, area } = shapeOf(run);
  const { levels } = run.about;
  const scale = Math.max(4, Math.floor(256 / Math.max(height, width)));
  let values = new Array(channels * area).fill(null);
  let painting = false, cursor = [Math.floor(height / 2), Math.floor(width / 2)];

  const canvas = make("canvas");
  const cross = make("canvas", {
    class: "over", tabindex: 0, pointerdown: press, pointermove: drag, pointerup: release, pointercancel: release, keydown: type, focus: mark, blur: mark,
  });
  cross.width = width * scale;
  cross.height = height * scale;
  const stage = make("div", { class: "stage" }, canvas, cross);
  const tool = select("Pointer", levels === 2
    ? [["1", "paints white"], ["0", "paints black"], ["erase", "erases"]] : [["paint", "paints"], ["erase", "erases"]]);
  const brush = slider("Brush", { value: Math.max(height, width) > 16 ? 2 : 1, min: 1, max: 5, step: 1, show: (x) => `${x} wide` });
  const shade = channels === 3 ? make("input", { type: "color", value: "#ffffff" }) : null;
  const level = channels === 1 && levels > 2 ? slider("Level", { value: levels - 1, min: 0, max: levels - 1, step: 1 }) : null;
  const masks = make("div", { class: "row", role: "group", "aria-label": "Erase parts" },
    button("Erase all", () => erase(() => true)), button("bottom half", () => erase((row) => row >= height / 2), { "aria-label": "Erase the bottom half" }),
    button("top half", () => erase((row) => row < height / 2), { "aria-label": "Erase the top half" }),
    button("right half", () => erase((_, column) => column >= width / 2), { "aria-label": "Erase the right half" }));

  /** The level of each channel that the tool paints; null to erase. */
  function ink() {
    if (tool.value === "erase") return new Array(channels).fill(null);
    if (levels === 2) return new Array(channels).fill(Number(tool.value));
    if (level !== null) return [level.value];
    return [1, 3, 5].map((at) => Math.floor((parseInt(shade.value.slice(at, at + 2), 16) * levels) / 256));
  }

  function paint([row, column]) {
    const wide = brush.value, from = -Math.floor((wide - 1) / 2), own = ink();
    for (let r = row + from; r < row + from + wide; r += 1) {
      for (let c = column + from; c < column + from + wide; c += 1) {
        if (r < 0 || c < 0 || r >= height || c >= width) continue;
        for (let channel = 0; channel < channels; channel += 1) values[channel * area + r * width + c] = own[channel];
      }
    }
    show();
  }

  function at(event) {
    const box = cross.getBoundingClientRect();
    return [Math.floor(((event.clientY - box.top) / box.height) * height), Math.floor(((event.clientX - box.left) / box.width) * width)];
  }

  function press(event) {
    cross.setPointerCapture(event.pointerId);
    painting = true;
    cursor = at(event);
    paint(cursor);
  }
  function drag(event) {
    if (!painting) return;
    const to = at(event), from = cursor, steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    for (let i = 1; i <= steps; i += 1) paint([0, 1].map((k) => Math.round(from[k] + ((to[k] - from[k]) * i) / steps)));
    cursor = to;
  }
  function release() {
    if (painting) changed();
    painting = false;
  }

  function type(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in moves) {
      cursor = [Math.min(Math.max(cursor[0] + moves[event.key][0], 0), height - 1), Math.min(Math.max(cursor[1] + moves[event.key][1], 0), width - 1)];
    } else if (event.key === " " || event.key === "Enter") {
      paint(cursor);
      changed();
    } else return;
    event.preventDefault();
    mark();
  }

  /** The frame around the pixel that keys paint. */
  function mark() {
    const context = cross.getContext("2d");
    context.clearRect(0, 0, cross.width, cross.height);
    if (document.activeElement === cross && cross.matches(":focus-visible")) {
      context.strokeStyle = colour("--warm");
      context.lineWidth = 3;
      context.strokeRect(cursor[1] * scale + 1.5, cursor[0] * scale + 1.5, scale - 3, scale - 3);
    }
    const index = cursor[0] * width + cursor[1];
    const known = values.filter((value) => value !== null).length;
    describe(cross, `Image to paint on, ${known} of ${values.length} values known. Arrow keys move, space paints. Now at ${place(run, index)}: ${values[index] === null ? "unknown" : values[index]}`);
    cross.setAttribute("role", "application");
  }

  function erase(chosen) {
    values = values.map((value, i) => (chosen(Math.floor((i % area) / width), i % width) ? null : value));
    show();
    changed();
  }

  function show() {
    picture(canvas, run, values, { size: 256 });
    mark();
  }

  show();
  canvas.setAttribute("aria-hidden", "true");
  const element = make("div", {}, make("div", { class: "row" }, tool, level, shade && make("label", {}, "Colour", shade), brush), masks, stage);
  Object.defineProperty(element, "values", { get: () => values, set: (given) => { values = [...given]; show(); } });
  return element;
}
