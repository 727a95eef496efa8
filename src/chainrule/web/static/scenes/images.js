// The scene of images: samples that grow, completions, surprisals, and what a pixel depends on.

import { mountComplete } from "./images/complete.js";
import { mountSample } from "./images/sample.js";
import { mountSurprisal } from "./images/surprisal.js";

/** Show a run on images in `element`. */
export function mount(element, run, page) {
  mountSample(element, run, page);
  mountComplete(element, run, page);
  mountSurprisal(element, run, page);
}
