// The composer: blocks as cards to write in, in the order of the mail; beside them how it looks. Every change can be
// undone, is saved a moment later, and shows in the preview as soon as it is saved.

import { makeDraggable } from "./dragging.js";
import { formOf, personalField } from "./blocks.js";
import { button, h, icon, iconButton } from "../segments/elements.js";
import { History } from "../segments/history.js";
import { csrfToken } from "../requests.js";
import { Checks, personSearch, Preview } from "./looking.js";
import { ADDED, copyBlock, MARKETING, newBlock, placeOf, summaryOf } from "./model.js";
import { getJson } from "./pickers.js";
import { Saving } from "./saving.js";
import { showStale } from "./stale.js";
import { drawStyle } from "./style.js";
import { gapsIn, moveRow, rowsOf, sides, takeOver } from "./side_by_side.js";

const CHECKED_AFTER_MS = 1200;
const SUBJECT_SHOWN = 40;

const root = document.getElementById("composer");
const context = { ...JSON.parse(root.dataset.context), titles: {}, elsewhere: new Set() };
// The language of the house comes first.
const languages = Object.fromEntries([...context.languages].sort(([one], [other]) => (other === context.house_language) - (one === context.house_language)));
const { words } = context;
/** A sentence about a language, its name as the reader calls it. */
const about = (sentence, code, more = {}) => Object.entries({ language: context.language_words[code], ...more }).reduce((said, [name, value]) => said.replaceAll(`{${name}}`, value), sentence);
const spoken = document.getElementById("spoken");

let content = context.content;
let at = firstPlace();
let open = null;
let errors = {};
let isBeside = false;
const isWide = matchMedia("(min-width: 64rem)");
const history = new History(content);

function firstPlace() {
  const { name, texts } = content.variants[0];
  const language = [context.house_language, ...Object.keys(languages)].find((each) => each in texts);
  return { variant: name, language };
}

const variant = () => content.variants.find((each) => each.name === at.variant) ?? content.variants[0];
const text = () => variant().texts[at.language];
const begun = () => Object.keys(languages).filter((each) => each in variant().texts);
const isSides = () => isBeside && isWide.matches && begun().length > 1;
const shown = () => (isSides() ? begun() : [at.language]);
/** What shows a block, or with no id the head, in a language. */
const placeOn = (language, id = "") => root.querySelector(`${isSides() ? `[data-language="${language}"]` : ""}${id ? `[data-block="${id}"]` : isSides() ? ".mc-heading" : "#head"}`);
const isWritten = (each) => Boolean(each && (each.subject || each.blocks.some((block) => !["header", "footer"].includes(block.type) && !(block.type === "text" && !block.html))));

// --- saving, looking, checking ---

const saved = document.getElementById("saved");
const saving = new Saving({ url: `/mailings/${context.id}/content`, edition: context.edition, read: () => content, onstate: told });
const preview = new Preview({ about: () => ({ id: context.id, ...at }) });
const checks = new Checks({ id: context.id, words, languages, jump });
personSearch(words, (person) => { preview.person = person; preview.refresh(); });
let checking = 0;

function told(state, details) {
  const said = { saving: words.saving, saved: words.saved, errors: words.not_saved_errors, offline: words.not_saved, stale: "", closed: details?.title }[state];
  saved.textContent = said ?? "";
  saved.dataset.state = state;
  if (state === "saving") return; // what is marked stays so until the server looked again
  errors = state === "errors" ? details : {};
  showErrors();
  if (state === "saved") {
    preview.refresh();
    showLacking();
    clearTimeout(checking);
    checking = setTimeout(() => checks.refresh(), CHECKED_AFTER_MS);
  }
  if (state === "stale" || state === "closed") showStale(details, { id: context.id, words, canChoose: state === "stale", saving, read: () => content });
}

// Whoever goes on by a link finds there what was typed a moment ago. What cannot be saved, the browser asks about.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || link.target || !saving.isDirty) return;
  event.preventDefault();
  await saving.finish();
  location.assign(link.href);
});

/** Marks what the server refused where it stands. */
function showErrors() {
  for (const old of root.querySelectorAll(".mc-wrong")) old.remove();
  const place = content.variants.indexOf(variant());
  for (const [path, sentences] of Object.entries(errors)) {
    const match = path.match(/^variants\.(\d+)\.texts\.(\w+)\.(?:blocks\.(\d+)|(subject|preheader))/);
    const isHere = match && Number(match[1]) === place && shown().includes(match[2]);
    const host = isHere && placeOn(match[2], match[3] && variant().texts[match[2]].blocks[Number(match[3])]?.id);
    const note = h("p", { class: "zl-error mc-wrong", role: "alert" }, (isHere || !match ? "" : `${match[2].toUpperCase()}: `) + sentences.join(" "));
    (host || document.getElementById("head")).append(note);
  }
}

