// The builder of journeys: a canvas that reads from top to bottom and a panel for what is open. Every change can be undone
// and is kept as a draft at once; the server tells every step as a sentence, and what is still missing.

import { button, h, iconButton } from "../segments/elements.js";
import { makeDraggable } from "../segments/dragging.js";
import { History } from "../segments/history.js";
import { post } from "../segments/live.js";
import { closeMenu } from "../segments/menus.js";
import { readContext } from "../segments/rule_box.js";
import { Autosave } from "./autosave.js";
import { drawCanvas } from "./canvas.js";
import { allSteps, atPath, copyOf, find, fits, isBranching, listByKey, listsOf, move, newStep, ROOT } from "./model.js";
import { Fields, settingsFields, startFields, stepFields } from "./panel.js";
import { ruleDialog } from "./rule_dialog.js";

const COPIED = "zaallicht.journey.copied";

const root = document.getElementById("builder");
const panel = document.getElementById("panel");
const missing = document.getElementById("missing");
const state = document.getElementById("saved");
const spoken = document.getElementById("spoken");
const { words, choices, urls, edition, told, numbers, definition: begun } = JSON.parse(root.dataset.journey);
const rules = readContext(document.getElementById("rule-dialog").dataset.context);

let definition = begun;
let { story, problems } = told;
let open = null;
definition.steps ??= [];

const history = new History(definition);
const editRule = ruleDialog(document.getElementById("rule-dialog"), { context: rules, say });
const autosave = new Autosave({ url: urls.draft, edition, read: () => definition, onanswer: hear, onstate: showState });

const undo = () => goTo(history.undo(), words.undone);
const redo = () => goTo(history.redo(), words.redone);
const undoButton = button(words.undo, "history", undo, "btn-secondary btn-sm");
const redoButton = button(words.redo, "refresh", redo, "btn-secondary btn-sm");
undoButton.setAttribute("aria-keyshortcuts", "Control+Z");
redoButton.setAttribute("aria-keyshortcuts", "Control+Y");
document.getElementById("tools").prepend(undoButton, redoButton);

// --- changes ---

/** After every change: a step to undo, the draft, the canvas; the panel too where other fields belong to it now. */
function changed(again) {
  history.note(definition, !again);
  autosave.touch();
  drawStory();
  if (again) drawPanel();
  showSteps();
}

function goTo(past, sentence) {
  if (!past) return;
  definition = past;
  if (open && open !== "start" && open !== "settings" && !find(definition, open)) open = null;
  autosave.touch();
  draw();
  say(sentence);
}

function showSteps() {
  undoButton.disabled = !history.canUndo;
  redoButton.disabled = !history.canRedo;
}

const act = {
  say,
  open(id) {
    open = open === id ? null : id;
    draw();
    if (open) panel.querySelector("select, input, textarea, button:not([data-close])")?.focus({ preventScroll: true });
  },
  add(type, key, index) { put(newStep(type), key, index, words.added); },
  paste(key, index) {
    const step = copied();
    if (step && fits(definition, step, key)) put(copyOf(step), key, index, words.pasted);
    else say(words.cannot_paste);
  },
  pasteBehind(id) {
    const place = id === "start" ? { key: ROOT, index: -1 } : find(definition, id);
    if (copied()) act.paste(place.key, place.index + 1);
  },
  copy(id) {
    try { localStorage.setItem(COPIED, JSON.stringify(find(definition, id).step)); } catch { return; }
    drawStory();
    say(words.copied);
  },
  cut(id) { act.copy(id); act.remove(id); },
  duplicate(id) {
    const { step, key, index } = find(definition, id), copy = copyOf(step);
    story.steps[copy.id] = story.steps[id];
    put(copy, key, index + 1, words.duplicated);
  },
  remove(id) {
    const { list, key, index } = find(definition, id);
    list.splice(index, 1);
    if (!find(definition, open)) open = null;
    changed(true);
    const next = list[index] ?? list[index - 1];
    focus(next ? `${next.id}-open` : `${key}-0-plus`);
    say(words.removed);
  },
  move(id, key, index) {
    if (!fits(definition, find(definition, id).step, key)) { say(words.too_deep); return; }
    move(definition, id, key, index);
    changed(true);
    focus(`${id}-move`);
    const { list } = listByKey(definition, key);
    say(words.moved.replace("{place}", list.findIndex((step) => step.id === id) + 1).replace("{all}", list.length).replace("{list}", nameOfList(key)));
  },
  beside(id, way) {
    const ids = ["start", ...allStepsInOrder()];
    const next = ids[ids.indexOf(id) + way];
    if (next) focus(`${next}-open`);
  },
};

