// Pickers: fields that propose what is really there (genres, venues, activities, …) while somebody types. The list is a
// listbox that the field controls (ARIA combobox): arrows choose, Enter takes, Escape closes.

import { h, iconButton } from "./elements.js";

const PATIENCE_MS = 180;
const BY_NUMBER = ["activities", "segments", "journeys"]; // known by number, shown by name
const known = new Map(); // "kind value" -> label, for values that have a name

let timer = 0;
let asking = null;
let field = null; // the field whose list is open
let found = [];
let active = -1;

/** Remember what a value is called, such as an activity's title. */
export function name(kind, value, label) {
  known.set(`${kind} ${value}`, label);
}

export const nameOf = (kind, value) => known.get(`${kind} ${value}`) ?? String(value);

const list = h("ul", { class: "seg-suggestions", id: "segment-suggestions", role: "listbox", hidden: true });
list.addEventListener("pointerdown", (event) => {
  event.preventDefault(); // the field keeps the focus
  const option = event.target.closest("[data-index]");
  if (option) take(Number(option.dataset.index));
});

async function propose(input) {
  asking?.abort();
  asking = new AbortController();
  const kind = input.dataset.suggests;
  // In a field for several words, what is being typed stands behind the last comma.
  const typed = "several" in input.dataset ? input.value.split(",").at(-1).trim() : input.value.trim();
  try {
    const url = `/segments/suggestions/${encodeURIComponent(kind)}?q=${encodeURIComponent(typed)}`;
    const answer = await fetch(url, { signal: asking.signal, headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const values = await answer.json();
    for (const { value, label } of values) if (value !== label) name(kind, value, label);
    if (document.activeElement === input) show(input, values);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

function show(input, values) {
  (input.closest("dialog") ?? document.body).append(list);
  field = input;
  found = values;
  active = -1;
  list.replaceChildren(...values.map(({ label, about }, index) =>
    h("li", { role: "option", id: `segment-suggestion-${index}`, "data-index": String(index), "aria-selected": "false" }, label, about ? h("small", {}, about) : "")));
  list.hidden = values.length === 0;
  list.setAttribute("aria-label", input.getAttribute("aria-label") ?? input.labels?.[0]?.textContent ?? "");
  input.setAttribute("aria-expanded", String(!list.hidden));
  input.removeAttribute("aria-activedescendant");
  lay();
}

/** Under the field, or above it where there is more room; as wide as the field at least. */
function lay() {
  if (list.hidden || !field) return;
  const box = field.getBoundingClientRect();
  const width = Math.max(box.width, Math.min(320, innerWidth - 16));
  const isAbove = box.bottom + list.offsetHeight > innerHeight && box.top > list.offsetHeight;
  list.style.width = `${width}px`;
  list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8)) + scrollX}px`;
  list.style.top = `${(isAbove ? box.top - list.offsetHeight - 4 : box.bottom + 4) + scrollY}px`;
}

function close() {
  clearTimeout(timer);
  asking?.abort();
  list.hidden = true;
  field?.setAttribute("aria-expanded", "false");
  field?.removeAttribute("aria-activedescendant");
  field = null;
  active = -1;
}

function point(index) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = (index + found.length) % found.length;
  const option = list.children[active];
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", option.id);
}

/** Puts a proposal in the field, and tells whoever listens for "suggestion" there. */
function take(index) {
  const input = field, { value, label } = found[index];
  close();
  if ("several" in input.dataset) {
    const before = input.value.split(",").slice(0, -1).map((word) => word.trim());
    input.value = [...before, label].join(", ");
  } else input.value = label;
  const isHandled = !input.dispatchEvent(new CustomEvent("suggestion", { detail: { value, label }, cancelable: true }));
  if (!isHandled) for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
  close();
}

const isPicker = (element) => Boolean(element.matches?.("input[data-suggests]"));

function askSoon(input) {
  clearTimeout(timer);
  timer = setTimeout(propose, PATIENCE_MS, input);
}

// The list opens for whoever types, clicks or presses the arrow down; merely coming by covers nothing up.
for (const kind of ["input", "click"]) {
  document.addEventListener(kind, (event) => { if (isPicker(event.target)) askSoon(event.target); });
}
document.addEventListener("focusin", ({ target }) => {
  if (!isPicker(target) || target.getAttribute("role") === "combobox") return;
  const roles = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [key, value] of Object.entries(roles)) target.setAttribute(key, value);
});
document.addEventListener("focusout", (event) => {
  clearTimeout(timer);
  if (event.target === field) close();
});
// Before the field's own listeners: Enter takes a proposal instead of what was typed.
document.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && isPicker(event.target) && (event.target !== field || list.hidden)) {
    event.preventDefault();
    askSoon(event.target);
    return;
  }
  if (event.target !== field || list.hidden) return;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    point(active === -1 && event.key === "ArrowUp" ? -1 : active + (event.key === "ArrowDown" ? 1 : -1));
  } else if ((event.key === "Enter" || event.key === "Tab") && active >= 0) {
    event.preventDefault();
    event.stopPropagation();
    take(active);
  } else if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    close();
  }
}, { capture: true });
for (const kind of ["scroll", "resize"]) addEventListener(kind, lay, { passive: true });

/** Several values as chips, with a field to add one. onchange gets the new list. */
export function chips(words, label, kind, values, onchange, key) {
  const add = (input) => {
    const typed = input.value.trim();
    const value = typed ? byLabel(kind, typed) : undefined;
    if (value === undefined) return;
    input.value = "";
    if (!values.includes(value)) onchange([...values, value]);
  };
  return h("span", { class: "seg-chips" },
    values.map((value) => h("span", { class: "seg-chip" }, nameOf(kind, value),
      iconButton(`${words.remove}: ${nameOf(kind, value)}`, "close", () => onchange(values.filter((one) => one !== value)), `${key}-${value}-off`))),
    h("input", { class: "form-control seg-text", "aria-label": label, "data-key": key, "data-suggests": kind,
      placeholder: values.length ? words.or_another : words.type_or_choose, autocomplete: "off",
      onchange: (event) => add(event.target),
      onsuggestion: (event) => { event.preventDefault(); add(event.target); },
      onkeydown: (event) => {
        if (event.key === "Enter") { event.preventDefault(); add(event.target); }
        if (event.key === "Backspace" && !event.target.value && values.length) onchange(values.slice(0, -1));
      } }));
}

/** One value that is known by number and chosen by name. onchange gets the number, or null while there is none. */
export function picked(label, kind, value, onchange, key) {
  const shown = value === null || value === undefined ? "" : nameOf(kind, value);
  const choose = (input) => {
    const chosen = input.value.trim() ? byLabel(kind, input.value.trim()) ?? null : null;
    if (chosen !== (value ?? null)) onchange(chosen);
    else input.value = shown;
  };
  return h("input", { class: "form-control seg-text is-name", "aria-label": label, "data-key": key, "data-suggests": kind, value: shown,
    placeholder: label, autocomplete: "off",
    onfocus: (event) => event.target.select(),
    onchange: (event) => choose(event.target),
    onsuggestion: (event) => { event.preventDefault(); choose(event.target); },
    onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); choose(event.target); } } });
}

// What is known by number is found by its name, whatever its capitals; everything else is what it says.
function byLabel(kind, typed) {
  const isNumbered = BY_NUMBER.includes(kind);
  const same = (label) => label === typed || (isNumbered && label.toLowerCase() === typed.toLowerCase());
  for (const [key, label] of known) {
    if (key.startsWith(`${kind} `) && same(label)) return isNumbered ? Number(key.slice(kind.length + 1)) : key.slice(kind.length + 1);
  }
  return isNumbered ? undefined : typed;
}
