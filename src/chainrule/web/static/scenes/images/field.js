// What the pixel under the pointer depends on.

import { ask } from "../../api.js";
import { make } from "../../controls.js";
import { colour, heat, heatScale, onColours, short } from "../../plots.js";
import { byPixel, place, shapeOf } from "./picture.js";

const PAUSE = 60;

/** The picture `.figure` of a receptive field, and what is said of it, `.words`. */
export class ReceptiveField {
  constructor(run, size) {
    Object.assign(this, shapeOf(run), { run, size, variable: null, values: null, asking: new AbortController() });
    this.canvas = make("canvas");
    this.scale = make("canvas", { hidden: true });
    this.words = make("p", { class: "hint" });
    this.figure = make("figure", {}, this.canvas, this.scale, make("figcaption", {}, "what the pixel under the pointer depends on"));
    onColours(this.figure, () => { if (this.values !== null) this.plot(); });
  }

  /** The pixel that was pointed at; null for none. */
  get pixel() { return this.variable === null ? null : this.variable % this.area; }

  /** Begin anew with an image; a mixture over orders has no receptive fields. */
  clear({ nats }) {
    this.asking.abort();
    this.variable = null;
    this.values = null;
    this.figure.hidden = !nats;
    this.scale.hidden = true;
    this.words.textContent = nats ? "Point at a pixel, or move over the picture with the arrow keys." : "";
    this.draw(new Array(this.area).fill(0), "Receptive field: point at a pixel");
  }

  /** Show what a variable of the image `x` of a class depends on; the last one that was pointed at counts. */
  async point({ x, nats }, variable, label) {
    if (variable === this.variable) return;
    this.variable = variable;
    this.asking.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const words = `${place(this.run, variable)}: level ${x[variable]}, p = ${short(Math.exp(-nats[variable]))}, surprisal ${short(nats[variable])} nats`;
    this.words.textContent = `${words}; its receptive field is being computed …`;
    await new Promise((resolve) => { setTimeout(resolve, PAUSE); });
    if (signal.aborted) return;
    try {
      const { field } = await ask(this.run, "field", { x, variable, label }, signal);
      if (!signal.aborted) this.show(field, words);
    } catch (problem) {
      this.words.textContent = problem.message;
    }
  }

  show(field, words) {
    this.values = field;
    this.words.textContent = `${words}; it depends on ${this.plot()} of the pixels before it.`;
  }

  /** Plot what the variable depends on; returns the number of pixels. */
  plot() {
    const values = byPixel(this.run, this.values), seen = values.filter((value) => value > 0).length;
    const most = this.draw(values, `Receptive field of ${place(this.run, this.variable)}: ${seen} pixels`);
    this.scale.hidden = false;
    heatScale(this.scale, most, "nats", this.size);
    const context = this.canvas.getContext("2d");
    context.fillStyle = colour("--good");
    context.fillRect(this.pixel % this.width, Math.floor(this.pixel / this.width), 1, 1);
    return seen;
  }

  draw(values, summary) {
    return heat(this.canvas, { values, rows: this.height, columns: this.width, size: this.size, summary });
  }
}
