// The shell: a panel for each run that is shown, whose scene draws itself into it.

import { loadRuns } from "./api.js";
import { checkbox, make, select } from "./controls.js";

const panels = document.getElementById("panels");
const choices = document.getElementById("choices");

/**
 * What scenes share. A scene says what it is asked for by `tell`, and does it where it hears it: so do all panels with
 * the same scene, as long as their inputs are linked, and two models are seen at work on the same input.
 */
class Page {
  constructor() {
    this.linked = true;
    this.heard = [];
  }

  /** Call `handler(detail)` whenever a panel of this scene tells `what`. */
  hear(run, what, handler) {
    this.heard.push({ run, what, handler });
  }

  /** Tell `what` to the run's own panel and, where inputs are linked, to others with this scene. */
  tell(run, what, detail) {
    for (const each of this.heard) {
      const own = each.run === run;
      if (each.what === what && (own || (this.linked && each.run.scene === run.scene))) each.handler(detail, own);
    }
  }
}

let current = null;  // the page that is shown: another may be chosen while one is being mounted

async function mount(runs, shown) {
  const page = new Page();
  current = page;
  panels.replaceChildren();
  panels.classList.toggle("single", shown.length === 1);
  choices.replaceChildren();
  if (runs.length > 1) {
    const names = runs.map((run) => [String(run.index), run.name]);
    const left = select("Run", names, { value: String(shown[0]), onChange: again });
    const right = select("Beside it", [["", "nothing"], ...names], { value: String(shown[1] ?? ""), onChange: again });
    const link = checkbox("Same input for both", { value: true, onChange: () => { page.linked = link.value; } });
    choices.append(left, right, link);
    function again() {
      mount(runs, [Number(left.value), ...(right.value === "" ? [] : [Number(right.value)])]);
    }
  }
  for (const index of shown) {
    const run = { ...runs[index] };
    const { model, parameters, data } = run.about;
    const panel = make("section", { class: "panel", "aria-label": run.name },
      make("div", { class: "card" }, make("h2", {}, run.name),
        make("p", { class: "hint" }, `${model}, ${parameters.toLocaleString("en")} parameters${data ? `, fitted on ${data}` : ""}`)));
    panels.append(panel);
    const scene = await import(`./scenes/${run.scene}.js`);
    if (page !== current) return;
    await scene.mount(panel, run, page);
    if (page !== current) return;
  }
}

try {
  const runs = await loadRuns();
  await mount(runs, runs.length > 1 ? [0, 1] : [0]);
} catch (problem) {
  panels.replaceChildren(make("p", { class: "error", role: "alert" }, problem.message));
}
