// How a journey looks: what starts it, then its steps from top to bottom, each a sentence; branches side by side. What
// people do to it comes back through `act`.

import { h, icon, iconButton } from "../segments/elements.js";
import { menuButton } from "../segments/menus.js";
import { allLists, listsOf, movesOf, ROOT } from "./model.js";

export const SYMBOLS = {
  send: "mail", wait: "clock", wait_until: "calendar", wait_for: "pulse", choose: "filter", split: "segment", tag: "tag", set: "edit",
  audience: "audience", notify: "person", webhook: "link", exit: "logout",
};
const ARROWS = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "into", ArrowLeft: "out" };

/** Draws a definition. `context` holds words, story, wrong (sentences by id), numbers (of a journey that runs, by id), selected
 * and canPaste; `act` has open, add, paste, copy, duplicate, remove, move and say. */
export function drawCanvas(definition, context, act) {
  const { words, story, wrong, selected } = context;
  const lists = new Map(allLists(definition).map((one) => [one.key, one.list]));

  function card(id, symbol, sentence, { label, more = [], tools = [], before } = {}) {
    const said = wrong.get(id) ?? [];
    return h("div", { class: `jou-card${said.length ? " is-wrong" : ""}${selected === id ? " is-selected" : ""}`, "data-card": id },
      before,
      h("button", { type: "button", class: "jou-open", "data-key": `${id}-open`, "aria-expanded": String(selected === id), "aria-controls": "panel",
        onclick: () => act.open(id), onkeydown: (event) => onkey(event, id) },
      icon(symbol), h("span", { class: "jou-said" }, label && h("span", { class: "jou-kind" }, label), h("span", { class: "jou-sentence" }, sentence), more)),
      tools.length > 0 && h("span", { class: "jou-tools" }, tools),
      figures(context.numbers[id]),
      h("p", { class: "jou-wrong", hidden: said.length === 0 }, [...new Set(said)].join(" ")));
  }

  /** How many came to a step that runs, wait there and went on: each number leads to the people behind it. */
  function figures(of) {
    return of && [
      h("p", { class: "jou-figures" }, of.counts.map((one) => h("a", { href: one.url, class: one.tone }, h("strong", {}, one.count), ` ${one.word}`))),
      of.why.length > 0 && h("ul", { class: "jou-reasons" }, of.why.map((sentence) => h("li", {}, sentence))),
    ];
  }

  function onkey(event, id) {
    const isStep = id !== "start";
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      act.beside(id, event.key === "ArrowDown" ? 1 : -1);
    } else if (isStep && (event.key === "Delete" || event.key === "Backspace")) {
      event.preventDefault();
      act.remove(id);
    } else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
      const deed = { c: isStep && act.copy, x: isStep && act.cut, v: act.pasteBehind }[event.key.toLowerCase()];
      if (!deed) return;
      event.preventDefault();
      deed(id);
    }
  }

  function start() {
    const more = [
      story.only && h("span", { class: "jou-more" }, `${words.only}: ${story.only}`),
      story.goal && h("span", { class: "jou-more" }, `${words.goal}: ${story.goal}`),
    ];
    return card("start", "play", story.start, { label: words.start, more });
  }

  function drawList(key) {
    const list = lists.get(key);
    return h("div", { class: "jou-list" }, h("ol", { class: "jou-items", "data-items": key },
      gap(key, 0), list.map((step, index) => [drawStep(step), gap(key, index + 1)])));
  }

  /** Between two steps: a plus that offers what can stand here. */
  function gap(key, index) {
    const opener = h("button", { type: "button", class: "jou-plus", "data-key": `${key}-${index}-plus`, title: words.add, "aria-label": words.add }, icon("plus"));
    const items = [
      ...(context.canPaste ? [{ label: words.paste, hint: context.canPaste, symbol: "copy", onpick: () => act.paste(key, index) }] : []),
      ...Object.keys(SYMBOLS).map((type) => ({ label: words.types[type], hint: words.hints[type], symbol: SYMBOLS[type], onpick: () => act.add(type, key, index) })),
    ];
    return h("li", { class: "jou-gap" }, menuButton(opener, items));
  }

  function drawStep(step) {
    const sentence = story.steps[step.id] ?? words.types[step.type] ?? step.type;
    const lists_ = listsOf(step);
    return h("li", { class: "jou-step", "data-node": step.id, "data-type": step.type },
      card(step.id, SYMBOLS[step.type] ?? "info", sentence, {
        before: handle(step, sentence),
        tools: [
          iconButton(`${words.duplicate}: ${sentence}`, "copy", () => act.duplicate(step.id), `${step.id}-copy`),
          iconButton(`${words.remove}: ${sentence}`, "trash", () => act.remove(step.id), `${step.id}-remove`),
        ],
      }),
      lists_.length > 0 && h("div", { class: "jou-branches", "data-count": String(lists_.length) }, lists_.map((_list, index) => {
        const label = story.branches[step.id]?.[index] ?? "";
        return h("section", { class: "jou-branch", "aria-label": label }, h("p", { class: "jou-branch-label" }, label), drawList(`${step.id}/${index}`));
      })));
  }

  /** What a step is held by: drag it, use the arrows on it, or open its menu. */
  function handle(step, sentence) {
    const moves = movesOf(definition, step.id);
    const opener = h("button", { type: "button", class: "btn btn-quiet btn-sm seg-handle", "data-drag": step.id, "data-key": `${step.id}-move`,
      title: words.move, "aria-label": `${words.move}: ${sentence}`, "aria-keyshortcuts": "ArrowUp ArrowDown ArrowLeft ArrowRight",
      onkeydown: (event) => {
        const way = ARROWS[event.key];
        if (!way || event.target.getAttribute("aria-expanded") === "true") return;
        event.preventDefault();
        if (moves[way]) act.move(step.id, moves[way].key, moves[way].index);
        else act.say(words.cannot_move);
      } }, icon("drag"));
    const items = [["up", "up"], ["down", "down"], ["into", "right"], ["out", "left"]].map(([way, symbol]) => ({
      label: words.moves[way], symbol, isOff: !moves[way], onpick: () => act.move(step.id, moves[way].key, moves[way].index),
    }));
    items.push({ label: words.copy, symbol: "copy", onpick: () => act.copy(step.id) });
    return h("span", { class: "seg-handle-box" }, menuButton(opener, items));
  }

  return h("div", { class: "jou-story" }, start(), drawList(ROOT), h("p", { class: "jou-end" }, words.end));
}
