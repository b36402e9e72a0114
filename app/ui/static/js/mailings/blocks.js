// The form of each kind of block. Every change goes through `changed(again)`; `again` draws the block anew.

import { button, h, icon } from "../segments/elements.js";
import { INNER, newBlock } from "./model.js";
import { getJson, pickActivity, pickField, pickImage, pickLink, tidy } from "./pickers.js";
import { fieldText, RichText } from "./rich_text.js";

let ids = 0;

/** A labelled field; `make(id)` gives the control. */
function labelled(label, make, help) {
  const id = `mc-${(ids += 1)}`;
  return h("div", { class: "zl-field" }, h("label", { for: id }, label), make(id), help && h("p", { class: "zl-help" }, help));
}

function textField(label, block, name, { changed, help, key, type = "text", max = 300, finish } = {}) {
  return labelled(label, (id) => h("input", { class: "form-control", id, type, value: block[name] ?? "", maxLength: max, "data-key": key,
    "data-field": name, autocomplete: "off", oninput: (event) => { block[name] = event.target.value; changed(); },
    onchange: (event) => { if (finish) { block[name] = event.target.value = finish(event.target.value); changed(); } } }), help);
}

function choice(label, block, name, options, changed, again = false) {
  return labelled(label, (id) => {
    const select = h("select", { class: "form-select", id, "data-field": name, onchange: (event) => {
      block[name] = typeof block[name] === "number" ? Number(event.target.value) : event.target.value;
      changed(again);
    } }, options.map(([value, text]) => h("option", { value }, text)));
    select.value = String(block[name]);
    return select;
  });
}

function tick(label, block, name, changed, again = false) {
  return h("label", { class: "form-check" }, h("input", { class: "form-check-input", type: "checkbox", checked: block[name],
    onchange: (event) => { block[name] = event.target.checked; changed(again); } }), h("span", { class: "form-check-label" }, ` ${label}`));
}

/** Words of one line in which a personal field may stand. */
export function personalField(label, block, name, context, { changed, help, max = 300, key }) {
  const id = `mc-${(ids += 1)}`;
  const input = h("input", { class: "form-control", id, value: block[name] ?? "", maxLength: max, "data-field": name, "data-key": key, autocomplete: "off",
    oninput: () => { block[name] = input.value; changed(); } });
  const insert = (field, fallback) => {
    const text = fieldText(field, fallback), at = input.selectionStart ?? input.value.length;
    input.setRangeText(text, at, input.selectionEnd ?? at, "end");
    block[name] = input.value;
    changed();
    input.focus();
  };
  return h("div", { class: "zl-field" }, h("label", { for: id }, label),
    h("div", { class: "mc-with-button" }, input, h("button", { type: "button", class: "btn btn-quiet btn-sm", title: context.words.person, "aria-label": `${context.words.person}: ${label}`,
      onclick: () => pickField(context, insert) }, icon("person"))), help && h("p", { class: "zl-help" }, help));
}

function rich(block, context, changed, label) {
  const { words } = context;
  const labels = Object.fromEntries(context.fields.map((field) => [field.name, field.label]));
  return new RichText({ html: block.html, label, words, labels, key: `${block.id}-html`,
    onchange: (html) => { block.html = html; changed(); },
    pick: { field: (insert) => pickField(context, insert), link: (now, choose) => pickLink(context, now, choose) } }).element;
}

const aligned = (words) => [["left", words.left], ["center", words.center]];

const FORMS = {
  text: (block, context, changed) => [rich(block, context, changed, context.blocks.text[0]), choice(context.words.align, block, "align", aligned(context.words), changed)],
  footer: (block, context, changed) => [rich(block, context, changed, context.blocks.footer[0]), h("p", { class: "zl-help" }, context.words.house_words)],
  header: (block, context, changed) => [personalField(context.words.title, block, "title", context, { changed }), tick(context.words.has_logo, block, "has_logo", changed)],
  button: (block, context, changed) => [
    personalField(context.words.button_words, block, "label", context, { changed, max: 160 }),
    textField(context.words.link_to, block, "url", { changed, finish: tidy, max: 2000 }),
    choice(context.words.align, block, "align", aligned(context.words), changed)],
  image: imageForm,
  divider: () => [],
  spacer: (block, context, changed) => [labelled(context.words.height, (id) => h("input", { class: "form-range", id, type: "range", min: 4, max: 120, step: 4, value: block.height,
    oninput: (event) => { block.height = Number(event.target.value); changed(); } }))],
  survey: (block, context, changed) => [
    personalField(context.words.question, block, "question", context, { changed }),
    ...whereAnswersGo(block, context, changed),
    labelled(context.words.answers, (id) => h("textarea", { class: "form-control", id, rows: 4, value: block.answers.join("\n"),
      oninput: (event) => { block.answers = event.target.value.split("\n").map((each) => each.trim()).filter(Boolean).slice(0, 11); changed(); } }))],
  activities: activitiesForm,
  columns: columnsForm,
};

