// The command that does the same as an action, with the files that it reads.

import { button, commandLine, download, make } from "../controls.js";

/** A command line, or why there is none, with a button for each file that it reads: `.take(event)`. */
export function commandWithFiles() {
  const line = commandLine(), why = make("p", { class: "hint", hidden: true }), files = make("div", { class: "row" });
  const element = make("div", {}, line, why, files);
  element.take = ({ command, why: words, files: texts = {} }) => {
    if (command === undefined) return;
    line.hidden = command === null;
    why.hidden = command !== null;
    if (command !== null) line.show(command);
    else why.textContent = `No command does the same: ${words}.`;
    files.replaceChildren(...Object.entries(texts).map(([name, text]) => button(`Save ${name}`, () => download(name, text))));
  };
  return element;
}
