// A mail in all its languages beside one another: the same block on one row, and what is missing where.

import { button, h, icon } from "../segments/elements.js";
import { formOf } from "./blocks.js";
import { copyBlock, summaryOf } from "./model.js";

const SAME_ID = 3, SAME_KIND = 1;

/** Blocks that belong together, in the order of the mail: of one id, else of one kind at the same place.
 *  Returns rows of {language: block}; a language without such a block is not in it. */
export function rowsOf(texts, languages) {
  const [first, ...others] = languages;
  return others.reduce((rows, language) => joined(rows, texts[language].blocks, language), texts[first].blocks.map((block) => ({ [first]: block })));
}

function joined(rows, blocks, language) {
  const alike = (row, block) => Math.max(...Object.values(row).map((each) => (each.id === block.id ? SAME_ID : each.type === block.type ? SAME_KIND : 0)));
  // best[i][j]: how well the rows from i on and the blocks from j on go together.
  const best = Array.from({ length: rows.length + 1 }, () => new Array(blocks.length + 1).fill(0));
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    for (let j = blocks.length - 1; j >= 0; j -= 1) {
      const match = alike(rows[i], blocks[j]);
      best[i][j] = Math.max(best[i + 1][j], best[i][j + 1], match ? match + best[i + 1][j + 1] : 0);
    }
  }
  const found = [];
  let i = 0, j = 0;
  while (i < rows.length || j < blocks.length) {
    const match = i < rows.length && j < blocks.length ? alike(rows[i], blocks[j]) : 0;
    if (match && best[i][j] === match + best[i + 1][j + 1]) found.push({ ...rows[i++], [language]: blocks[j++] });
    else if (j === blocks.length || (i < rows.length && best[i][j] === best[i + 1][j])) found.push(rows[i++]);
    else found.push({ [language]: blocks[j++] });
  }
  return found;
}

const hasWords = (block) => Boolean(block && (block.type === "image" ? block.image : summaryOf(block)));
const mayHaveWords = (block) => !["activities", "divider", "spacer"].includes(block.type);

/** From which other language a row's words can be taken over: the first that has them where this one has none. */
export function sourceFor(row, language, languages) {
  const own = row[language];
  if (own && (!mayHaveWords(own) || hasWords(own))) return null;
  return languages.find((each) => each !== language && row[each] && (own ? hasWords(row[each]) : true)) ?? null;
}

/** How many blocks say something in another language and nothing in this one. */
export const gapsIn = (texts, language, languages) => rowsOf(texts, languages).filter((row) => sourceFor(row, language, languages)).length;

/** Puts a copy of another language's block where it belongs in this one; it keeps its id, so that both stay together. */
export function takeOver(texts, rows, row, language, source) {
  const { blocks } = texts[language], copy = { ...copyBlock(row[source]), id: row[language]?.id ?? row[source].id };
  if (row[language]) { blocks.splice(blocks.indexOf(row[language]), 1, copy); return; }
  if (blocks.some((block) => block.id === copy.id)) copy.id = copyBlock(copy).id;
  const before = rows.slice(0, rows.indexOf(row)).reverse().find((each) => each[language]);
  blocks.splice(before ? blocks.indexOf(before[language]) + 1 : 0, 0, copy);
}

/** Changes places with the row above (-1) or below (1) in every language that has both. */
export function moveRow(texts, rows, row, step) {
  const other = rows[rows.indexOf(row) + step];
  for (const language of Object.keys(row)) {
    if (!other?.[language]) continue;
    const { blocks } = texts[language], [from, to] = [blocks.indexOf(row[language]), blocks.indexOf(other[language])];
    [blocks[from], blocks[to]] = [blocks[to], blocks[from]];
  }
}

/** The rows as list items. `act`: {toggle, take, move, remove, changed(block, again), summed}; `inLanguage(code)` is what forms know,
 *  `about(sentence, code)` names a language in a sentence. */
export function sides(rows, languages, { open, words, about, names, blocks, inLanguage, act }) {
  return rows.map((row, index) => {
    const block = Object.values(row)[0], [label, , symbol] = blocks[block.type];
    const isOpen = Object.values(row).some((each) => each.id === open);
    const tool = (said, face, onclick, isOff) => h("button", { type: "button", class: "btn btn-quiet btn-sm seg-icon-button", title: said, "aria-label": `${said}: ${label}`, disabled: isOff, onclick }, icon(face));
    const cell = (language) => h("div", { class: "mc-cell", "data-language": language, "data-block": row[language]?.id, lang: language, role: "group", "aria-label": `${label}: ${names[language]}` },
      gap(rows, row, language, languages, { words, about, act }),
      row[language] && (isOpen ? formOf(row[language], inLanguage(language), (again) => act.changed(row[language], again))
        : h("p", { class: "mc-summary" }, act.summed(row[language]))));
    return h("li", { class: `mc-block${isOpen ? " is-open" : ""}`, "data-kind": block.type },
      h("div", { class: "mc-block-head" },
        h("button", { type: "button", class: "mc-title", "aria-expanded": String(isOpen), "data-key": `${block.id}-open`, onclick: () => act.toggle(row, isOpen) }, icon(symbol), h("strong", {}, label)),
        h("div", { class: "mc-block-tools" }, tool(words.move_up, "up", () => act.move(rows, row, -1), index === 0), tool(words.move_down, "down", () => act.move(rows, row, 1), index === rows.length - 1),
          tool(words.remove, "trash", () => act.remove(row)))),
      h("div", { class: "mc-cells", "data-columns": languages.length }, languages.map(cell)));
  });
}

function gap(rows, row, language, languages, { words, about, act }) {
  const source = sourceFor(row, language, languages);
  if (!source) return null;
  const said = row[language] ? words.empty_here : words.missing_here;
  return h("div", { class: "mc-gap" }, h("span", {}, icon("warning"), about(said, language)),
    button(about(words.take_over, source), "copy", () => act.take(rows, row, language, source), "btn-secondary btn-sm"));
}