export function formOf(block, context, changed) {
  return h("div", { class: "mc-form", "data-kind": block.type }, FORMS[block.type](block, context, changed), whoSees(block, context, changed));
}

/** Who sees a block: everybody, or those of whom a field is so, or who are in a segment. */
function whoSees(block, context, changed) {
  const { words } = context, asked = block.only_if, isSegment = asked?.field.startsWith("segment.");
  const options = (each, name) => h("option", { value: name, selected: asked?.field === name }, each);
  const known = isSegment ? context.segments.some(([id]) => asked.field === `segment.${id}`) : context.fields.some((field) => field.name === asked?.field);
  const choose = (field) => {
    block.only_if = field ? { field, test: "known", value: "" } : null;
    changed(true);
  };
  const who = labelled(words.only_if, (id) => h("select", { class: "form-select", id, "data-field": "only_if", onchange: (event) => choose(event.target.value) },
    options(words.only_all, ""), asked && !known && options(asked.field, asked.field),
    context.segments.length > 0 && h("optgroup", { label: words.only_segments }, context.segments.map(([id, name]) => options(name, `segment.${id}`))),
    h("optgroup", { label: words.only_fields }, context.fields.map((field) => options(field.label, field.name)))));
  if (!asked) return h("div", { class: "mc-only" }, who);
  const tests = isSegment ? [["known", words.only_in], ["unknown", words.only_not_in]]
    : [["known", words.only_known], ["unknown", words.only_unknown], ["is", words.only_is], ["is_not", words.only_is_not]];
  const test = h("select", { class: "form-select", "aria-label": words.only_some, "data-field": "only_test", onchange: (event) => { asked.test = event.target.value; changed(true); } },
    tests.map(([value, text]) => h("option", { value, selected: asked.test === value }, text)));
  const typed = { "aria-label": words.only_value, "data-field": "only_value" }, take = (event) => { asked.value = event.target.value; changed(); };
  const value = ["is", "is_not"].includes(asked.test) && (asked.field === "language"
    ? h("select", { class: "form-select", ...typed, onchange: take }, h("option", { value: "" }, "–"), context.languages.map(([code, name]) => h("option", { value: code, selected: asked.value === code }, name)))
    : h("input", { class: "form-control", ...typed, placeholder: words.only_value, value: asked.value, maxLength: 200, oninput: take }));
  return h("div", { class: "mc-only is-on" }, who, test, value);
}

/** What somebody calls a field of the house's own, as it is kept. */
const ownField = (name) => {
  const key = name.trim().toLowerCase().normalize("NFKD").replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "");
  return key && `attributes.${key}`;
};

/** Answers are kept of the person as a field of the house's own, or lead to a page elsewhere. */
function whereAnswersGo(block, context, changed) {
  const { words } = context, isKept = Boolean(block.field) || (!block.url && !context.elsewhere.has(block.id));
  const id = `mc-${(ids += 1)}`;
  const select = h("select", { class: "form-select", id, onchange: () => {
    if (select.value === "kept") { block.url = ""; context.elsewhere.delete(block.id); } else { block.field = ""; context.elsewhere.add(block.id); }
    changed(true);
  } }, h("option", { value: "kept" }, words.answers_kept), h("option", { value: "elsewhere" }, words.answers_elsewhere));
  select.value = isKept ? "kept" : "elsewhere";
  const chosen = h("div", { class: "zl-field" }, h("label", { for: id }, words.answers_go), select);
  if (!isKept) return [chosen, textField(words.survey_url, block, "url", { changed, finish: tidy, max: 2000 })];
  const own = { name: block.field.replace(/^attributes\./, "") };
  const field = textField(words.own_field, own, "name", { changed: () => { block.field = ownField(own.name); changed(); }, help: words.own_field_help, max: 60 });
  const known = h("datalist", { id: `mc-own-${(ids += 1)}` }, context.fields.filter((one) => one.name.startsWith("attributes.")).map((one) => h("option", { value: one.label })));
  field.querySelector("input").setAttribute("list", known.id);
  return [chosen, field, known];
}

function imageForm(block, context, changed) {
  const { words } = context;
  const choose = () => pickImage(context, (image) => { block.image = image.name; if (image.alt && !block.alt) block.alt = image.alt; changed(true); });
  if (!block.image) return [button(words.choose_image, "upload", choose, "btn-secondary")];
  return [
    h("div", { class: "mc-picture" }, h("img", { src: `/i/${block.image}`, alt: block.alt }), button(words.other_image, "upload", choose)),
    !block.is_decorative && textField(words.alt, block, "alt", { changed, help: words.alt_help }),
    tick(words.decorative, block, "is_decorative", changed, true),
    textField(words.link_to, block, "url", { changed, finish: tidy, max: 2000 }),
    labelled(words.width, (id) => h("input", { class: "form-range", id, type: "range", min: 10, max: 100, step: 5, value: block.width_pct,
      oninput: (event) => { block.width_pct = Number(event.target.value); changed(); } })),
  ];
}

