// The boxes of a rule as a part of a page: drawn from the rule, changed by hand, dragged, and told what is wrong with it.
// Whoever uses it keeps the rule, and what can be undone.

import { NEW } from "./conditions.js";
import { makeDraggable } from "./dragging.js";
import { count, drawTree, tell } from "./drawing.js";
import { closeMenu } from "./menus.js";
import { allNodes, copyOf, findById, fromRule, leaf, newBox, parentOf, place, toRule } from "./model.js";
import { name } from "./suggestions.js";

/** What the boxes need to know and say, from the JSON that the page carries; names of what is known by number are kept. */
export function readContext(text) {
  const { words, purposes, segments, today, language, activities, journeys, genres, hasJourneys, closed } = JSON.parse(text);
  for (const [id, title] of Object.entries(activities)) name("activities", id, title);
  for (const [id, title] of Object.entries(journeys)) name("journeys", id, title);
  for (const [term, title] of Object.entries(genres)) name("genres", term, title);
  for (const [id, title] of segments) name("segments", id, title);
  return { words, purposes, language, hasJourneys, closed, today: new Date(`${today}T12:00:00Z`) };
}

export class RuleBox {
  /** `onchange(again)` hears of every change, `again` where it was drawn anew; `say` tells who listens; `tools` stand below. */
  constructor(root, { rule, context, say, onchange, tools = [] }) {
    Object.assign(this, { root, context, say, onchange, tools, errors: {}, notes: {} });
    this.tree = fromRule(rule);
    this.act = {
      changed: (again) => this.#changed(again),
      say,
      addCondition: (parent, type) => this.#add(parent, leaf(NEW[type]())),
      addBox: (parent) => this.#add(parent, newBox(parent.mode === "all" ? "any" : "all", [])),
      duplicate: (node) => this.#duplicate(node),
      remove: (node) => this.#remove(node),
      wrap: (node) => this.#wrap(node),
      move: (node, target, index) => this.#move(node, target, index),
    };
    makeDraggable(root, (id, boxId, index) => {
      const node = findById(this.tree, id), target = findById(this.tree, boxId);
      if (node && target && !findById(node, boxId)) this.#move(node, target, index);
    });
  }

  get rule() { return toRule(this.tree); }

  get nodes() { return allNodes(this.tree); }

  /** Takes another tree (a state of this one from before) or rule. */
  show(tree) {
    this.tree = Array.isArray(tree.items) ? tree : fromRule(tree);
    toRule(this.tree);
    this.draw();
  }

  draw() {
    const { root } = this;
    closeMenu(false);
    const focused = document.activeElement?.dataset?.key;
    const steps = new Map([...root.querySelectorAll(".seg-step:not([hidden])")].map((step) => [step.closest("[data-node]").dataset.node, step]));
    root.replaceChildren(drawTree(this.tree, this.context, this.act), ...this.tools);
    // Until the new counts are there, the old ones stay, and look old.
    for (const [id, step] of steps) root.querySelector(`[data-node="${id}"] > .seg-below > .seg-step`)?.replaceWith(step);
    if (focused) root.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    this.#showNotes();
  }

  /** What the server finds wrong, and worth knowing: {path: sentence}. */
  tell(errors, notes = {}) {
    Object.assign(this, { errors, notes });
    this.#showNotes();
  }

  /** The counts of the conditions: {of, steps}. */
  count(found) {
    const { words, language } = this.context;
    count(this.root, this.nodes, found, (node) => parentOf(this.tree, node)?.mode ?? "all", words, language);
  }

  /** The counts are of a rule that is not this one any more. */
  age() {
    for (const step of this.root.querySelectorAll(".seg-step")) step.classList.add("is-old");
  }

  #showNotes() {
    tell(this.root, this.nodes, this.errors, ".seg-wrong");
    tell(this.root, this.nodes, this.notes, ".seg-hint");
  }

  #changed(again) {
    this.onchange(again);
    if (again) this.draw();
  }

  #add(parent, node) {
    parent.items.push(node);
    this.#changed(true);
    this.#focusOn(node);
  }

  #duplicate(node) {
    const copy = copyOf(node), { items } = parentOf(this.tree, node);
    items.splice(items.indexOf(node) + 1, 0, copy);
    this.#changed(true);
    this.#focusOn(copy);
    this.say(this.context.words.duplicated);
  }

  #remove(node) {
    const { items, id } = parentOf(this.tree, node), at = items.indexOf(node);
    items.splice(at, 1);
    this.#changed(true);
    const next = items[at] ?? items[at - 1];
    if (next) this.#focusOn(next); else this.root.querySelector(`[data-key="${id}-add"]`)?.focus();
    this.say(this.context.words.removed);
  }

  #wrap(node) {
    const { items, mode } = parentOf(this.tree, node);
    const around = newBox(mode === "all" ? "any" : "all", [node]);
    items.splice(items.indexOf(node), 1, around);
    this.#changed(true);
    this.#focusOn(around);
  }

  #move(node, target, index) {
    const { words } = this.context;
    place(this.tree, node, target, index);
    this.#changed(true);
    const handle = this.root.querySelector(`[data-key="${node.id}-move"]`);
    handle?.focus({ preventScroll: true });
    handle?.scrollIntoView({ block: "nearest" });
    this.say(words.moved.replace("{place}", target.items.indexOf(node) + 1).replace("{all}", target.items.length).replace("{group}", words.modes[target.mode]));
  }

  #focusOn(node) {
    const element = this.root.querySelector(`[data-node="${node.id}"]`);
    (element?.querySelector(".seg-fields :is(select, input, button)") ?? element?.querySelector("select, input, button"))?.focus();
    element?.scrollIntoView({ block: "nearest" });
  }
}
