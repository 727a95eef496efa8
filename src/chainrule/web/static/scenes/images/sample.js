// The card on which samples grow, beside the probabilities that their pixels are drawn with.

import { post } from "../../api.js";
import { button, commandLine, make, number, player, said } from "../../controls.js";
import { bars, lines, short } from "../../plots.js";
import { drawingControls, picture, place, saveNumbers, savePicture, shapeOf, understood } from "./picture.js";

export function mountSample(element, run, page) {
  const binary = run.about.levels === 2, unit = shapeOf(run).channels > 1 ? "Variable" : "Pixel";
  const controls = drawingControls(run);
  const count = number("Samples", { value: 1, min: 1, max: 16 });
  const words = said();
  const command = commandLine();
  const pictures = make("div", { class: "pictures" });
  const chart = make("canvas", { hidden: true }), progress = make("canvas");
  const classes = make("div", { class: "scroll", hidden: true }, progress);
  const playback = player({ unit: unit.toLowerCase(), speed: 22, show });
  let stop = new AbortController(), grown = [], steps = [], posterior = [];

  function begin(request) {
    stop.abort();
    stop = new AbortController();
    grown = [];
    steps = [];
    posterior = [];
    pictures.replaceChildren();
    chart.hidden = true;
    classes.hidden = true;
    for (let i = 0; i < request.count; i += 1) grown.push(new Grown(run, pictures, binary, request.count));
    playback.reset(shapeOf(run).area * shapeOf(run).channels);
    playback.play();
    words.say("Drawing …");
    let own = [], labels = null;
    post(run, "sample", understood(run, request), (event) => {
      if (event.command) command.show(event.command);
      if (event.labels) labels = event.labels;
      if (event.waiting) words.say("Waiting for other pages …");
      if (event.samples) {
        own = event.samples.map((i) => grown[i]);
        own.forEach((each, k) => each.begin(event.order, labels?.[event.samples[k]]));
      }
      if (event.classes && own[0] === grown[0]) posterior.push(...event.classes);
      for (const step of event.steps ?? []) {
        own.forEach((each, k) => each.add(step, k));
        if (own[0] === grown[0]) steps.push(step);
        playback.length = Math.max(...grown.map((each) => each.values.length));
      }
    }, stop.signal).then((ended) => { if (ended) playback.finish(); }).catch((problem) => { playback.pause(); words.fail(problem.message); });
  }

  function show(t, playing) {
    for (const each of grown) each.show(t);
    const [first] = grown;
    if (!first || t === 0) return;
    const step = steps[t - 1];
    if (!step) return;
    const where = place(run, first.order[t - 1]);
    const value = step.values[0];
    const drawn = binary ? `${value === 1 ? "white" : "black"}, p(white) = ${short(step.means[0])}` : `level ${value}, expected ${short(step.means[0])}`;
    const tell = playing && t < first.order.length ? words.show : words.say;
    tell(`${unit} ${t} of ${first.order.length} (${where}): ${drawn}, surprisal ${short(step.nats[0])} nats; ${short(first.nats(t))} nats so far.`);
    chart.hidden = !step.bars;
    if (step.bars) {
      bars(chart, {
        labels: step.bars.map((_, i) => (binary ? ["black", "white"][i] : String(i))), values: step.bars, marked: [value],
        x: binary ? "next pixel" : "level of the next variable", y: { label: "p(x_t | x_<t)", max: binary ? 1 : undefined }, width: step.bars.length > 32 ? 420 : 260, height: 170,
        summary: `Probabilities of variable ${t}: drawn ${value} with p = ${short(step.bars[value])}`,
      });
    }
    const known = posterior.slice(0, t + 1);
    if (known.length > 0) showClasses(known);
  }

  function showClasses(known) {
    classes.hidden = false;
    const last = known[known.length - 1];
    const best = last.indexOf(Math.max(...last));
    bars(progress, {
      labels: run.about.classes, values: last, marked: [best], x: "class", y: { label: "p(class | x_<t)", max: 1 }, width: 420, height: 170,
      summary: `Most probable class of the first sample: ${run.about.classes[best]} with ${short(last[best])}`,
    });
  }

  const go = button("Draw a sample", () => page.tell(run, "sample", { ...controls.request, count: Math.round(count.value) }), { main: true });
  const again = button("Another", () => { controls.again(); go.click(); });
  const save = button("Save as PNG", () => grown.forEach((each, i) => savePicture(run, each.values, grown.length > 1 ? `sample-${i + 1}.png` : "sample.png")));
  const table = button("Save as CSV", () => grown.forEach((each, i) => {
    const classes = i === 0 && posterior.length ? run.about.classes : [];
    saveNumbers(run, grown.length > 1 ? `sample-${i + 1}.csv` : "sample.csv", each.order, ["value", "mean", "nats", ...classes.map((name) => `p(${name})`)],
      each.values.map((value, t) => [value, each.means[t], each.surprisals[t], ...classes.map((_, c) => posterior[t + 1][c])]));
  }));
  page.hear(run, "sample", (request) => {
    controls.request = request;
    count.value = request.count;
    begin(request);
  });
  element.append(make("section", { class: "card", "aria-label": "Sample" }, make("h3", {}, "A sample, pixel by pixel"), controls,
    make("div", { class: "row" }, count, go, again, save, table), playback, words, pictures,
    make("div", { class: "pictures" }, chart, classes), command));
}

/** A sample as it grows, and its picture beside that of the means of its conditionals. */
class Grown {
  constructor(run, parent, binary, count) {
    this.run = run;
    const wide = Math.floor((parent.clientWidth - 16) / 2);
    this.size = count === 1 ? Math.max(Math.min(224, wide), 96) : 96;
    this.canvas = make("canvas");
    this.expected = make("canvas");
    this.caption = make("figcaption", {}, "sample");
    this.order = [];
    this.values = [];
    this.surprisals = [];
    this.means = [];
    parent.append(make("figure", {}, this.canvas, this.caption),
      make("figure", {}, this.expected, make("figcaption", {}, binary ? "p(white | pixels before)" : "mean given the pixels before")));
    this.show(0);
  }

  begin(order, label) {
    this.order = order;
    if (label !== undefined) this.caption.textContent = `sample of class ${this.run.about.classes[label]}`;
  }

  add(step, k) {
    this.values.push(step.values[k]);
    this.means.push(step.means[k]);
    this.surprisals.push(step.nats[k]);
  }

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
