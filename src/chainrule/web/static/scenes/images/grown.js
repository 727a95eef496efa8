// A sample as it grows, and its picture beside that of the means of its conditionals.

import { make } from "../../controls.js";
import { picture } from "./picture.js";

export class Grown {
  /** Pictures in `parent`, large where there is one of them only. */
  constructor(run, parent, count) {
    const wide = Math.floor((parent.clientWidth - 16) / 2);
    this.run = run;
    this.size = count === 1 ? Math.max(Math.min(224, wide), 96) : 96;
    this.canvas = make("canvas");
    this.expected = make("canvas");
    this.caption = make("figcaption", {}, "sample");
    this.order = [];
    this.values = [];
    this.surprisals = [];
    this.means = [];
    const beside = run.about.levels === 2 ? "p(white | pixels before)" : "mean given the pixels before";
    parent.append(make("figure", {}, this.canvas, this.caption), make("figure", {}, this.expected, make("figcaption", {}, beside)));
    this.show(0);
  }

  begin(order, label) {
    this.order = order;
    if (label !== undefined) this.caption.textContent = `sample of class ${this.run.about.classes[label]}`;
  }

  /** Add a step, whose k-th numbers are of this sample. */
  add(step, k) {
    this.values.push(step.values[k]);
    this.means.push(step.means[k]);
    this.surprisals.push(step.nats[k]);
  }

  /** −log p of the first t variables. */
  nats(t) {
    return this.surprisals.slice(0, t).reduce((sum, each) => sum + each, 0);
  }

  show(t) {
    const shown = Math.min(t, this.values.length);
    const of = (numbers) => {
      const event = new Array(this.order.length).fill(null);
      for (let i = 0; i < shown; i += 1) event[this.order[i]] = numbers[i];
      return event;
    };
    picture(this.canvas, this.run, of(this.values), { size: this.size, summary: `Sample after ${shown} of ${this.order.length} variables` });
    picture(this.expected, this.run, of(this.means), { size: this.size, summary: `Means of the conditionals of the first ${shown} variables` });
  }
}
