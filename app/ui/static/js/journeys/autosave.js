// Keeps the draft at the server a moment after each change: one question at a time, the newest state always last. When
// somebody else changed the journey meanwhile nothing is written over, and a lost connection is tried again.

import { csrfToken } from "../requests.js";

const PATIENCE_MS = 450;
const AGAIN_MS = 4000;

export class Autosave {
  /** `read()` gives the definition; `onanswer` gets what the server tells; `onstate` saved, saving, waiting, refused or
   * changed (with the server's answer). */
  constructor({ url, edition, read, onanswer, onstate }) {
    Object.assign(this, { url, edition, read, onanswer, onstate, timer: 0, isBusy: false, isStopped: false });
    this.kept = JSON.stringify(read());
    addEventListener("beforeunload", (event) => { if (this.isBehind) event.preventDefault(); });
    addEventListener("online", () => { if (this.isBehind) this.touch(0); });
  }

  get isBehind() { return JSON.stringify(this.read()) !== this.kept; }

  touch(later = PATIENCE_MS) {
    clearTimeout(this.timer);
    if (this.isStopped) return;
    if (this.isBehind && later === PATIENCE_MS) this.onstate("saving");
    this.timer = setTimeout(() => this.#send(), later);
  }

  /** Sends now what is not kept yet, and says whether everything is. */
  async settle() {
    clearTimeout(this.timer);
    while (this.isBusy) await new Promise((go) => { setTimeout(go, 50); });
    if (this.isBehind && !this.isStopped) await this.#send();
    return !this.isBehind;
  }

  /** Goes on from what somebody else kept: what is here is written over it. */
  insist(edition) {
    this.edition = edition;
    this.isStopped = false;
    this.touch(0);
  }

  async #send() {
    if (this.isBusy) { this.touch(); return; }
    const definition = this.read(), text = JSON.stringify(definition);
    this.isBusy = true;
    this.onstate("saving");
    try {
      const response = await fetch(this.url, {
        method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken(), Accept: "application/json" },
        body: JSON.stringify({ definition, edition: this.edition }),
      });
      await this.#take(response, text);
    } catch {
      this.onstate("waiting");
      this.touch(AGAIN_MS);
    } finally {
      this.isBusy = false;
    }
  }

  async #take(response, text) {
    const answer = response.headers.get("Content-Type")?.includes("json") ? await response.json() : {};
    if (response.ok) {
      Object.assign(this, { edition: answer.edition, kept: text });
      this.onanswer(answer);
      this.onstate(this.isBehind ? "saving" : "saved");
      return;
    }
    if (response.status >= 500) throw new Error(String(response.status));
    this.isStopped = response.status === 409;
    this.onstate(response.status === 409 ? "changed" : "refused", answer);
  }
}
