// The scene of images: samples that grow, completions, surprisals, and what a pixel depends on.

import { CompleteCard } from "./images/complete.js";
import { SampleCard } from "./images/sample.js";
import { SurprisalCard } from "./images/surprisal.js";

/** Show a run on images in `element`. */
export function mount(element, run, page) {
  for (const Card of [SampleCard, CompleteCard, SurprisalCard]) new Card(element, run, page);
}
