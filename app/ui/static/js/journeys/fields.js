// The fields of the side panel: a label above each, durations as a number and a unit, times before and after.

import { choose, h, number } from "../segments/elements.js";

const SPAN = /^([+-]?)P(?:(\d+)([DWMY])|T(\d+)([HM]))$/;
const CLOCK = { H: "h", M: "m" };
export const UNITS = ["m", "h", "D", "W", "M", "Y"];

/** A field with its label, and what else is worth knowing. */
export function labelled(label, control, help) {
  return h("div", { class: "jou-field" }, h("span", { class: "jou-label", "aria-hidden": "true" }, label), control, help && h("p", { class: "zl-soft zl-small" }, help));
}

/** {sign, count, unit} of a simple duration; what is none becomes nothing. */
export function readSpan(text) {
  const found = SPAN.exec(text ?? "");
  if (!found) return undefined;
  const [, sign, days, unit, clock, clockUnit] = found;
  const count = Number(days ?? clock);
  return { sign: count === 0 ? 0 : sign === "-" ? -1 : 1, count, unit: unit ?? CLOCK[clockUnit] };
}

export function writeSpan({ sign = 1, count, unit }) {
  const isClock = unit === "h" || unit === "m";
  return `${sign < 0 && count ? "-" : ""}P${isClock ? "T" : ""}${count}${isClock ? unit.toUpperCase() : unit}`;
}

/** A length of time. `put(text, again)` gets the new duration. */
export function lasting(f, label, value, put, { key, units = UNITS, min = 1 } = {}) {
  const now = readSpan(value);
  if (!now) {
    return h("input", { class: "form-control seg-text", "aria-label": label, "data-key": key, value: value ?? "", placeholder: "P2D",
      oninput: (event) => put(event.target.value.trim().toUpperCase()) });
  }
  return h("span", { class: "jou-span" },
    number(label, now.count, (count) => put(writeSpan({ ...now, sign: 1, count: Math.max(min, Math.trunc(count ?? min)) })), { key, min }),
    choose(f.words.unit, units.map((unit) => [unit, f.words.units[unit]]), now.unit, (unit) => put(writeSpan({ ...now, sign: 1, unit }), true), `${key}-unit`));
}

/** A moment before, at or after something. */
export function offset(f, label, value, put, { key, units = UNITS, sides = [-1, 0, 1] } = {}) {
  const now = readSpan(value) ?? { sign: 0, count: 0, unit: "D" };
  const pick = (side) => put(Number(side) === 0 ? "P0D" : writeSpan({ unit: now.unit, count: now.count || 2, sign: Number(side) }), true);
  return h("span", { class: "jou-span" },
    now.sign !== 0 && number(label, now.count, (count) => put(writeSpan({ ...now, count: Math.max(1, Math.trunc(count ?? 1)) })), { key, min: 1 }),
    now.sign !== 0 && choose(f.words.unit, units.map((unit) => [unit, f.words.units[unit]]), now.unit, (unit) => put(writeSpan({ ...now, unit }), true), `${key}-unit`),
    choose(label, sides.map((side) => [side, f.words.sides[side]]), now.sign, pick, `${key}-side`));
}

/** One of a list of rows by number and name; nothing chosen is null. */
export function oneOf(f, label, rows, value, put, key) {
  const isGone = value !== null && value !== undefined && !rows.some(([id]) => id === value);
  const options = [["", f.words.choose], ...rows, ...(isGone ? [[value, f.words.gone]] : [])];
  return choose(label, options, value ?? "", (picked) => put(picked === "" ? null : typeof rows[0]?.[0] === "string" ? picked : Number(picked)), key);
}

export function tick(label, isOn, put, key, help) {
  return h("label", { class: "jou-tick" },
    h("input", { type: "checkbox", class: "form-check-input", checked: isOn, "data-key": key, onchange: (event) => put(event.target.checked) }),
    h("span", {}, label, help && h("span", { class: "zl-soft zl-small jou-help" }, help)));
}

export function timeOfDay(label, value, put, key) {
  return h("input", { class: "form-control jou-time", type: "time", "aria-label": label, "data-key": key, value: value ?? "", oninput: (event) => put(event.target.value || undefined) });
}