function put(step, key, index, sentence) {
  listByKey(definition, key).list.splice(index, 0, step);
  open = step.id;
  changed(true);
  (panel.querySelector("select, input, textarea") ?? root.querySelector(`[data-key="${step.id}-open"]`))?.focus({ preventScroll: true });
  root.querySelector(`[data-card="${step.id}"]`)?.scrollIntoView({ block: "nearest" });
  say(sentence);
}

/** Steps as they stand on the page, those in branches right behind the step that branches. */
function allStepsInOrder() {
  const walk = (list) => list.flatMap((step) => [step.id, ...(isBranching(step) ? listsOf(step).flatMap(walk) : [])]);
  return walk(definition.steps);
}

function nameOfList(key) {
  const [owner, place] = key.split("/");
  return key === ROOT ? words.main_list : story.branches[owner]?.[Number(place)] ?? words.main_list;
}

function copied() {
  try { return JSON.parse(localStorage.getItem(COPIED)); } catch { return null; }
}

// --- drawing ---

function draw() {
  drawStory();
  drawPanel();
  showSteps();
}

function drawStory() {
  closeMenu(false);
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const wrong = new Map();
  for (const { path, sentence } of problems) {
    const { id } = atPath(definition, path);
    wrong.set(id, [...(wrong.get(id) ?? []), sentence]);
  }
  const clip = copied();
  const canPaste = clip ? story.steps[clip.id] ?? words.types[clip.type] : null;
  root.replaceChildren(drawCanvas(definition, { words, story, wrong, numbers, selected: open, canPaste }, act));
  if (focused) focus(focused);
  drawMissing(wrong);
}

function drawMissing(wrong) {
  const count = [...wrong.values()].flat().length, stops = problems.filter((one) => one.stops).length;
  missing.hidden = count === 0;
  missing.querySelector("[data-count]").textContent = String(count);
  missing.querySelector("ul").replaceChildren(...[...wrong].flatMap(([id, sentences]) => [...new Set(sentences)].map((sentence) => h("li", {},
    h("button", { type: "button", class: "jou-jump", onclick: () => jump(id) }, h("strong", {}, titleOf(id)), h("span", {}, sentence))))));
  missing.classList.toggle("is-mild", stops === 0);
}

const titleOf = (id) => (id === "start" ? words.start : id === "settings" ? words.settings : story.steps[id] ?? words.types[find(definition, id)?.step.type] ?? "");

function jump(id) {
  open = id;
  draw();
  root.querySelector(`[data-card="${id}"]`)?.scrollIntoView({ block: "center" });
  panel.querySelector("select, input, textarea, button:not([data-close])")?.focus({ preventScroll: true });
}