// --- changes ---

/** After every change: a step to undo, and the draft. `again` draws everything anew. */
function changed(again = false) {
  history.note(content, !again);
  saving.touch();
  if (again) draw();
  showSteps();
  showInbox();
}

function goTo(state, sentence) {
  if (!state) return;
  content = state;
  if (!variant().texts[at.language] || variant().name !== at.variant) at = { ...firstPlace(), ...(variant().texts[at.language] ? { language: at.language } : {}) };
  saving.touch();
  draw();
  say(sentence);
}

const undo = () => goTo(history.undo(), words.undone);
const redo = () => goTo(history.redo(), words.redone);
const undoButton = iconButton(words.undo, "history", undo, "undo");
const redoButton = iconButton(words.redo, "refresh", redo, "redo");
undoButton.setAttribute("aria-keyshortcuts", "Control+Z");
redoButton.setAttribute("aria-keyshortcuts", "Control+Y");

function showSteps() {
  undoButton.disabled = !history.canUndo;
  redoButton.disabled = !history.canRedo;
}

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key === "s") { event.preventDefault(); saving.send(); return; }
  // Where somebody types, these keys undo what was typed.
  if (event.target.closest("textarea, input:not([type=range]):not([type=checkbox]), [contenteditable=true]")) return;
  const isRedo = key === "y" || (key === "z" && event.shiftKey);
  if (isRedo || key === "z") {
    event.preventDefault();
    (isRedo ? redo : undo)();
  }
});

function add(type) {
  const block = newBlock(type);
  for (const language of shown()) {
    const { blocks } = variant().texts[language];
    const last = blocks.at(-1)?.type === "footer" && type !== "footer" ? blocks.length - 1 : blocks.length;
    blocks.splice(last, 0, structuredClone(block));
  }
  open = block.id;
  changed(true);
  focusOn(block.id, true);
}

const act = {
  duplicate(block) {
    const { list, index } = placeOf(text().blocks, block.id), copy = copyBlock(block);
    list.splice(index + 1, 0, copy);
    open = copy.id;
    changed(true);
    focusOn(copy.id);
    say(words.copied);
  },
  remove(block) {
    const { list, index } = placeOf(text().blocks, block.id);
    list.splice(index, 1);
    changed(true);
    const next = list[index] ?? list[index - 1];
    if (next) focusOn(next.id); else document.querySelector("#palette button")?.focus();
    say(words.removed);
  },
  move(block, to) {
    const { blocks } = text(), index = blocks.indexOf(block);
    const target = Math.max(0, Math.min(blocks.length - 1, to));
    if (index < 0 || target === index) return;
    blocks.splice(index, 1);
    blocks.splice(target, 0, block);
    changed(true);
    root.querySelector(`[data-drag="${block.id}"]`)?.focus();
    say(words.moved.replace("{place}", target + 1).replace("{all}", blocks.length));
  },
};

// With languages side by side a block is moved and taken out in all of them.
const actBeside = {
  summed: (block) => summed(block),
  changed(block, again) { changed(); if (again) { drawBlocks(); drawTabs(); } },
  toggle(row, isOpen) {
    open = isOpen ? null : Object.values(row)[0].id;
    drawBlocks();
    if (open && !(open in row)) focusOn(open, true);
  },
  take(all, row, language, source) {
    takeOver(variant().texts, all, row, language, source);
    at = { ...at, language };
    changed(true);
    say(words.taken_over);
  },
  move(all, row, step) { moveRow(variant().texts, all, row, step); changed(true); },
  remove(row) {
    for (const [language, block] of Object.entries(row)) {
      const { blocks } = variant().texts[language];
      blocks.splice(blocks.indexOf(block), 1);
    }
    changed(true);
    say(words.removed);
  },
};

// --- drawing ---

const tabs = document.getElementById("tabs"), head = document.getElementById("head");
const list = document.getElementById("blocks"), palette = document.getElementById("palette");

