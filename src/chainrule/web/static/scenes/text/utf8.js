// Bytes as a reader sees them: the last byte of a character in UTF-8 is the character, those before it are dots.

const DOT = "·";

/** Reads bytes one after the other; `.mark(byte)` is what stands for each, or undefined for ASCII, which stands for itself. */
export class Utf8 {
  constructor(bytes = []) {
    this.held = [];
    for (const byte of bytes) this.mark(byte);
  }

  mark(byte) {
    const size = [0xc2, 0xe0, 0xf0, 0xf5].findIndex((first) => byte < first) + 1;
    if (byte < 0x80) {
      this.held = [];
      return undefined;
    }
    if (byte >= 0xc2 && size > 1) {
      this.held = [byte];
      this.size = size;
      return DOT;
    }
    if (byte >= 0xc0 || this.held.length === 0) return hex(byte);
    this.held.push(byte);
    if (this.held.length < this.size) return DOT;
    const bytes = Uint8Array.from(this.held);
    this.held = [];
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return hex(byte);
    }
  }
}

/** What a byte would be after others, if it ended a character; else its number. */
export function endOf(bytes, byte) {
  const mark = new Utf8(bytes).mark(byte);
  return mark === DOT ? hex(byte) : mark;
}

function hex(byte) {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
