// The draft is saved a moment after every change. What the server refuses or cannot be reached for stays here, marked, and
// is tried again; nobody's words are written over: when somebody else was ahead, the person chooses.

import { csrfToken } from "../requests.js";

const PATIENCE_MS = 700;
const AGAIN_MS = 4000;

export class Saving {
  /** `read()` gives the content; `onstate(state, details)`: saving, saved, errors, offline, stale, closed. */
  constructor({ url, edition, read, onstate }) {
    Object.assign(this, { url, edition, read, onstate, timer: 0, isBusy: false, isStopped: false });
    this.saved = JSON.stringify(read());
    addEventListener("beforeunload", (event) => {
      if (!this.isDirty || this.isLeaving) return;
      this.send(); // whoever stays finds it saved
      event.preventDefault();
    });
    addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden" && !this.isLeaving) this.send(); });
  }

  get isDirty() { return JSON.stringify(this.read()) !== this.saved; }

  touch() {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    this.onstate("saving");
    this.timer = setTimeout(() => this.send(), PATIENCE_MS);
  }

  /** Saves now where there is something to save. Returns whether all is saved. */
  async send() {
    clearTimeout(this.timer);
    if (this.isStopped) return false;
    if (this.isBusy) { this.touch(); return false; }
    const body = JSON.stringify(this.read());
    if (body === this.saved) { this.onstate("saved"); return true; }
    this.isBusy = true;
    this.onstate("saving");
    try {
      const posting = this.#post(body);
      this.underway = posting.catch(() => false);
      return await posting;
    } catch {
      this.onstate("offline");
      this.timer = setTimeout(() => this.send(), AGAIN_MS);
      return false;
    } finally {
      this.isBusy = false;
      if (this.isDirty && this.wasSaved) this.touch();
    }
  }

  /** Saves until nothing is left to save, or it cannot be saved. */
  async finish() {
    while (this.isDirty) {
      if (this.isBusy) await this.underway;
      else if (!await this.send()) return;
    }
  }

  async #post(body) {
    this.wasSaved = false;
    const answer = await fetch(this.url, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: `{"edition":${this.edition},"content":${body}}` });
    const said = await answer.json();
    if (answer.ok) {
      this.edition = said.edition;
      this.saved = body;
      this.wasSaved = true;
      this.onstate("saved", said);
      return true;
    }
    if (answer.status === 422) this.onstate("errors", said.errors);
    else if (answer.status === 409) {
      this.isStopped = true;
      this.onstate(said.problem === "stale" ? "stale" : "closed", said);
    } else throw new Error(String(answer.status));
    return false;
  }

  /** The page is left on purpose. */
  leave() { this.isLeaving = true; }
}
