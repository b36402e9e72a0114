// Who is in it, while somebody builds: asked a moment after the last change. Whatever was asked before is dropped here,
// and the server stops counting it, because each builder has a name of its own and only its last question counts.

import { csrfToken } from "../requests.js";

const PATIENCE_MS = 350;
export const newName = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Sends JSON and gives back the answer's JSON; anything but success is an error. */
export async function post(url, body, signal) {
  const answer = await fetch(url, {
    method: "POST", signal, headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() }, body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

export class Live {
  /** `about()` gives what to ask; `onanswer` gets {errors, notes, slow, html, count}, `onsteps` {of, steps, told}, and null while they are counted; `onstate` a word. */
  constructor({ url, about, onanswer, onsteps, onstate }) {
    Object.assign(this, { url, about, onanswer, onsteps, onstate, timer: 0, asking: null, name: newName() });
  }

  ask(soon = false) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(), soon ? 0 : PATIENCE_MS);
  }

  async #send() {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const asked = { ...this.about(), asked_by: this.name };
    this.onstate("busy");
    try {
      const answer = await post(this.url, asked, asking.signal);
      this.onanswer(answer);
      const isFinished = Object.keys(answer.errors).length === 0;
      this.onstate(isFinished ? "fresh" : "unfinished");
      if (!isFinished) return;
      this.onsteps(null);
      this.onsteps(await post(`${this.url}/counts`, asked, asking.signal));
    } catch (error) {
      if (error.name === "AbortError") return; // something newer is under way
      this.onstate("trouble");
    }
  }
}
