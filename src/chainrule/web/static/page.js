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

/** Show the runs at the indices `shown`; all of them are there at once. */
async function mount(runs, shown) {
  const scenes = await Promise.all(shown.map((index) => import(`./scenes/${runs[index].scene}.js`)));
  const page = new Page();
  panels.replaceChildren();
  panels.classList.toggle("single", shown.length === 1);
  choices.replaceChildren(...(runs.length > 1 ? chooser(runs, shown, page) : []));
  shown.forEach((index, i) => {
    const run = { ...runs[index] };
    const { model, parameters, data } = run.about;
    const panel = make("section", { class: "panel", "aria-label": run.name },
      make("div", { class: "card" }, make("h2", {}, run.name),
        make("p", { class: "hint" }, `${model}, ${parameters.toLocaleString("en")} parameters${data ? `, fitted on ${data}` : ""}`)));
    panels.append(panel);
    scenes[i].mount(panel, run, page);
  });
  document.body.dataset.ready = shown.join();
}

/** The choice of the run that is shown, and of the one beside it. */
function chooser(runs, shown, page) {
  const names = runs.map((run) => [String(run.index), run.name]);
  const again = () => mount(runs, [Number(left.value), ...(right.value === "" ? [] : [Number(right.value)])]);
  const left = select("Run", names, { value: String(shown[0]), onChange: again });
  const right = select("Beside it", [["", "nothing"], ...names], { value: String(shown[1] ?? ""), onChange: again });
  const link = checkbox("Same input for both", { value: true, onChange: () => { page.linked = link.value; } });
  return [left, right, link];
}

// A file that is dropped beside what takes it must not replace the page.
for (const type of ["dragover", "drop"]) document.addEventListener(type, (event) => event.preventDefault());

try {
  const runs = await loadRuns();
  await mount(runs, runs.length > 1 ? [0, 1] : [0]);
} catch (problem) {
  panels.replaceChildren(make("p", { class: "error", role: "alert" }, problem.message));
}
