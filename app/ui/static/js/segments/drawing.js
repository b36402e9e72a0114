// How the tree looks: boxes that say how they combine, and in them conditions that read as sentences. What people do to
// it comes back through `act`.

import { fieldsOf, NEW } from "./conditions.js";
import { button, choose, h, icon, iconButton } from "./elements.js";
import { menuButton } from "./menus.js";
import { ALIKE, isBox, movesOf } from "./model.js";

const DEEPEST = 4;
const ARROWS = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "into", ArrowLeft: "out" };

/** Draws a tree. `act` has changed(again), add, duplicate, remove, wrap and move. */
export function drawTree(tree, context, act) {
  const { words } = context;

  function drawBox(node, depth) {
    const modes = ["all", "any", "none", ...(node.mode === "notall" ? ["notall"] : []), ...(depth > 0 ? ALIKE : [])].map((mode) => [mode, words.modes[mode]]);
    const head = h("div", { class: "seg-box-head" },
      depth > 0 && handle(node, words.modes[node.mode]),
      choose(words.how_to_combine, modes, node.mode, (mode) => { node.mode = mode; act.changed(true); }, `${node.id}-mode`),
      depth > 0 && tools(node));
    const empty = node.items.length === 0 && h("p", { class: "zl-soft seg-empty" }, node.isNew ? words.empty_new : words.empty[node.mode]);
    return h("section", { class: `seg-box is-${node.mode}`, "data-node": node.id, "aria-label": words.modes[node.mode] },
      head, depth > 0 ? below() : h("p", { class: "seg-wrong", hidden: true, role: "status" }),
      h("div", { class: "seg-items", "data-items": node.id }, empty, node.items.map((item, index) => [
        index > 0 && h("span", { class: "seg-joint", "aria-hidden": "true" }, words.joints[node.mode]),
        isBox(item) ? drawBox(item, depth + 1) : drawCondition(item),
      ])), adders(node, depth));
  }

  function drawCondition(node) {
    const label = words.types[node.rule.type] ?? node.rule.type;
    return h("div", { class: "seg-condition", "data-node": node.id, role: "group", "aria-label": label },
      handle(node, label),
      h("div", { class: "seg-fields" }, fieldsOf(node, context, act.changed)),
      tools(node),
      below());
  }

  /** The count of a condition or box, and what is wrong with it or worth knowing. */
  function below() {
    return h("div", { class: "seg-below" },
      h("p", { class: "seg-step", hidden: true }),
      h("p", { class: "seg-wrong", hidden: true, role: "status" }),
      h("p", { class: "seg-hint", hidden: true }));
  }

  /** What a condition is held by: drag it, use the arrows on it, or open its menu. */
  function handle(node, label) {
    const moves = movesOf(tree, node);
    const opener = h("button", { type: "button", class: "btn btn-quiet btn-sm seg-handle", "data-drag": node.id, "data-key": `${node.id}-move`,
      title: words.move, "aria-label": `${words.move}: ${label}`, "aria-keyshortcuts": "ArrowUp ArrowDown ArrowLeft ArrowRight",
      onkeydown: (event) => {
        const way = ARROWS[event.key];
        if (!way) return;
        event.preventDefault();
        if (moves[way]) act.move(node, moves[way].target, moves[way].index);
        else act.say(words.cannot_move);
      } }, icon("drag"));
    const items = [["up", "up"], ["down", "down"], ["into", "right"], ["out", "left"]].map(([way, symbol]) => ({
      label: words.moves[way], symbol, isOff: !moves[way],
      onpick: () => act.move(node, moves[way].target, moves[way].index),
    }));
    return h("span", { class: "seg-handle-box" }, menuButton(opener, items));
  }

  function tools(node) {
    return h("span", { class: "seg-node-tools" },
      iconButton(words.wrap, "segment", () => act.wrap(node), `${node.id}-wrap`),
      iconButton(words.duplicate, "copy", () => act.duplicate(node), `${node.id}-copy`),
      iconButton(words.remove, "trash", () => act.remove(node), `${node.id}-remove`));
  }

  function adders(node, depth) {
    const opener = button(words.add_condition, "plus", () => {}, "btn-secondary btn-sm");
    opener.dataset.key = `${node.id}-add`;
    const types = Object.keys(NEW).filter((type) => type !== "journey" || context.hasJourneys);
    const items = types.map((type) => ({ label: words.types[type], hint: words.hints[type], onpick: () => act.addCondition(node, type) }));
    return h("div", { class: "seg-adders" }, menuButton(opener, items),
      depth < DEEPEST && button(words.add_box, "segment", () => act.addBox(node)));
  }

  return drawBox(tree, 0);
}

/** Puts sentences at what they concern: {path: sentence}. What concerns no condition goes to the box it is in. */
export function tell(root, nodes, sentences, where) {
  const said = new Map();
  for (const [path, sentence] of Object.entries(sentences)) {
    const fitting = nodes.filter((node) => node.path !== null).filter((node) => path === node.path || node.path === "" || path.startsWith(`${node.path}.`));
    const node = fitting.sort((one, other) => other.path.length - one.path.length)[0];
    if (node) said.set(node.id, [...(said.get(node.id) ?? []), sentence]);
  }
  for (const node of nodes) {
    const element = root.querySelector(`[data-node="${node.id}"]`);
    const note = element?.querySelector(isBox(node) ? `:scope > ${where}, :scope > .seg-below > ${where}` : where);
    if (!note) continue;
    const sentence = [...new Set(said.get(node.id) ?? [])].join(" ");
    if (note.textContent !== sentence) note.textContent = sentence;
    note.hidden = sentence === "";
    if (where === ".seg-wrong") element.classList.toggle("is-wrong", sentence !== "");
  }
}

/** Puts the counts at the conditions and boxes they are of. */
export function count(root, nodes, { of, steps }, modeOf, words, language) {
  const say = new Intl.NumberFormat(language);
  for (const node of nodes) {
    const note = root.querySelector(`[data-node="${node.id}"] > .seg-below > .seg-step`);
    const step = steps[node.path];
    if (!note) continue;
    note.hidden = !step;
    if (!step) continue;
    note.classList.remove("is-old");
    note.replaceChildren(
      h("span", {}, words.alone.replace("{count}", say.format(step.alone)).replace("{of}", say.format(of))),
      h("span", { class: "seg-step-left" }, words.left[modeOf(node)].replace("{count}", say.format(step.left))));
  }
}
