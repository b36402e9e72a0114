// The builder: boxes of conditions, drawn from the rule; every change can be undone and is counted at once. The rule
// itself is in the form's own field, so that saving needs nothing of this.

import { checker } from "./checker.js";
import { fieldsOf, NEW } from "./conditions.js";
import { button, choose, h, icon, iconButton } from "./elements.js";
import { Live } from "./live.js";
import { box, copyOf, findById, fromRule, isBox, leaf, parentOf, toRule } from "./model.js";
import { name } from "./suggestions.js";

const root = document.getElementById("builder");
const field = document.getElementById("field-rule");
const { words, purposes, segments, today, language, activities } = JSON.parse(root.dataset.context);
const context = { words, purposes, segments, language, today: new Date(`${today}T12:00:00Z`) };
for (const [id, title] of Object.entries(activities)) name("activities", id, title);

let tree = fromRule(JSON.parse(field.value));
let before = JSON.stringify(toRule(tree));
const undone = [];
let errors = {};
let openMenu = null;

const panel = document.getElementById("live");
const purpose = document.getElementById("live-purpose");
const live = new Live({
  url: root.dataset.live, panel, told: document.getElementById("told"), purpose: () => purpose.value,
  onerrors: (found) => { errors = found; showErrors(); },
});
const who = document.querySelector("[data-checker]");
const check = checker(who, () => toRule(tree));

// --- changes ---

/** After every change: keep the one before for undo, put the rule in the form, count. */
function changed(again) {
  const now = JSON.stringify(toRule(tree));
  if (now !== before) {
    undone.push(before);
    before = now;
    field.value = now;
    live.ask(JSON.parse(now));
    check.again();
  }
  if (again) draw();
  undoButton.disabled = undone.length === 0;
}

function undo() {
  if (!undone.length) return;
  before = undone.pop();
  tree = fromRule(JSON.parse(before));
  field.value = before;
  toRule(tree);
  draw();
  live.ask(JSON.parse(before), true);
  undoButton.disabled = undone.length === 0;
}

const undoButton = button(words.undo, "history", undo, "btn-secondary btn-sm");

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input:not([type=number]), textarea");
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z" && !isTyping && undone.length) {
    event.preventDefault();
    undo();
  }
  if (event.key === "Escape" && openMenu) closeMenu(true);
});

// --- drawing ---

function draw() {
  const focused = document.activeElement?.dataset?.key;
  root.replaceChildren(drawBox(tree, 0), h("div", { class: "seg-tools" }, undoButton));
  if (focused) root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  showErrors();
}

function drawBox(node, depth) {
  const modes = ["all", "any", "none", ...(node.mode === "notall" ? ["notall"] : [])].map((mode) => [mode, words.modes[mode]]);
  const head = h("div", { class: "seg-box-head" },
    choose(words.how_to_combine, modes, node.mode, (mode) => { node.mode = mode; changed(true); }, `${node.id}-mode`),
    depth > 0 && tools(node));
  const empty = node.items.length === 0 && h("p", { class: "zl-soft seg-empty" }, words.empty[node.mode]);
  return h("section", { class: `seg-box is-${node.mode}`, "data-node": node.id, "aria-label": words.modes[node.mode] },
    head, h("div", { class: "seg-items", "data-items": node.id }, empty, node.items.map((item, index) => [
      index > 0 && h("span", { class: "seg-joint", "aria-hidden": "true" }, words.joints[node.mode]),
      isBox(item) ? drawBox(item, depth + 1) : drawCondition(item),
    ])), adders(node, depth));
}

function drawCondition(node) {
  return h("div", { class: "seg-condition", "data-node": node.id, role: "group", "aria-label": words.types[node.rule.type] },
    h("span", { class: "seg-handle", draggable: true, "data-drag": node.id, title: words.drag }, icon("drag")),
    h("div", { class: "seg-fields" }, fieldsOf(node, context, changed)),
    tools(node),
    h("p", { class: "seg-wrong", hidden: true, role: "status" }));
}

function tools(node) {
  return h("span", { class: "seg-node-tools" },
    !isBox(node) && iconButton(words.wrap, "segment", () => wrap(node), `${node.id}-wrap`),
    iconButton(words.duplicate, "copy", () => duplicate(node), `${node.id}-copy`),
    iconButton(words.remove, "trash", () => remove(node), `${node.id}-remove`));
}

function adders(node, depth) {
  const menu = h("div", { class: "seg-menu", hidden: true, role: "menu" }, Object.keys(NEW).map((type) =>
    h("button", { type: "button", role: "menuitem", onclick: () => add(node, leaf(NEW[type]())) },
      h("strong", {}, words.types[type]), h("span", {}, words.hints[type]))));
  const opener = button(words.add_condition, "plus", () => toggleMenu(opener, menu), "btn-secondary btn-sm");
  opener.setAttribute("aria-haspopup", "menu");
  opener.setAttribute("aria-expanded", "false");
  opener.dataset.key = `${node.id}-add`;
  return h("div", { class: "seg-adders" }, opener, menu,
    depth < 4 && button(words.add_box, "segment", () => add(node, box(node.mode === "all" ? "any" : "all", []))));
}