function draw() {
  const focused = document.activeElement?.dataset?.key;
  root.classList.toggle("is-beside", isSides());
  drawTabs();
  drawHead();
  drawBlocks();
  drawPalette();
  drawStyle(content.style, context, changed);
  showSteps();
  showInbox();
  showErrors();
  if (focused) root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function drawTabs() {
  const written = variant().texts;
  const languageTabs = Object.entries(languages).map(([code, name]) =>
    h("button", { type: "button", class: `mc-tab${code in written ? "" : " is-none"}`, "aria-pressed": String(code === at.language), "data-language": code, "data-key": `language-${code}`,
      onclick: () => toLanguage(code) }, code in written ? "" : icon("plus"), name, code in written && lacking(code)));
  const variantTabs = content.variants.map((each) => h("button", { type: "button", class: "mc-tab", "aria-pressed": String(each.name === at.variant), "data-key": `variant-${each.name}`,
    onclick: () => { at = { variant: each.name, language: at.language in each.texts ? at.language : Object.keys(each.texts)[0] }; open = null; draw(); preview.refresh(); } }, words.variant.replace("{variant}", each.name)));
  const beside = isWide.matches && begun().length > 1 && h("button", { type: "button", class: "btn btn-quiet btn-sm mc-beside", "aria-pressed": String(isSides()), "data-key": "beside", onclick: () => { isBeside = !isBeside; draw(); } }, icon("columns"), words.side_by_side);
  const tools = [beside, undoButton, redoButton];
  tabs.replaceChildren(h("div", { class: "mc-tab-row", role: "group", "aria-label": words.all_languages }, languageTabs, h("span", { class: "mc-steps" }, tools.filter(Boolean))),
    content.variants.length > 1 ? h("div", { class: "mc-tab-row", role: "group" }, variantTabs, content.variants.length < 4 && button("", "plus", addVariant)) : "");
}

/** The mark of a language that has no words where another one has. */
function lacking(code) {
  const { texts } = variant(), others = begun().filter((each) => each !== code && isWritten(texts[each]));
  if (!isWritten(texts[code])) return h("span", { class: "mc-dot", title: about(words.empty_language, code, { other: context.language_words[others[0] ?? context.house_language] }) });
  const count = gapsIn(texts, code, begun());
  const said = about(words.gaps, code, { count });
  return count > 0 && h("span", { class: "mc-count", title: said }, h("span", { "aria-hidden": "true" }, String(count)), h("span", { class: "visually-hidden" }, ` ${said}`));
}

function showLacking() {
  for (const each of tabs.querySelectorAll("button[data-language]")) {
    const { language } = each.dataset;
    if (!(language in variant().texts)) continue;
    each.querySelector(".mc-dot, .mc-count")?.remove();
    each.append(lacking(language) || "");
  }
}

function toLanguage(code) {
  const { texts } = variant();
  if (!(code in texts)) {
    texts[code] = structuredClone(context.blank[code]);
    at = { ...at, language: code };
    open = null;
    changed(true);
    saving.send();
    return;
  }
  at = { ...at, language: code };
  open = null;
  draw();
  preview.refresh();
}

function addVariant() {
  const name = [..."ABCD"].find((letter) => !content.variants.some((each) => each.name === letter));
  const texts = Object.fromEntries(Object.entries(variant().texts).map(([code, each]) => [code, structuredClone(each)]));
  content.variants.push({ name, texts });
  at = { variant: name, language: at.language };
  changed(true);
  saving.send();
}

function drawHead() {
  head.classList.toggle("mc-cells", isSides());
  head.dataset.columns = shown().length;
  if (!isSides()) { head.replaceChildren(...headOf(at.language)); return; }
  head.replaceChildren(...shown().map((code) => h("div", { class: "mc-heading", "data-language": code, lang: code, role: "group", "aria-label": languages[code] }, h("h2", { class: "seg-small-head" }, languages[code]), headOf(code))));
}

function headOf(language) {
  const now = variant().texts[language], hint = h("p", { class: "zl-help", "data-length": "" });
  const showLength = () => {
    const count = now.subject.replace(/\{\{.*?\}\}/g, "Noor").length;
    hint.textContent = count ? (count > SUBJECT_SHOWN ? words.subject_long : words.words_left).replace("{count}", count) : "";
    hint.classList.toggle("is-long", count > SUBJECT_SHOWN + 20);
  };
  const subject = personalField(words.subject, now, "subject", inLanguage(language), { key: isSides() ? `subject-${language}` : "subject", changed: () => { showLength(); changed(); } });
  subject.append(hint);
  showLength();
  return [copyOffer(now, language) ?? "", subject,
    personalField(words.preheader, now, "preheader", inLanguage(language), { key: isSides() ? `preheader-${language}` : "preheader", changed: () => changed(), help: words.preheader_help })];
}

/** A language without words is offered those of another; a variant or language may go again. */
function copyOffer(now, language) {
  const { texts } = variant(), others = begun().filter((code) => code !== language && isWritten(texts[code]));
  if (isWritten(now) || !others.length) return null;
  return h("div", { class: "mc-offer" }, h("p", {}, about(words.empty_language, language, { other: context.language_words[others[0]] })),
    h("div", { class: "zl-row" }, others.map((code) => button(about(words.copy_from, code), "copy", () => {
      texts[language] = structuredClone(texts[code]);
      changed(true);
    }, "btn-secondary btn-sm")), button(about(words.remove_language, language), "trash", () => removeLanguage(language))));
}

function removeLanguage(language) {
  const { texts } = variant();
  if (Object.keys(texts).length < 2) return;
  delete texts[language];
  at = { ...at, language: Object.keys(texts)[0] };
  changed(true);
  saving.send();
}

const inLanguage = (language) => ({ ...context, language });

function drawBlocks() {
  const { blocks } = text();
  if (isSides()) {
    list.replaceChildren(...sides(rowsOf(variant().texts, begun()), begun(), { open, words, about, names: languages, blocks: context.blocks, inLanguage, act: actBeside }));
    nameActivities(begun().flatMap((code) => variant().texts[code].blocks));
    return;
  }
  list.replaceChildren(...blocks.map((block, index) => card(block, index, blocks.length)));
  nameActivities(blocks);
}

function card(block, index, count) {
  const [label, , symbol] = context.blocks[block.type];
  const isOpen = open === block.id;
  const tool = (words_, symbol_, onclick, isOff) => h("button", { type: "button", class: "btn btn-quiet btn-sm seg-icon-button", title: words_, "aria-label": `${words_}: ${label}`, disabled: isOff, onclick }, icon(symbol_));
  const handle = h("button", { type: "button", class: "btn btn-quiet btn-sm seg-handle", "data-drag": block.id, "data-key": `${block.id}-move`, title: words.move, "aria-label": `${words.move}: ${label}`,
    onkeydown: (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) { event.preventDefault(); act.move(block, index + step); }
    } }, icon("drag"));
  const toggle = h("button", { type: "button", class: "mc-title", "aria-expanded": String(isOpen), "data-key": `${block.id}-open`,
    onclick: () => { open = isOpen ? null : block.id; drawBlocks(); if (open) focusOn(block.id, true); else root.querySelector(`[data-key="${block.id}-open"]`)?.focus(); } },
  icon(symbol), h("strong", {}, label), onlySome(block), h("span", { class: "mc-summary" }, summed(block)));
  const warning = context.is_service && MARKETING.includes(block.type) && icon("warning");
  return h("li", { class: `mc-block${isOpen ? " is-open" : ""}`, "data-block": block.id, "data-kind": block.type },
    h("div", { class: "mc-block-head" }, handle, toggle, warning,
      h("div", { class: "mc-block-tools" }, tool(words.move_up, "up", () => act.move(block, index - 1), index === 0), tool(words.move_down, "down", () => act.move(block, index + 1), index === count - 1),
        tool(words.duplicate, "copy", () => act.duplicate(block)), tool(words.remove, "trash", () => act.remove(block)))),
    isOpen && formOf(block, inLanguage(at.language), (again) => { if (again) { changed(); drawBlocks(); } else { changed(); showSummary(block); } }));
}

