// Files that come in, dropped or chosen, and files that go out.

import { download, make } from "../controls.js";
import { colour } from "../plots.js";

const LARGEST = 3 * 2 ** 20;

/** A place to drop a file, or to choose one; `onFile(file)` takes it, `fail(words)` says why not. */
export function fileDrop(text, accept, onFile, fail) {
  const take = (file) => {
    if (file.size > LARGEST) fail(`expected a file of at most ${LARGEST / 2 ** 20} MiB, got ${(file.size / 2 ** 20).toFixed(1)} MiB`);
    else onFile(file);
  };
  const input = make("input", { type: "file", accept, change: () => { if (input.files.length) take(input.files[0]); input.value = ""; } });
  const element = make("div", {
    class: "drop",
    dragover: (event) => { event.preventDefault(); element.classList.add("over"); },
    dragleave: () => element.classList.remove("over"),
    drop: (event) => {
      event.preventDefault();
      element.classList.remove("over");
      if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    },
  }, make("label", {}, text, input));
  return element;
}

/** Bytes (an ArrayBuffer or a view of one) as base64. */
export function toBase64(bytes) {
  const view = new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength);
  let text = "";
  for (let i = 0; i < view.length; i += 0x8000) text += String.fromCharCode(...view.subarray(i, i + 0x8000));
  return btoa(text);
}

/** The bytes that base64 stands for. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** The lines of a CSV file. */
export function csv(rows) {
  const cell = (value) => (/[",\n\r]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}

/** Save what a canvas shows, on the page's ground, as PNG. */
export function savePlot(canvas, name) {
  const copy = make("canvas", { width: canvas.width, height: canvas.height }), context = copy.getContext("2d");
  context.fillStyle = colour("--card");
  context.fillRect(0, 0, copy.width, copy.height);
  context.drawImage(canvas, 0, 0);
  copy.toBlob((blob) => download(name, blob));
}
