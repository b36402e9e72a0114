// The builder: boxes of conditions, drawn from the rule; every change can be undone, is kept as a draft and counted at
// once. The rule itself is in the form's own field, so that saving needs nothing of this.

import { checker } from "./checker.js";
import { NEW } from "./conditions.js";
import { makeDraggable } from "./dragging.js";
import { Draft } from "./draft.js";
import { count, drawTree, tell } from "./drawing.js";
import { button, h } from "./elements.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { closeMenu } from "./menus.js";
import { allNodes, copyOf, findById, fromRule, leaf, newBox, parentOf, place, toRule } from "./model.js";
import { name } from "./suggestions.js";

const SETTLED_MS = 900;

const root = document.getElementById("builder");
const form = root.closest("form");
const field = document.getElementById("field-rule");
const { words, purposes, segments, today, language, activities, journeys, hasJourneys, closed } = JSON.parse(root.dataset.context);
const context = { words, purposes, language, hasJourneys, closed, today: new Date(`${today}T12:00:00Z`) };
for (const [id, title] of Object.entries(activities)) name("activities", id, title);
for (const [id, title] of Object.entries(journeys)) name("journeys", id, title);
for (const [id, title] of segments) name("segments", id, title);

let tree = fromRule(JSON.parse(field.value));
field.value = JSON.stringify(toRule(tree));
const history = new History(tree);

const panel = document.getElementById("live");
const purpose = document.getElementById("live-purpose");
const told = document.getElementById("told");
const slow = document.getElementById("live-slow");
const spoken = document.getElementById("spoken");

const live = new Live({
  url: root.dataset.live,
  about: () => ({ rule: toRule(tree), purpose: purpose.value, segment: Number(root.dataset.segment) || null }),
  onanswer: show,
  onsteps: (found) => count(root, allNodes(tree), found, (node) => parentOf(tree, node)?.mode ?? "all", words, language),
  onstate: (state) => {
    panel.toggleAttribute("aria-busy", state === "busy");
    if (state !== "busy") panel.dataset.state = state;
  },
});
const check = checker(document.querySelector("[data-checker]"), () => toRule(tree));
const draft = new Draft(root.dataset.draft, () => ({ name: form.elements.name.value, description: form.elements.description.value, rule: field.value }),
  { isUnsaved: "unsaved" in root.dataset });

// --- changes ---

/** After every change: a step to undo, the rule in the form, the draft, the count. `again` draws it anew. */
function changed(again) {
  const now = JSON.stringify(toRule(tree));
  const isOther = now !== field.value;
  field.value = now;
  if (isOther || again) history.note(tree, !again);
  if (isOther) {
    live.ask();
    check.again();
    draft.touch();
    for (const step of root.querySelectorAll(".seg-step")) step.classList.add("is-old");
  }
  if (again) draw();
  showSteps();
}

function goTo(state) {
  if (!state) return;
  tree = state;
  field.value = JSON.stringify(toRule(tree));
  draw();
  live.ask(true);
  check.again();
  draft.touch();
  showSteps();
}

const undo = () => { goTo(history.undo()); say(words.undone); };
const redo = () => { goTo(history.redo()); say(words.redone); };
const undoButton = button(words.undo, "history", undo, "btn-secondary btn-sm");
const redoButton = button(words.redo, "refresh", redo, "btn-secondary btn-sm");
undoButton.setAttribute("aria-keyshortcuts", "Control+Z");
redoButton.setAttribute("aria-keyshortcuts", "Control+Y");

function showSteps() {
  undoButton.disabled = !history.canUndo;
  redoButton.disabled = !history.canRedo;
}

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  // In a field with text in it these keys undo what was typed there.
  if (event.target.matches("textarea, input[type=text], input[type=search], input:not([type])") && event.target.value) return;
  const key = event.key.toLowerCase();
  const isRedo = key === "y" || (key === "z" && event.shiftKey);
  if (isRedo ? history.canRedo : key === "z" && history.canUndo) {
    event.preventDefault();
    (isRedo ? redo : undo)();
  }
});

// --- drawing ---