const onlySome = (block) => block.only_if && h("span", { class: "mc-some", title: words.only_some }, icon("filter"), h("span", { class: "visually-hidden" }, words.only_some));

function showSummary(block) {
  for (const language of shown()) {
    if (!variant().texts[language].blocks.includes(block)) continue;
    const place = placeOn(language, block.id)?.querySelector(".mc-summary");
    if (place) place.textContent = summed(block);
  }
}

/** Activities are kept by their number; their titles are asked for once. */
async function nameActivities(blocks) {
  const wanted = blocks.flatMap((block) => block.chosen ?? []).map((one) => one.activity_id).filter((id) => !(id in context.titles));
  if (!wanted.length) return;
  const answer = await getJson(`/mailings/programme?language=${at.language}&${wanted.map((id) => `id=${id}`).join("&")}`).catch(() => null);
  for (const one of answer?.activities ?? []) {
    context.titles[one.id] = one.title;
    for (const place of list.querySelectorAll(`[data-activity="${one.id}"]`)) place.textContent = one.title;
  }
  for (const block of blocks) showSummary(block);
}

function drawPalette() {
  const kinds = ADDED.filter((type) => !(context.is_service && MARKETING.includes(type)));
  const items = kinds.map((type) => ({ label: context.blocks[type][0], hint: context.blocks[type][1], symbol: context.blocks[type][2], onpick: () => add(type) }));
  palette.replaceChildren(h("h2", { class: "seg-small-head" }, words.add), h("div", { class: "mc-kinds" }, items.map((item, place) =>
    h("button", { type: "button", class: "mc-kind", title: item.hint, "data-add": kinds[place], onclick: item.onpick }, icon(item.symbol), item.label))),
  content.variants.length === 1 ? button(words.add_variant, "plus", addVariant) : button(words.remove_variant.replace("{variant}", at.variant), "trash", () => {
    content.variants = content.variants.filter((each) => each.name !== at.variant);
    at = firstPlace();
    changed(true);
  }));
}

