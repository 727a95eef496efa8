// A picture to paint on and to erase from: values are known where there is paint, and unknown elsewhere.

import { button, make, select, slider } from "../../controls.js";
import { colour, describe, onColours } from "../../plots.js";
import { picture, place, shapeOf } from "./picture.js";

const SIZE = 256;
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

const clamp = (value, most) => Math.min(Math.max(value, 0), most);

/** The editor: `.values` is flat, null where unknown; `changed()` is called after each stroke. */
export class Editor {
  constructor(run, changed) {
    Object.assign(this, shapeOf(run), { run, changed, painting: false });
    this.known = new Array(this.channels * this.area).fill(null);
    this.cursor = [Math.floor(this.height / 2), Math.floor(this.width / 2)];
    this.scale = Math.max(4, Math.floor(SIZE / Math.max(this.height, this.width)));
    this.element = make("div", {}, this.tools(), this.masks(), this.stage());
    this.show();
    onColours(this.element, () => this.mark());
  }

  get values() { return this.known; }

  set values(given) {
    this.known = [...given];
    this.show();
  }

  tools() {
    const { levels } = this.run.about;
    const erases = ["erase", "erases"];
    this.tool = select("Pointer", levels === 2 ? [["1", "paints white"], ["0", "paints black"], erases] : [["paint", "paints"], erases]);
    this.brush = slider("Brush", { value: Math.max(this.height, this.width) > 16 ? 2 : 1, min: 1, max: 5, step: 1, show: (x) => `${x} wide` });
    this.shade = this.channels === 3 ? make("input", { type: "color", value: "#ffffff" }) : null;
    this.level = this.channels === 1 && levels > 2 ? slider("Level", { value: levels - 1, min: 0, max: levels - 1, step: 1 }) : null;
    return make("div", { class: "row" }, this.tool, this.level, this.shade && make("label", {}, "Colour", this.shade), this.brush);
  }

  masks() {
    const { height, width } = this;
    const part = (name, chosen) => button(name, () => this.erase(chosen), { "aria-label": `Erase the ${name}` });
    return make("div", { class: "row", role: "group", "aria-label": "Erase parts" }, make("span", {}, "Erase"),
      part("whole image", () => true), part("bottom half", (row) => row >= height / 2),
      part("top half", (row) => row < height / 2), part("right half", (_, column) => column >= width / 2));
  }

  /** The picture, and over it the canvas that takes the pointer and the keys. */
  stage() {
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.cross = make("canvas", {
      class: "over", tabindex: 0, width: this.width * this.scale, height: this.height * this.scale,
      pointerdown: (event) => this.press(event), pointermove: (event) => this.drag(event),
      pointerup: () => this.release(), pointercancel: () => this.release(),
      keydown: (event) => this.type(event), focus: () => this.mark(), blur: () => this.mark(),
    });
    return make("div", { class: "stage" }, this.canvas, this.cross);
  }

  /** The level of each channel that the tool paints; null to erase. */
  ink() {
    const { levels } = this.run.about;
    if (this.tool.value === "erase") return new Array(this.channels).fill(null);
    if (levels === 2) return new Array(this.channels).fill(Number(this.tool.value));
    if (this.level !== null) return [this.level.value];
    return [1, 3, 5].map((at) => Math.floor((parseInt(this.shade.value.slice(at, at + 2), 16) * levels) / 256));
  }

  /** Paint a square as wide as the brush around a pixel. */
  paint([row, column]) {
    const wide = this.brush.value, from = -Math.floor((wide - 1) / 2), ink = this.ink();
    for (let r = row + from; r < row + from + wide; r += 1) {
      for (let c = column + from; c < column + from + wide; c += 1) {
        if (r < 0 || c < 0 || r >= this.height || c >= this.width) continue;
        ink.forEach((level, channel) => { this.known[channel * this.area + r * this.width + c] = level; });
      }
    }
    this.show();
  }

  at(event) {
    const box = this.cross.getBoundingClientRect();
    return [Math.floor(((event.clientY - box.top) / box.height) * this.height), Math.floor(((event.clientX - box.left) / box.width) * this.width)];
  }

  press(event) {
    this.cross.setPointerCapture(event.pointerId);
    this.painting = true;
    this.cursor = this.at(event);
    this.paint(this.cursor);
  }

  /** Paint the line from where the pointer was: it may have moved by several pixels. */
  drag(event) {
    if (!this.painting) return;
    const to = this.at(event), from = this.cursor, steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]), 1);
    for (let i = 1; i <= steps; i += 1) this.paint([0, 1].map((k) => Math.round(from[k] + ((to[k] - from[k]) * i) / steps)));
    this.cursor = to;
  }

  release() {
    if (this.painting) this.changed();
    this.painting = false;
  }

  type(event) {
    if (event.key in MOVES) {
      const [down, right] = MOVES[event.key];
      this.cursor = [clamp(this.cursor[0] + down, this.height - 1), clamp(this.cursor[1] + right, this.width - 1)];
    } else if (event.key === " " || event.key === "Enter") {
      this.paint(this.cursor);
      this.changed();
    } else return;
    event.preventDefault();
    this.mark();
  }

  erase(chosen) {
    const { area, width } = this;
    this.known = this.known.map((value, i) => (chosen(Math.floor((i % area) / width), i % width) ? null : value));
    this.show();
    this.changed();
  }

  show() {
    picture(this.canvas, this.run, this.known, { size: SIZE });
    this.mark();
  }

  /** Frame the pixel that keys paint, and say what is there. */
  mark() {
    const { cross, scale, cursor: [row, column] } = this;
    const context = cross.getContext("2d");
    context.clearRect(0, 0, cross.width, cross.height);
    if (cross.matches(":focus-visible")) {
      context.strokeStyle = colour("--warm");
      context.lineWidth = 3;
      context.strokeRect(column * scale + 1.5, row * scale + 1.5, scale - 3, scale - 3);
    }
    const index = row * this.width + column, count = this.known.filter((value) => value !== null).length;
    describe(cross, `Image to paint on, ${count} of ${this.known.length} values known. Arrow keys move, space paints. `
      + `Now at ${place(this.run, index)}: ${this.known[index] ?? "unknown"}`);
    cross.setAttribute("role", "application");
  }
}
