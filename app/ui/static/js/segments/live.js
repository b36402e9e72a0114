// Who is in it, while somebody builds: asked a moment after the last change, and whatever was asked before is dropped.

import { csrfToken } from "../requests.js";

const PATIENCE_MS = 350;

export class Live {
  /** `panel` shows the answer, `told` the sentence; `onerrors` gets {path: sentence} of what is not right yet. */
  constructor({ url, panel, told, purpose, onerrors }) {
    Object.assign(this, { url, panel, told, purpose, onerrors, timer: 0, asking: null });
  }

  ask(rule, soon = false) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#send(rule), soon ? 0 : PATIENCE_MS);
  }

  async #send(rule) {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.panel.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(this.url, {
        method: "POST", signal: asking.signal,
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        body: JSON.stringify({ rule, purpose: this.purpose() }),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      this.#show(await answer.json());
    } catch (error) {
      if (error.name === "AbortError") return; // something newer is under way
      this.panel.dataset.state = "trouble";
    }
    if (this.asking === asking) this.panel.removeAttribute("aria-busy");
  }

  #show({ html, errors }) {
    this.onerrors(errors);
    this.panel.dataset.state = Object.keys(errors).length ? "unfinished" : "fresh";
    if (html === undefined) return;
    const content = document.createElement("template");
    content.innerHTML = html; // our own server's fragment, escaped there
    const told = content.content.querySelector("template[data-told]");
    if (told) this.told.textContent = told.content.textContent;
    told?.remove();
    const count = content.content.querySelector(".seg-count")?.cloneNode(true) ?? "";
    for (const bar of document.querySelectorAll("[data-count]")) bar.replaceChildren(count);
    this.panel.querySelector("[data-fresh]").replaceChildren(content.content);
  }
}
