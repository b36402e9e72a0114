// Pickers: fields that propose what is really there (genres, venues, activities, …) while somebody types.

import { h, iconButton } from "./elements.js";

const PATIENCE_MS = 180;
const LIST_ID = "segment-suggestions";
const known = new Map(); // "kind value" -> label, for ids that have a name

let timer = 0;
let asking = null;

/** Remember what a value is called, such as an activity's title. */
export function name(kind, value, label) {
  known.set(`${kind} ${value}`, label);
}

export const nameOf = (kind, value) => known.get(`${kind} ${value}`) ?? String(value);

function list() {
  return document.getElementById(LIST_ID) ?? document.body.appendChild(h("datalist", { id: LIST_ID }));
}

async function propose(input) {
  asking?.abort();
  asking = new AbortController();
  const kind = input.dataset.suggests;
  // In a field for several words, what is being typed stands behind the last comma.
  const typed = input.value.split(",").at(-1).trim();
  try {
    const url = `/segments/suggestions/${encodeURIComponent(kind)}?q=${encodeURIComponent(typed)}`;
    const answer = await fetch(url, { signal: asking.signal, headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const found = await answer.json();
    for (const { value, label } of found) if (value !== label) name(kind, value, label);
    list().replaceChildren(...found.map(({ label }) => h("option", { value: label })));
    input.setAttribute("list", LIST_ID);
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

for (const kind of ["input", "focusin"]) {
  document.addEventListener(kind, (event) => {
    if (!event.target.matches?.("input[data-suggests]")) return;
    if (kind === "focusin") list().replaceChildren();
    clearTimeout(timer);
    timer = setTimeout(propose, PATIENCE_MS, event.target);
  });
}

/** Several values as chips, with a field to add one. onchange gets the new list. */
export function chips(words, label, kind, values, onchange, key) {
  const add = (input) => {
    const typed = input.value.trim();
    if (!typed) return;
    const value = byLabel(kind, typed);
    input.value = "";
    if (value !== undefined && !values.includes(value)) onchange([...values, value]);
  };
  return h("span", { class: "seg-chips" },
    values.map((value) => h("span", { class: "seg-chip" }, nameOf(kind, value),
      iconButton(`${words.remove}: ${nameOf(kind, value)}`, "close", () => onchange(values.filter((one) => one !== value))))),
    h("input", { class: "form-control seg-text", "aria-label": label, "data-key": key, "data-suggests": kind,
      placeholder: values.length ? words.or_another : words.type_or_choose, autocomplete: "off",
      onchange: (event) => add(event.target),
      onkeydown: (event) => {
        if (event.key === "Enter") { event.preventDefault(); add(event.target); }
        if (event.key === "Backspace" && !event.target.value && values.length) onchange(values.slice(0, -1));
      } }));
}

// Activities are known by number and shown by title; everything else is what it says.
function byLabel(kind, typed) {
  for (const [key, label] of known) {
    if (label === typed && key.startsWith(`${kind} `)) return kind === "activities" ? Number(key.slice(kind.length + 1)) : key.slice(kind.length + 1);
  }
  return kind === "activities" ? undefined : typed;
}
