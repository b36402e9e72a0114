// How the mail looks, as anybody of the house's people would see it, and what is to be mended.

import { h, icon } from "../segments/elements.js";
import { csrfToken } from "../requests.js";
import { getJson } from "./pickers.js";

const PATIENCE_MS = 250;
// Wider than where a mail puts its columns below one another.
const DESKTOP_PX = 660;
const SEVERITIES = [["stop", "stops", "error"], ["look", "looks", "warning"], ["hint", "hints", "info"]];

export class Preview {
  /** `about()` gives {id, variant, language}. */
  constructor({ about }) {
    Object.assign(this, { about, shown: "desktop", isDark: false, person: "", frame: document.getElementById("preview") });
    for (const each of document.querySelectorAll("[data-shown]")) each.addEventListener("click", () => this.show(each.dataset.shown));
    new ResizeObserver(() => this.#fit(this.frame)).observe(this.frame.parentElement);
    const dark = document.getElementById("dark");
    dark.addEventListener("click", () => { this.isDark = !this.isDark; dark.setAttribute("aria-pressed", String(this.isDark)); this.refresh(); });
  }

  show(shown) {
    this.shown = shown;
    for (const each of document.querySelectorAll("[data-shown]")) each.setAttribute("aria-pressed", String(each.dataset.shown === shown));
    this.frame.parentElement.dataset.shown = shown;
    this.#fit(this.frame);
    this.refresh();
  }

  /** As wide as a computer shows it, made as small as there is room for. */
  #fit(frame) {
    const room = this.frame.parentElement.clientWidth;
    const scale = this.shown === "desktop" && room ? Math.min(1, room / DESKTOP_PX) : 1;
    frame.style.setProperty("--mc-scale", String(scale));
    frame.style.setProperty("--mc-width", scale < 1 ? `${DESKTOP_PX}px` : "100%");
  }

  refresh() {
    const { id, variant, language } = this.about();
    const asked = new URLSearchParams({ variant, language, v: String(Date.now()) });
    if (this.person) asked.set("person", this.person);
    if (this.isDark) asked.set("dark", "1");
    if (this.shown === "text") asked.set("as", "text");
    this.frame.classList.toggle("is-dark", this.isDark && this.shown !== "text");
    // Replaced, not navigated: the back button stays the page's own.
    const next = h("iframe", { class: this.frame.className, id: "preview", title: this.frame.title, src: `/mailings/${id}/preview?${asked}` });
    next.setAttribute("sandbox", "");
    this.#fit(next);
    next.style.visibility = "hidden";
    next.addEventListener("load", () => { if (this.coming !== next) return; this.frame.remove(); this.frame = next; next.style.visibility = ""; next.classList.remove("is-coming"); });
    this.coming?.isConnected && this.coming !== this.frame && this.coming.remove();
    this.coming = next;
    next.classList.add("is-coming");
    this.frame.after(next);
  }
}

/** Looking through the eyes of one of the house's people. */
export function personSearch(words, choose) {
  const field = document.getElementById("as-person"), list = document.getElementById("as-found");
  let timer = 0, at = -1;
  const close = () => { list.hidden = true; field.setAttribute("aria-expanded", "false"); at = -1; };
  const take = (person) => { field.value = person ? person.words : ""; close(); choose(person ? String(person.id) : ""); };
  const look = async () => {
    const { people } = await getJson(`/mailings/people?q=${encodeURIComponent(field.value)}`).catch(() => ({ people: [] }));
    list.replaceChildren(...(people.length ? people.map((person, place) => h("li", { id: `as-${place}`, role: "option", onmousedown: (event) => { event.preventDefault(); take(person); } }, person.words)) : [h("li", { class: "zl-soft" }, words.no_one_found)]));
    list.people = people;
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
  };
  field.addEventListener("input", () => { clearTimeout(timer); if (!field.value.trim()) take(null); else timer = setTimeout(look, PATIENCE_MS); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (list.hidden || !list.people?.length) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + list.people.length) % list.people.length;
      [...list.children].forEach((each, place) => each.setAttribute("aria-selected", String(place === at)));
      field.setAttribute("aria-activedescendant", `as-${at}`);
    } else if (event.key === "Enter") { event.preventDefault(); take(list.people[Math.max(at, 0)]); }
  });
}

export class Checks {
  constructor({ id, words, languages, jump }) {
    Object.assign(this, { id, words, languages, jump, findings: [], links: [] });
    const asking = document.getElementById("ask-links");
    asking.addEventListener("click", () => this.#askLinks(asking));
  }

  async refresh() {
    const mine = (this.asked = (this.asked ?? 0) + 1);
    const answer = await getJson(`/mailings/${this.id}/checks`).catch(() => null);
    if (!answer || mine !== this.asked) return;
    this.findings = answer.findings;
    this.#draw();
  }

  async #askLinks(asking) {
    asking.disabled = true;
    this.told = this.words.checked_links;
    this.#draw();
    try {
      const answer = await fetch(`/mailings/${this.id}/links`, { method: "POST", headers: { "X-CSRFToken": csrfToken() } });
      const said = await answer.json();
      this.links = said.findings ?? [];
      this.told = said.title;
    } catch { this.told = this.words.trouble; }
    asking.disabled = false;
    this.#draw();
  }

  #draw() {
    const all = [...this.findings, ...this.links], { words } = this;
    const count = all.filter((each) => each.severity !== "hint").length;
    for (const place of document.querySelectorAll("[data-count]")) { place.textContent = count || ""; place.classList.toggle("is-stop", all.some((each) => each.severity === "stop")); }
    const groups = SEVERITIES.map(([severity, label, symbol]) => {
      const found = all.filter((each) => each.severity === severity);
      return found.length && h("div", { class: `mc-findings is-${severity}` }, h("h3", { class: "seg-small-head" }, icon(symbol), words[label]),
        h("ul", {}, found.map((each) => h("li", {}, this.#where(each), each.words, " ",
          (each.block || each.language) && h("button", { type: "button", class: "btn btn-quiet btn-sm mc-jump", onclick: () => this.jump(each) }, words.go_to)))));
    });
    document.getElementById("checks").replaceChildren(...[this.told && h("p", { class: "zl-soft" }, this.told),
      all.length ? null : h("p", { class: "mc-fine" }, icon("check"), words.checks_fine), ...groups].filter(Boolean));
  }

  #where({ variant, language }) {
    const where = [variant && this.hasVariants ? variant : "", language ? language.toUpperCase() : ""].filter(Boolean).join(" ");
    return where ? h("span", { class: "mc-where" }, where) : null;
  }
}
