// The card on which samples grow, beside the probabilities that their pixels are drawn with.

import { post } from "../../api.js";
import { button, commandLine, make, number, player, said } from "../../controls.js";
import { bars, onColours, short } from "../../plots.js";
import { Grown } from "./grown.js";
import { drawingControls, place, saveNumbers, savePicture, shapeOf, understood } from "./picture.js";

/** The card; linked panels draw with the same settings. */
export class SampleCard {
  constructor(element, run, page) {
    this.run = run;
    this.page = page;
    this.binary = run.about.levels === 2;
    this.unit = shapeOf(run).channels > 1 ? "Variable" : "Pixel";
    this.stop = new AbortController();
    this.clear();
    this.build(element);
    page.hear(run, "sample", (request) => this.begin(request));
  }

  build(element) {
    this.controls = drawingControls(this.run);
    this.count = number("Samples", { value: 1, min: 1, max: 16 });
    this.words = said();
    this.command = commandLine();
    this.pictures = make("div", { class: "pictures" });
    this.chart = make("canvas", { hidden: true });
    this.progress = make("canvas", { hidden: true });
    this.playback = player({ unit: this.unit.toLowerCase(), speed: 22, show: (t, playing) => this.show(t, playing) });
    element.append(make("section", { class: "card", "aria-label": "Sample" }, make("h3", {}, "A sample, pixel by pixel"), this.controls,
      this.buttons(), this.playback, this.words, this.pictures, make("div", { class: "pictures" }, this.chart, make("div", { class: "scroll" }, this.progress)),
      this.command));
    onColours(element, () => this.plot(this.playback.at));
  }

  buttons() {
    const go = button("Draw a sample", () => this.ask(), { main: true });
    const again = button("Another", () => { this.controls.again(); this.ask(); });
    return make("div", { class: "row" }, this.count, go, again,
      button("Save as PNG", () => this.grown.forEach((each, i) => savePicture(this.run, each.values, this.fileName(i, "png")))),
      button("Save as CSV", () => this.grown.forEach((each, i) => this.saveNumbers(each, i))));
  }

  clear() {
    this.grown = [];  // the samples
    this.own = [];  // those that the events are of
    this.steps = [];  // of the first sample
    this.posterior = [];  // p(class | x_<t) of the first sample
    this.labels = null;
  }

  ask() {
    this.page.tell(this.run, "sample", { ...this.controls.request, count: Math.round(this.count.value) });
  }

  begin(request) {
    const { run, pictures, playback, words } = this;
    this.stop.abort();
    this.stop = new AbortController();
    this.controls.request = request;
    this.count.value = request.count;
    this.clear();
    pictures.replaceChildren();
    this.chart.hidden = true;
    this.progress.hidden = true;
    this.grown = Array.from({ length: request.count }, () => new Grown(run, pictures, request.count));
    playback.reset(shapeOf(run).area * shapeOf(run).channels);
    playback.play();
    words.say("Drawing …");
    post(run, "sample", understood(run, request), (event) => this.receive(event), this.stop.signal)
      .then((ended) => { if (ended) playback.finish(); })
      .catch((problem) => { playback.pause(); words.fail(problem.message); });
  }

  receive(event) {
    if (event.command) this.command.show(event.command);
    if (event.waiting) this.words.say("Waiting for other pages …");
    if (event.labels) this.labels = event.labels;
    if (event.samples) {
      this.own = event.samples.map((i) => this.grown[i]);
      this.own.forEach((each, k) => each.begin(event.order, this.labels?.[event.samples[k]]));
    }
    const first = this.own[0] === this.grown[0];
    if (event.classes && first) this.posterior.push(...event.classes);
    for (const step of event.steps ?? []) {
      this.own.forEach((each, k) => each.add(step, k));
      if (first) this.steps.push(step);
    }
    this.playback.length = Math.max(...this.grown.map((each) => each.values.length));
  }

  show(t, playing) {
    for (const each of this.grown) each.show(t);
    const step = this.steps[t - 1];
    if (!step) return;
    const silent = playing && t < this.grown[0].order.length;
    if (silent) this.words.show(this.sentence(t, step));
    else this.words.say(this.sentence(t, step));
    this.plot(t);
  }

  /** Plot the conditional of step t, and p(class | x_<t) after it. */
  plot(t) {
    if (!this.steps[t - 1]) return;
    this.showConditional(t, this.steps[t - 1]);
    this.showClasses(this.posterior[Math.min(t, this.posterior.length - 1)]);
  }

  /** What happened at step t, in words. */
  sentence(t, { values: [value], means: [mean], nats: [nats] }) {
    const [first] = this.grown;
    const drawn = this.binary ? `${value === 1 ? "white" : "black"}, p(white) = ${short(mean)}` : `level ${value}, expected ${short(mean)}`;
    const where = `${this.unit} ${t} of ${first.order.length} (${place(this.run, first.order[t - 1])})`;
    return `${where}: ${drawn}, surprisal ${short(nats)} nats; ${short(first.nats(t))} nats so far.`;
  }

  showConditional(t, { values: [value], bars: probabilities }) {
    this.chart.hidden = !probabilities;
    if (!probabilities) return;
    bars(this.chart, {
      labels: probabilities.map((_, i) => (this.binary ? ["black", "white"][i] : String(i))), values: probabilities, marked: [value],
      x: this.binary ? "next pixel" : "level of the next variable", y: { label: "p(x_t | x_<t)", max: this.binary ? 1 : undefined },
      width: probabilities.length > 32 ? 420 : 260, height: 170,
      summary: `Probabilities of variable ${t}: drawn ${value} with p = ${short(probabilities[value])}`,
    });
  }

  showClasses(known) {
    this.progress.hidden = !known;
    if (!known) return;
    const { classes } = this.run.about, best = known.indexOf(Math.max(...known));
    bars(this.progress, {
      labels: classes, values: known, marked: [best], x: "class", y: { label: "p(class | x_<t)", max: 1 }, width: 420, height: 170,
      summary: `Most probable class of the first sample: ${classes[best]} with ${short(known[best])}`,
    });
  }

  fileName(i, suffix) {
    return this.grown.length > 1 ? `sample-${i + 1}.${suffix}` : `sample.${suffix}`;
  }

  saveNumbers(each, i) {
    const classes = i === 0 && this.posterior.length ? this.run.about.classes : [];
    const rows = each.values.map((value, t) => [value, each.means[t], each.surprisals[t], ...classes.map((_, c) => this.posterior[t + 1][c])]);
    saveNumbers(this.run, this.fileName(i, "csv"), each.order, ["value", "mean", "nats", ...classes.map((name) => `p(${name})`)], rows);
  }
}
