// The card on which an image is painted or erased, and completed.

import { post } from "../../api.js";
import { button, commandLine, make, number, said } from "../../controls.js";
import { short } from "../../plots.js";
import { editor } from "./editor.js";
import { exampleChooser } from "./example.js";
import { drawingControls, picture, savePicture, understood } from "./picture.js";

export function mountComplete(element, run, page) {
  const words = said(), command = commandLine(), results = make("div", { class: "pictures" });
  const drawing = drawingControls(run);
  const draws = number("Draws", { value: 4, min: 1, max: 16 });
  const particles = number("Particles", { value: 64, min: 1, max: 1024 });
  const input = editor(run, () => page.tell(run, "edit", input.values));
  const chooser = exampleChooser(run, (values, _, named) => {
    page.tell(run, "edit", values);
    words.say(`Took ${named}. Erase a part of it, and complete it.`);
  }, words);
  let stop = new AbortController(), done = [];

  function begin(request) {
    stop.abort();
    stop = new AbortController();
    results.replaceChildren();
    words.say("Completing …");
    done = Array.from({ length: request.draws }, (_, i) => new Draw(run, results, request.x, i));
    let sizes = [], method = "", exact = true, evidence = [];
    post(run, "complete", understood(run, request), (event) => {
      if (event.command) command.show(event.command);
      words.say(event.waiting ? "Waiting for other pages …" : "Completing …");
      if (event.steps) done[event.draw].grow(event.steps);
      if (event.x) {
        done[event.draw].finish(event);
        ({ method, exact } = event);
        evidence.push(event.log_evidence);
        if (event.effective_sample_size !== null) sizes.push(event.effective_sample_size);
      }
    }, stop.signal).then((ended) => {
      if (!ended) return;
      const known = request.x.filter((value) => value !== null).length;
      const size = sizes.length ? `; effective sample size ${short(Math.min(...sizes))} to ${short(Math.max(...sizes))} of ${request.particles}` : "";
      const rough = sizes.some((each) => each < 2) ? ". That is too few: these completions are rough, use more particles" : "";
      const mean = evidence.reduce((sum, each) => sum + each, 0) / Math.max(evidence.length, 1);
      if (evidence.length) words.say(`${known} of ${request.x.length} values known, ${exact ? "log p(known) =" : "log p(known) about"} ${short(mean)} nats. ${method[0].toUpperCase()}${method.slice(1)}${size}${rough}.`);
    }).catch((problem) => words.fail(problem.message));
  }

  page.hear(run, "edit", (values) => { if (values.length === input.values.length) input.values = values; });
  page.hear(run, "complete", (request) => {
    if (request.x.length !== input.values.length) return;
    drawing.request = request;
    draws.value = request.draws;
    particles.value = request.particles;
    begin(request);
  });
  const go = button("Complete", () => page.tell(run, "complete", {
    ...drawing.request, x: input.values, draws: Math.round(draws.value), particles: Math.round(particles.value),
  }), { main: true });
  const files = make("div", { class: "row", role: "group", "aria-label": "Files" },
    button("Save image.png", () => savePicture(run, input.values, "image.png")),
    button("Save known.png", () => savePicture({ about: { ...run.about, levels: 2 } }, input.values.map((value) => (value === null ? 0 : 1)), "known.png")),
    button("Save completions", () => done.forEach((each, i) => savePicture(run, each.values, `completed-${i + 1}.png`))));
  element.append(make("section", { class: "card", "aria-label": "Complete" }, make("h3", {}, "Complete what you paint, or what you leave of an image"),
    chooser, input, drawing, make("div", { class: "row" }, draws, particles, go), words, results, command, files));
}

/** One completion, as it is drawn. */
class Draw {
  constructor(run, parent, known, number) {
    this.run = run;
    this.number = number;
    this.values = [...known];
    this.order = run.about.order;
    this.left = known.filter((value) => value === null).length;
    this.canvas = make("canvas");
    this.caption = make("figcaption", {}, "waiting");
    parent.append(make("figure", {}, this.canvas, this.caption));
    this.show();
  }

  grow(steps) {
    if (this.order !== null) for (const [t, value] of steps) this.values[this.order[t]] = value;
    this.left -= steps.length;
    this.caption.textContent = this.left > 0 ? `${this.left} left` : "choosing";
    this.show();
  }

  finish(event) {
    this.values = event.x;
    const size = event.effective_sample_size;
    this.caption.textContent = event.exact ? "exact" : size === null ? "changed" : `ESS ${short(size)} of ${event.particles}`;
    this.show();
  }

  show() {
    picture(this.canvas, this.run, this.values, { size: 112, summary: `Completion ${this.number + 1}` });
  }
}
