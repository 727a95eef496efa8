// A row of a table as a form: a field for each column, with the distribution of the cell where it is unknown.

import { button, checkbox, make } from "../../controls.js";
import { Distribution } from "./distribution.js";

const LISTED = 60;  // so many choices are a list to choose from; more are typed
const SHOWN = 48;  // so many columns are shown at once; others are found by name

let serial = 0;

export class Form {
  /** A form of `columns`; `onChange` is called when a person changes a cell. */
  constructor(columns, onChange) {
    this.onChange = onChange;
    this.fields = columns.map((column) => new Field(column, () => { this.forget(); onChange(); }));
    this.element = make("div", {}, this.finder(), make("div", { class: "cells" }, ...this.fields.map((field) => field.element)));
  }

  /** A field that finds columns by name, where there are many. */
  finder() {
    if (this.fields.length <= SHOWN) return null;
    const input = make("input", { type: "search", autocomplete: "off", input: () => this.find(input.value) });
    this.count = make("span", { class: "hint", "aria-live": "polite" });
    this.find("");
    return make("div", { class: "row" }, make("label", {}, "Find columns", input), this.count);
  }

  /** Show the first columns whose names have `words`, and those that are filled. */
  find(words) {
    const found = this.fields.filter((field) => field.column.name.toLowerCase().includes(words.trim().toLowerCase()));
    const shown = new Set(found.slice(0, SHOWN));
    for (const field of this.fields) field.element.hidden = !shown.has(field) && field.text === null;
    this.count.textContent = `${found.length} of ${this.fields.length} columns${found.length > SHOWN ? `, of which ${SHOWN} are shown` : ""}`;
  }

  /** The filled cells: text by column, "" for one that is known to be empty. */
  get cells() {
    const filled = this.fields.filter((field) => field.text !== null);
    return Object.fromEntries(filled.map((field) => [field.column.name, field.text]));
  }

  /** Fill the form without telling anyone. */
  fill(cells) {
    this.forget();
    for (const field of this.fields) field.text = cells[field.column.name] ?? null;
  }

  /** Fill the form, and tell. */
  change(cells) {
    this.fill(cells);
    this.onChange();
  }

  wait() {
    for (const field of this.fields) field.wait();
  }

  /** Show the distributions of unknown cells, beside those that they have where nothing is filled. */
  show(distributions, conditional) {
    for (const field of this.fields) field.show(distributions[field.column.name] ?? null, conditional);
  }

  /** Say what was expected in filled cells: `{column: {words, unusual}}`. */
  judge(verdicts) {
    for (const field of this.fields) field.judge(verdicts[field.column.name] ?? null);
  }

  /** Say of filled cells that training did not have their values: `{column: words}`. */
  note(notes) {
    for (const field of this.fields) field.note(notes[field.column.name] ?? "");
  }

  forget() {
    this.judge({});
  }
}

class Field {
  constructor(column, onChange) {
    this.column = column;
    this.onChange = onChange;
    serial += 1;
    const id = `cell-${serial}`;
    this.empty = column.missing && !column.choices ? checkbox("empty", { onChange: () => { this.input.value = ""; onChange(); } }) : null;
    this.input = column.choices && column.choices.length <= LISTED ? this.chooser(id) : this.typed(id);
    this.unseen = make("p", { class: "unseen", id: `${id}-unseen`, "aria-live": "polite" });
    this.input.setAttribute("aria-describedby", this.unseen.id);
    this.verdict = make("p", { class: "verdict", hidden: true });
    this.clear = button("Unknown", () => { this.text = null; onChange(); }, { "aria-label": `Make ${column.name} unknown` });
    this.distribution = new Distribution(column, (value) => { this.text = value; onChange(); });
    this.element = make("div", { class: "cell", role: "group", "aria-label": column.name },
      make("div", { class: "cell-head" }, make("label", { for: id }, column.name), make("span", { class: "hint" }, hint(column))),
      make("div", { class: "cell-row" }, this.input, this.empty, this.clear), this.unseen, this.verdict, this.distribution.element);
    this.mark();
  }

  chooser(id) {
    const choices = [["", "unknown"], ...(this.column.missing ? [["=", "empty"]] : []), ...this.column.choices.map((word) => [`=${word}`, word])];
    return make("select", { id, change: () => this.onChange() }, ...choices.map(([value, words]) => make("option", { value }, words)));
  }

  typed(id) {
    const list = this.column.choices ? make("datalist", { id: `${id}-list` }, ...this.column.choices.map((value) => make("option", { value }))) : null;
    const input = make("input", { id, type: "text", placeholder: this.column.example ? `unknown, e.g. ${this.column.example}` : "unknown",
      autocomplete: "off", maxlength: 1000, list: list && list.id,
      input: () => { if (this.empty) this.empty.value = false; this.onChange(); } });
    if (list) input.append(list);
    return input;
  }

  /** The text of the cell, "" where it is known to be empty, null where it is unknown. */
  get text() {
    if (this.input.tagName === "SELECT") return this.input.value === "" ? null : this.input.value.slice(1);
    if (this.empty && this.empty.value) return "";
    return this.input.value.trim() === "" ? null : this.input.value.trim();
  }

  set text(text) {
    if (this.input.tagName === "SELECT") this.choose(text);
    else {
      this.input.value = text ?? "";
      if (this.empty) this.empty.value = text === "";
    }
    this.mark();
  }

  choose(text) {
    const value = text === null ? "" : `=${text}`;
    if (![...this.input.options].some((option) => option.value === value)) this.input.append(make("option", { value }, text));
    this.input.value = value;
  }

  mark() {
    const filled = this.text !== null;
    this.element.classList.toggle("filled", filled);
    this.clear.hidden = !filled;
  }

  wait() {
    this.mark();
    this.distribution.element.classList.add("waiting");
  }

  show(distribution, conditional) {
    this.distribution.show(this.text === null ? distribution : null, conditional);
  }

  note(words) {
    if (this.unseen.textContent !== words) this.unseen.textContent = words;
  }

  judge(verdict) {
    this.verdict.hidden = verdict === null;
    this.verdict.textContent = verdict === null ? "" : verdict.words;
    this.verdict.classList.toggle("error", verdict !== null && verdict.unusual);
  }
}

function hint(column) {
  return column.choices || !column.words ? column.kind : `${column.kind}, ${column.words.replace("; may be missing", "")}`;
}
