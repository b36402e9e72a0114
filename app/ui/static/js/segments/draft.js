// What was not saved yet survives a reload, in this tab alone; and whoever leaves with something unsaved is asked first.

const PATIENCE_MS = 250;

export class Draft {
  /** `read` gives what is in the form now, as {name, description, rule}. */
  constructor(key, read, { isUnsaved = false } = {}) {
    Object.assign(this, { key: `zaallicht.segment.${key}`, read, timer: 0, isSending: false });
    this.saved = isUnsaved ? "" : JSON.stringify(read());
    addEventListener("beforeunload", (event) => {
      if (this.isChanged && !this.isSending) event.preventDefault();
    });
    addEventListener("pagehide", () => this.#keep());
  }

  get isChanged() { return JSON.stringify(this.read()) !== this.saved; }

  /** Something changed: keep it in a moment. */
  touch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#keep(), PATIENCE_MS);
  }

  /** The form is on its way to the server. */
  send() {
    this.isSending = true;
    this.drop();
  }

  /** What was kept before, or null: {fields, isOfThis} where isOfThis says that nobody saved another version since. */
  kept() {
    try {
      const { base, fields } = JSON.parse(sessionStorage.getItem(this.key));
      return JSON.stringify(fields) === this.saved ? null : { fields, isOfThis: base === this.saved };
    } catch {
      return null;
    }
  }

  drop() {
    clearTimeout(this.timer);
    try { sessionStorage.removeItem(this.key); } catch { /* a browser that keeps nothing has nothing to drop */ }
  }

  #keep() {
    clearTimeout(this.timer);
    if (this.isSending) return;
    if (!this.isChanged) { this.drop(); return; }
    const kept = JSON.stringify({ base: this.saved, fields: this.read() });
    try { sessionStorage.setItem(this.key, kept); } catch { /* without storage, only the warning is left */ }
  }
}