const act = {
  changed,
  say,
  addCondition: (parent, type) => add(parent, leaf(NEW[type]())),
  addBox: (parent) => add(parent, newBox(parent.mode === "all" ? "any" : "all", [])),
  duplicate(node) {
    const copy = copyOf(node), { items } = parentOf(tree, node);
    items.splice(items.indexOf(node) + 1, 0, copy);
    changed(true);
    focusOn(copy);
    say(words.duplicated);
  },
  remove(node) {
    const { items, id } = parentOf(tree, node), at = items.indexOf(node);
    items.splice(at, 1);
    changed(true);
    const next = items[at] ?? items[at - 1];
    if (next) focusOn(next); else root.querySelector(`[data-key="${id}-add"]`)?.focus();
    say(words.removed);
  },
  wrap(node) {
    const { items, mode } = parentOf(tree, node);
    const around = newBox(mode === "all" ? "any" : "all", [node]);
    items.splice(items.indexOf(node), 1, around);
    changed(true);
    focusOn(around);
  },
  move(node, target, index) {
    place(tree, node, target, index);
    changed(true);
    const handle = root.querySelector(`[data-key="${node.id}-move"]`);
    handle?.focus({ preventScroll: true });
    handle?.scrollIntoView({ block: "nearest" });
    say(words.moved.replace("{place}", target.items.indexOf(node) + 1).replace("{all}", target.items.length).replace("{group}", words.modes[target.mode]));
  },
};

function draw() {
  closeMenu(false);
  const focused = document.activeElement?.dataset?.key;
  const steps = new Map([...root.querySelectorAll(".seg-step:not([hidden])")].map((step) => [step.closest("[data-node]").dataset.node, step]));
  root.replaceChildren(drawTree(tree, context, act), h("div", { class: "seg-tools" }, undoButton, redoButton));
  // Until the new counts are there, the old ones stay, and look old.
  for (const [id, step] of steps) root.querySelector(`[data-node="${id}"] > .seg-below > .seg-step`)?.replaceWith(step);
  if (focused) root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  showNotes();
}

function add(parent, node) {
  parent.items.push(node);
  changed(true);
  focusOn(node);
}

function focusOn(node) {
  const element = root.querySelector(`[data-node="${node.id}"]`);
  (element?.querySelector(".seg-fields :is(select, input, button)") ?? element?.querySelector("select, input, button"))?.focus();
  element?.scrollIntoView({ block: "nearest" });
}

makeDraggable(root, (id, boxId, index) => {
  const node = findById(tree, id), target = findById(tree, boxId);
  if (node && target && !findById(node, boxId)) act.move(node, target, index);
});

// --- what the server says ---

let errors = {}, notes = {};

function showNotes() {
  const nodes = allNodes(tree);
  tell(root, nodes, errors, ".seg-wrong");
  tell(root, nodes, notes, ".seg-hint");
}

function show(answer) {
  ({ errors, notes = {} } = answer);
  showNotes();
  slow.hidden = !answer.slow;
  slow.textContent = answer.slow ?? "";
  if (answer.html === undefined) return;
  const content = document.createElement("template");
  content.innerHTML = answer.html; // our own server's fragment, escaped there
  const sentence = content.content.querySelector("template[data-told]");
  if (sentence) told.textContent = sentence.content.textContent;
  sentence?.remove();
  const number = content.content.querySelector(".seg-count")?.cloneNode(true);
  for (const bar of document.querySelectorAll("[data-count]")) bar.replaceChildren(number ?? "");
  panel.querySelector("[data-fresh]").replaceChildren(content.content);
  if (number) say(number.textContent.trim(), SETTLED_MS);
}

let speaking = 0;

/** Says something to whoever listens instead of looks; what comes soon after replaces it. */
function say(sentence, later = 50) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { spoken.textContent = sentence; }, later);
}

// --- begin ---

function restore({ name: typed, description, rule }) {
  form.elements.name.value = typed;
  form.elements.description.value = description;
  tree = fromRule(JSON.parse(rule));
  changed(true);
}

/** What was not saved before a reload comes back; where somebody saved another version since, it is offered. */
function bringBackDraft() {
  const kept = draft.kept();
  if (!kept) return;
  const notice = document.getElementById(kept.isOfThis ? "draft-back" : "draft-there");
  notice.hidden = false;
  const before = { name: form.elements.name.value, description: form.elements.description.value, rule: field.value };
  if (kept.isOfThis) restore(kept.fields);
  notice.querySelector("[data-use]")?.addEventListener("click", () => { restore(kept.fields); notice.hidden = true; });
  notice.querySelector("[data-drop]").addEventListener("click", () => {
    restore(before);
    draft.drop();
    notice.hidden = true;
  });
}

document.getElementById("rule-as-text").hidden = true;
root.hidden = false;
purpose.addEventListener("change", () => live.ask(true));
form.addEventListener("input", () => draft.touch());
form.addEventListener("submit", () => draft.send());
draw();
showSteps();
bringBackDraft();
live.ask(true);