function drawPanel() {
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const fields = new Fields(open ?? "none", { words, choices, story, rules, composer: urls.composer, test: urls.test, today: rules.today, language: rules.language, closed: rules.closed }, changed);
  const place = open && find(definition, open);
  const title = open === "start" ? words.start : open === "settings" ? words.settings : place ? words.types[place.step.type] : "";
  const content = open === "start" ? [...startFields(definition, fields, editRule), h("p", { class: "jou-entries zl-soft", role: "status", "data-entries": "" }, entries)]
    : open === "settings" ? settingsFields(definition, fields, editRule)
    : place ? stepFields(place.step, fields, { editRule, writeMailing, testMailing }) : [];
  panel.hidden = !open;
  panel.replaceChildren(
    h("div", { class: "jou-panel-head" }, h("h2", {}, title), iconButton(words.close, "close", () => { const was = open; open = null; draw(); focus(`${was}-open`); }, "panel-close")),
    ...content.filter(Boolean));
  if (focused) panel.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function focus(key) {
  root.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

makeDraggable(root, (id, key, index) => {
  if (find(definition, id) && listByKey(definition, key)) act.move(id, key, index);
}, { box: ".jou-list", tag: "li" });

// --- what the server says ---

function hear(answer) {
  ({ story, problems } = answer);
  drawWhenFree();
  // Sentences in the panel are told anew, unless somebody is typing there.
  const isTyping = panel.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  if (!isTyping && panel.querySelector(".jou-rule-told")) drawPanel();
  askEntries();
}

const BUSY_MS = 250;
let waiting = 0;

/** Nothing is drawn anew under somebody's hand: not while a menu is open, nor while a step is being dragged. */
function drawWhenFree() {
  clearTimeout(waiting);
  if (root.classList.contains("is-dragging") || root.querySelector(".seg-menu:not([hidden])")) waiting = setTimeout(drawWhenFree, BUSY_MS);
  else drawStory();
}

const STATES = { saved: "check", saving: "refresh", waiting: "warning", refused: "error", changed: "warning" };

function showState(name, answer) {
  state.dataset.state = name;
  state.querySelector("[data-words]").textContent = answer?.problem ?? words.states[name];
  state.querySelector("[data-mark]").replaceChildren(document.querySelector(`template[data-icon="${STATES[name]}"]`).content.cloneNode(true));
  const notice = document.getElementById("changed");
  notice.hidden = name !== "changed";
  if (name === "changed") notice.querySelector("[data-mine]").onclick = () => { notice.hidden = true; autosave.insist(answer.edition); };
}

/** Makes a mailing for a step and goes to where it is written; without a composer it is only chosen. */
async function writeMailing(step) {
  const said = panel.querySelector("[data-said]");
  try {
    await autosave.settle();
    const { id, name, url } = await post(urls.mailing, { name: document.querySelector("[data-journey-name]").textContent.trim() });
    choices.mailings.push([id, name]);
    step.mailing = id;
    changed(true);
    if (await autosave.settle() && url) location.href = `${url}?back=${encodeURIComponent(`${location.pathname}#${step.id}`)}`;
  } catch {
    said.textContent = words.mailing_failed;
  }
}

async function testMailing(step) {
  const said = panel.querySelector("[data-said]");
  said.textContent = words.test_under_way;
  try {
    ({ title: said.textContent } = await post(urls.test.replace("/0/", `/${step.mailing}/`), {}));
  } catch {
    said.textContent = words.test_failed;
  }
}

let entries = "", startedBy = "";

/** Who would enter, asked again when what starts it has changed and is kept. */
async function askEntries() {
  const now = JSON.stringify([definition.trigger, definition.only]);
  if (now === startedBy || autosave.isBehind) return;
  startedBy = now;
  try {
    ({ said: entries } = await (await fetch(urls.entries, { headers: { Accept: "application/json" } })).json());
  } catch {
    entries = "";
  }
  panel.querySelector("[data-entries]")?.replaceChildren(entries);
}

let speaking = 0;

/** Says something to whoever listens instead of looks; what comes soon after replaces it. */
function say(sentence) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { spoken.textContent = sentence; }, 50);
}

// --- begin ---

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
  // In a field with text in it these keys undo what was typed there.
  if (event.target.matches("textarea, input[type=text], input[type=email], input[type=url], input[type=search], input:not([type])") && event.target.value) return;
  const key = event.key.toLowerCase();
  const isRedo = key === "y" || (key === "z" && event.shiftKey);
  if (isRedo ? history.canRedo : key === "z" && history.canUndo) {
    event.preventDefault();
    (isRedo ? redo : undo)();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !open || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (panel.contains(event.target)) panel.querySelector('[data-key="panel-close"]').click();
});
for (const opener of document.querySelectorAll("[data-opens-panel]")) opener.addEventListener("click", () => act.open(opener.dataset.opensPanel));
// What has to be kept before another page is opened, or before a form that reads the draft is sent.
for (const form of document.querySelectorAll("form[data-after-saving]")) {
  form.addEventListener("submit", async (event) => {
    if (!autosave.isBehind) return;
    event.preventDefault();
    delete form.dataset.sent;
    if (await autosave.settle()) form.requestSubmit();
  });
}

for (const link of document.querySelectorAll("a[data-after-saving]")) {
  link.addEventListener("click", async (event) => {
    if (!autosave.isBehind) return;
    event.preventDefault();
    if (await autosave.settle()) location.href = link.href;
  });
}

document.getElementById("as-text").hidden = true;
document.getElementById("with-script").hidden = false;
if (location.hash && find(definition, location.hash.slice(1))) open = location.hash.slice(1);
else if (!definition.trigger && !allSteps(definition).length) open = "start";
draw();
showState("saved");
askEntries();