function showInbox() {
  document.querySelector("[data-subject]").textContent = plain(text().subject) || words.subject;
  document.querySelector("[data-preheader]").textContent = plain(text().preheader);
}

function summed(block) {
  if (block.type !== "activities") return plain(summaryOf(block));
  return block.mode === "chosen" ? block.chosen.map((one) => context.titles[one.activity_id] ?? "…").join(", ") : `${words.automatic}: ${[block.count, block.genre, block.venue, block.audience].filter(Boolean).join(", ")}`;
}

const plain = (said = "") => said.replace(/\{\{\s*([\w.]+)[^}]*\}\}/g, (_all, name) => context.fields.find((field) => field.name === name)?.sample || "…");

function focusOn(id, isInside = false) {
  const element = placeOn(at.language, id) ?? placeOn(shown()[0], id);
  (isInside && element?.querySelector(".mc-form :is([contenteditable=true], input, select, textarea, button)") || element?.closest(".mc-block")?.querySelector(".mc-title"))?.focus();
  element?.scrollIntoView({ block: "nearest" });
}

/** From a finding to where it is. */
function jump({ variant: name, language, block }) {
  const found = content.variants.find((each) => each.name === (name || at.variant)) ?? content.variants[0];
  at = { variant: found.name, language: language in found.texts ? language : at.language };
  const outer = block && text().blocks.find((each) => each.id === block || each.columns?.flat().some((inner) => inner.id === block));
  open = outer ? outer.id : null;
  view("write");
  draw();
  preview.refresh();
  if (outer) focusOn(block, true); else placeOn(at.language)?.querySelector("input")?.focus();
}

let speaking = 0;

/** Says something to whoever listens instead of looks. */
function say(sentence) {
  clearTimeout(speaking);
  speaking = setTimeout(() => { spoken.textContent = sentence; }, 50);
}

// --- begin ---

function view(name) {
  root.dataset.view = name;
  for (const each of document.querySelectorAll(".mc-views [data-view]")) each.setAttribute("aria-pressed", String(each.dataset.view === name));
}

for (const each of document.querySelectorAll(".mc-views [data-view]")) each.addEventListener("click", () => view(each.dataset.view));
makeDraggable(list, (id, index) => { const block = text().blocks.find((each) => each.id === id); if (block) act.move(block, index); });

document.getElementById("try-out").addEventListener("click", async (event) => {
  const pressed = event.currentTarget;
  pressed.disabled = true;
  await saving.send();
  const asked = new URLSearchParams({ ...at, ...(preview.person ? { person: preview.person } : {}) });
  const answer = await fetch(`/mailings/${context.id}/try?${asked}`, { method: "POST", headers: { "X-CSRFToken": csrfToken() } }).catch(() => null);
  const said = await answer?.json().catch(() => null);
  saved.textContent = said?.title ?? words.trouble;
  saved.dataset.state = answer?.ok ? "saved" : "errors";
  pressed.disabled = false;
});

isWide.addEventListener("change", draw);
// What is written in shows beside it.
root.addEventListener("focusin", (event) => {
  const language = event.target.closest(".mc-write [data-language]:not(button)")?.dataset.language;
  if (!language || language === at.language) return;
  at = { ...at, language };
  for (const each of tabs.querySelectorAll("button[data-language]")) each.setAttribute("aria-pressed", String(each.dataset.language === language));
  showInbox();
  preview.refresh();
});

open = text().blocks.find((block) => block.type === "text")?.id ?? null;
draw();
preview.show("desktop");
checks.hasVariants = true;
checks.refresh();