function toggleMenu(opener, menu) {
  if (openMenu?.menu === menu) { closeMenu(false); return; }
  closeMenu(false);
  openMenu = { opener, menu };
  menu.hidden = false;
  opener.setAttribute("aria-expanded", "true");
  menu.querySelector("button").focus();
}

function closeMenu(giveFocusBack) {
  if (!openMenu) return;
  openMenu.menu.hidden = true;
  openMenu.opener.setAttribute("aria-expanded", "false");
  if (giveFocusBack) openMenu.opener.focus();
  openMenu = null;
}

root.addEventListener("keydown", (event) => {
  if (!openMenu?.menu.contains(event.target) || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
  event.preventDefault();
  const items = [...openMenu.menu.children];
  const step = event.key === "ArrowDown" ? 1 : -1;
  items.at((items.indexOf(event.target) + step) % items.length).focus();
});
document.addEventListener("click", (event) => {
  if (openMenu && !openMenu.menu.contains(event.target) && !openMenu.opener.contains(event.target)) closeMenu(false);
});

// --- adding, doubling, removing, moving ---

function focusOn(node) {
  const element = root.querySelector(`[data-node="${node.id}"]`);
  element?.querySelector("select, input, button")?.focus();
  element?.scrollIntoView({ block: "nearest" });
}

function add(parent, node) {
  openMenu = null;
  parent.items.push(node);
  changed(true);
  focusOn(node);
}

function duplicate(node) {
  const parent = parentOf(tree, node);
  const copy = copyOf(node);
  parent.items.splice(parent.items.indexOf(node) + 1, 0, copy);
  changed(true);
  focusOn(copy);
}

function remove(node) {
  const parent = parentOf(tree, node);
  const index = parent.items.indexOf(node);
  parent.items.splice(index, 1);
  changed(true);
  const next = parent.items[index] ?? parent.items[index - 1];
  if (next) focusOn(next); else root.querySelector(`[data-key="${parent.id}-add"]`)?.focus();
}

function wrap(node) {
  const parent = parentOf(tree, node);
  const around = box(parent.mode === "all" ? "any" : "all", [node]);
  parent.items.splice(parent.items.indexOf(node), 1, around);
  changed(true);
  focusOn(around);
}

let dragged = null;
root.addEventListener("dragstart", (event) => {
  dragged = event.target.dataset?.drag ? findById(tree, event.target.dataset.drag) : null;
  event.dataTransfer.effectAllowed = "move";
});
root.addEventListener("dragover", (event) => {
  const items = event.target.closest("[data-items]");
  if (!dragged || !items) return;
  event.preventDefault();
  for (const other of root.querySelectorAll(".is-over")) other.classList.remove("is-over");
  items.classList.add("is-over");
});
root.addEventListener("drop", (event) => {
  const items = event.target.closest("[data-items]");
  if (!dragged || !items) return;
  event.preventDefault();
  const target = findById(tree, items.dataset.items);
  const from = parentOf(tree, dragged);
  const below = [...items.children].filter((child) => child.dataset.node && child.dataset.node !== dragged.id)
    .find((child) => event.clientY < child.getBoundingClientRect().top + child.offsetHeight / 2);
  from.items.splice(from.items.indexOf(dragged), 1);
  const index = below ? target.items.findIndex((item) => item.id === below.dataset.node) : target.items.length;
  target.items.splice(index, 0, dragged);
  dragged = null;
  changed(true);
});
root.addEventListener("dragend", () => {
  dragged = null;
  for (const other of root.querySelectorAll(".is-over")) other.classList.remove("is-over");
});

// --- what is not right yet ---

function showErrors() {
  for (const element of root.querySelectorAll(".seg-condition")) {
    const node = findById(tree, element.dataset.node);
    const said = Object.entries(errors).filter(([path]) => path === node?.path || path.startsWith(`${node?.path}.`));
    const note = element.querySelector(".seg-wrong");
    note.hidden = said.length === 0;
    note.textContent = [...new Set(said.map(([, sentence]) => sentence))].join(" ");
    element.classList.toggle("is-wrong", said.length > 0);
  }
}

// --- begin ---

document.getElementById("rule-as-text").hidden = true;
root.hidden = false;
purpose.addEventListener("change", () => live.ask(toRule(tree), true));
toRule(tree);
draw();
undoButton.disabled = true;
live.ask(toRule(tree), true);
