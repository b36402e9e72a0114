// The builder: boxes of conditions, drawn from the rule; every change can be undone, is kept as a draft and counted at
// once. The rule itself is in the form's own field, so that saving needs nothing of this.

import { checker } from "./checker.js";
import { Draft } from "./draft.js";
import { button, h } from "./elements.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { readContext, RuleBox } from "./rule_box.js";

const SPOKEN_MS = 50;
const SETTLED_MS = 900;

const root = document.getElementById("builder");
const form = root.closest("form");
const field = document.getElementById("field-rule");
const context = readContext(root.dataset.context);
const { words } = context;

const undo = () => { goTo(history.undo()); say(words.undone); };
const redo = () => { goTo(history.redo()); say(words.redone); };
const undoButton = button(words.undo, "history", undo, "btn-secondary btn-sm");
const redoButton = button(words.redo, "refresh", redo, "btn-secondary btn-sm");
undoButton.setAttribute("aria-keyshortcuts", "Control+Z");
redoButton.setAttribute("aria-keyshortcuts", "Control+Y");

const box = new RuleBox(root, { rule: JSON.parse(field.value), context, say, onchange: changed, tools: [h("div", { class: "seg-tools" }, undoButton, redoButton)] });
field.value = JSON.stringify(box.rule);
const history = new History(box.tree);

const panel = document.getElementById("live");
const purpose = document.getElementById("live-purpose");
const told = document.getElementById("told");
const slow = document.getElementById("live-slow");
const stepsNote = document.getElementById("live-steps");
const spoken = document.getElementById("spoken");
const counted = document.getElementById("counted");

const live = new Live({
  url: root.dataset.live,
  about: () => ({ rule: box.rule, purpose: purpose.value, segment: Number(root.dataset.segment) || null }),
  onanswer: show,
  onsteps: (found) => {
    stepsNote.textContent = found ? found.told ?? "" : words.counting;
    stepsNote.hidden = stepsNote.textContent === "";
    if (found) box.count(found);
  },
  onstate: (state) => {
    panel.toggleAttribute("aria-busy", state === "busy");
    if (state !== "busy") panel.dataset.state = state;
  },
});
const check = checker(document.querySelector("[data-checker]"), () => box.rule);
const draft = new Draft(root.dataset.draft, () => ({ name: form.elements.name.value, description: form.elements.description.value, rule: field.value }),
  { isUnsaved: "unsaved" in root.dataset });

// --- changes ---

/** After every change: a step to undo, the rule in the form, the draft, the count. `again`: it is drawn anew. */
function changed(again) {
  const now = JSON.stringify(box.rule);
  const isOther = now !== field.value;
  field.value = now;
  if (isOther || again) history.note(box.tree, !again);
  if (isOther) {
    live.ask();
    check.again();
    draft.touch();
    box.age();
  }
  showSteps();
}

function goTo(state) {
  if (!state) return;
  box.show(state);
  field.value = JSON.stringify(box.rule);
  live.ask(true);
  check.again();
  draft.touch();
  showSteps();
}

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

// --- what the server says ---

function show(answer) {
  box.tell(answer.errors, answer.notes);
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
  if (number) sayNumber(number.textContent.trim());
}

let speaking = 0;
let settling = 0;

/** Says what was done to whoever listens instead of looks; what comes soon after replaces it. */
function say(sentence) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { spoken.textContent = sentence; }, SPOKEN_MS);
}

/** Says the count once it is at rest, in a place of its own: a number never takes the words of what was done away. */
function sayNumber(sentence) {
  clearTimeout(settling);
  settling = setTimeout(() => { counted.textContent = sentence; }, SETTLED_MS);
}

// --- begin ---

function restore({ name: typed, description, rule }) {
  form.elements.name.value = typed;
  form.elements.description.value = description;
  box.show(JSON.parse(rule));
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
box.draw();
showSteps();
bringBackDraft();
live.ask(true);
