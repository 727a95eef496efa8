// The card on which an image is painted or erased, and completed.

import { post } from "../../api.js";
import { button, commandLine, make, number, said } from "../../controls.js";
import { short } from "../../plots.js";
import { Editor } from "./editor.js";
import { exampleChooser } from "./example.js";
import { drawingControls, picture, savePicture, understood } from "./picture.js";

const ROUGH = 2;

/** The card; linked panels with images of the same size complete the same. */
export class CompleteCard {
  constructor(element, run, page) {
    this.run = run;
    this.page = page;
    this.stop = new AbortController();
    this.draws = [];
    this.build(element);
    page.hear(run, "edit", (values) => { if (values.length === this.editor.values.length) this.editor.values = values; });
    page.hear(run, "complete", (request) => { if (request.x.length === this.editor.values.length) this.begin(request); });
  }

  build(element) {
    const { run, page } = this;
    this.words = said();
    this.command = commandLine();
    this.results = make("div", { class: "pictures" });
    this.controls = drawingControls(run);
    this.count = number("Draws", { value: 4, min: 1, max: 16 });
    this.particles = number("Particles", { value: 64, min: 1, max: 1024 });
    this.editor = new Editor(run, () => page.tell(run, "edit", this.editor.values));
    const chooser = exampleChooser(run, (values, _, named) => {
      page.tell(run, "edit", values);
      this.words.say(`Took ${named}. Erase a part of it, and complete it.`);
    }, this.words);
    const go = button("Complete", () => this.ask(), { main: true });
    element.append(make("section", { class: "card", "aria-label": "Complete" },
      make("h3", {}, "Complete what you paint, or what you leave of an image"), chooser, this.editor.element, this.controls,
      make("div", { class: "row" }, this.count, this.particles, go), this.words, this.results, this.command, this.files()));
  }

  /** Buttons that save what the command reads, and the completions. */
  files() {
    const { run, editor } = this;
    const known = () => editor.values.map((value) => (value === null ? 0 : 1));
    return make("div", { class: "row", role: "group", "aria-label": "Files" },
      button("Save image.png", () => savePicture(run, editor.values, "image.png")),
      button("Save known.png", () => savePicture({ about: { ...run.about, levels: 2 } }, known(), "known.png")),
      button("Save completions", () => this.draws.forEach((each, i) => savePicture(run, each.values, `completed-${i + 1}.png`))));
  }

  ask() {
    this.page.tell(this.run, "complete", {
      ...this.controls.request, x: this.editor.values, draws: Math.round(this.count.value), particles: Math.round(this.particles.value),
    });
  }

  begin(request) {
    this.stop.abort();
    this.stop = new AbortController();
    this.controls.request = request;
    this.count.value = request.draws;
    this.particles.value = request.particles;
    this.results.replaceChildren();
    this.words.say("Completing …");
    this.draws = Array.from({ length: request.draws }, (_, i) => new Draw(this.run, this.results, request.x, i));
    post(this.run, "complete", understood(this.run, request), (event) => this.receive(event), this.stop.signal)
      .then((ended) => { if (ended) this.words.say(this.sentence(request)); })
      .catch((problem) => this.words.fail(problem.message));
  }

  receive(event) {
    this.words.say(event.waiting ? "Waiting for other pages …" : "Completing …");
    if (event.command) this.command.show(event.command);
    if (event.steps) this.draws[event.draw].grow(event.steps);
    if (event.x) this.draws[event.draw].finish(event);
  }

  /** How the completions were drawn, and how well. */
  sentence(request) {
    const events = this.draws.map((each) => each.event);
    const known = request.x.filter((value) => value !== null).length;
    const sizes = events.map((event) => event.effective_sample_size).filter((size) => size !== null);
    const mean = events.reduce((sum, event) => sum + event.log_evidence, 0) / events.length;
    const [{ method, particles }] = events;
    const evidence = `${known} of ${request.x.length} values known, log p(known) ${particles === null ? "=" : "about"} ${short(mean)} nats`;
    const size = sizes.length ? `; effective sample size ${short(Math.min(...sizes))} to ${short(Math.max(...sizes))} of ${particles}` : "";
    const rough = sizes.some((each) => each < ROUGH) ? ". That is too few: these completions are rough, use more particles" : "";
    return `${evidence}. ${method[0].toUpperCase()}${method.slice(1)}${size}${rough}.`;
  }
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
    const size = event.effective_sample_size;
    this.event = event;
    this.values = event.x;
    this.caption.textContent = event.exact ? "exact" : size === null ? "changed" : `ESS ${short(size)} of ${event.particles}`;
    this.show();
  }

  show() {
    picture(this.canvas, this.run, this.values, { size: 112, summary: `Completion ${this.number + 1}` });
  }
}