function activitiesForm(block, context, changed) {
  const { words } = context;
  const shared = [choice(words.layout, block, "layout", [["list", words.list], ["grid", words.grid]], changed), textField(words.own_button, block, "button_label", { changed, max: 80 })];
  const mode = choice(words.which, block, "mode", [["chosen", words.chosen], ["automatic", words.automatic]], changed, true);
  if (block.mode === "automatic") {
    const genres = h("datalist", { id: `mc-genres-${(ids += 1)}` }), audiences = h("datalist", { id: `mc-audiences-${(ids += 1)}` });
    const offer = (list, values) => list.replaceChildren(...values.map((value) => h("option", { value })));
    getJson(`/mailings/programme?language=${context.language}`).then((answer) => { offer(genres, answer.genres); offer(audiences, answer.audiences); }).catch(() => {});
    const genre = textField(words.genre, block, "genre", { changed }), audience = textField(words.audience, block, "audience", { changed, help: words.audience_help });
    genre.querySelector("input").setAttribute("list", genres.id);
    audience.querySelector("input").setAttribute("list", audiences.id);
    return [mode, h("div", { class: "mc-pair" }, genre, textField(words.venue, block, "venue", { changed })), audience, audiences,
      choice(words.count, block, "count", [1, 2, 3, 4, 5, 6, 8, 10, 12].map((each) => [each, String(each)]), changed), genres, ...shared];
  }
  return [mode, h("ol", { class: "mc-chosen" }, block.chosen.map((one, at) => chosenLine(block, one, at, context, changed))),
    block.chosen.length < 12 && button(words.find_activity, "search", () => pickActivity(context, (found) => {
      context.titles[found.id] = found.title;
      block.chosen.push({ activity_id: found.id, image: "", alt: "", note: "" });
      changed(true);
    }), "btn-secondary"), ...shared];
}

function chosenLine(block, one, at, context, changed) {
  const { words } = context;
  const swap = (step) => { block.chosen.splice(at + step, 0, block.chosen.splice(at, 1)[0]); changed(true); };
  const tool = (label, symbol, act, isOff) => h("button", { type: "button", class: "btn btn-quiet btn-sm seg-icon-button", title: label, "aria-label": label, disabled: isOff, onclick: act }, icon(symbol));
  return h("li", {}, h("div", { class: "mc-chosen-head" }, h("strong", { "data-activity": one.activity_id }, context.titles[one.activity_id] ?? `… ${one.activity_id}`),
    tool(words.move_up, "up", () => swap(-1), at === 0), tool(words.move_down, "down", () => swap(1), at === block.chosen.length - 1),
    tool(words.choose_image, "eye", () => pickImage(context, (image) => { one.image = image.name; changed(true); })),
    tool(words.remove, "trash", () => { block.chosen.splice(at, 1); changed(true); })),
  one.image && h("div", { class: "mc-pair" }, h("div", { class: "mc-picture is-small" }, h("img", { src: `/i/${one.image}`, alt: one.alt })), textField(words.alt, one, "alt", { changed })),
  textField(words.note, one, "note", { changed }));
}

function columnsForm(block, context, changed) {
  const { words } = context;
  const setCount = (event) => {
    const count = Number(event.target.value);
    while (block.columns.length < count) block.columns.push([newBlock("text")]);
    // What stood in the third column goes under the second: nothing is lost.
    while (block.columns.length > count) { const [last] = block.columns.splice(-1); block.columns.at(-1).push(...last); }
    changed(true);
  };
  const count = h("select", { class: "form-select seg-inline", "aria-label": words.layout, onchange: setCount }, h("option", { value: "2" }, words.columns_two), h("option", { value: "3" }, words.columns_three));
  count.value = String(block.columns.length);
  return [count, h("div", { class: "mc-columns" }, block.columns.map((column) => h("div", { class: "mc-column" },
    column.map((inner, at) => h("div", { class: "mc-inner", "data-block": inner.id },
      h("div", { class: "mc-inner-head" }, h("span", {}, context.blocks[inner.type][0]),
        h("button", { type: "button", class: "btn btn-quiet btn-sm seg-icon-button", title: words.remove, "aria-label": words.remove, onclick: () => { column.splice(at, 1); changed(true); } }, icon("trash"))),
      h("div", { class: "mc-form", "data-kind": inner.type }, FORMS[inner.type](inner, context, changed)))),
    h("div", { class: "mc-adders" }, INNER.map((type) => button(context.blocks[type][0], "plus", () => { column.push(newBlock(type)); changed(true); }))))))];
}
