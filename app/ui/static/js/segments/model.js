// The rule as the builder holds it: boxes with conditions in them. A box says "all", "any", "none" or "notall" of what
// is in it, or "person" or "household": all of it holds for somebody else, who is likely the same person or lives in the
// same household. A condition holds the JSON of one leaf. Every box and condition knows its path in the rule, so that what the
// server finds wrong can be shown where it is.

let counter = 0;
const newId = () => `n${(counter += 1)}`;

export const leaf = (rule) => ({ id: newId(), rule });
export const box = (mode, items) => ({ id: newId(), mode, items });
/** A box that somebody just put there: as long as it is empty, it says nothing. */
export const newBox = (mode, items) => ({ ...box(mode, items), isNew: true });
export const isBox = (node) => Array.isArray(node.items);
export const isSilent = (node) => Boolean(node.isNew) && node.items.every(isSilent);
export const ALIKE = ["person", "household"];

/** The builder's tree for a rule; its root is always a box. */
export function fromRule(rule) {
  const node = read(rule);
  return isBox(node) ? node : box("all", [node]);
}

function read(rule) {
  if (rule.type === "all" || rule.type === "any") return box(rule.type, (rule.rules ?? []).map(read));
  if (rule.type === "likely_same") {
    const inner = rule.rule ?? { type: "all", rules: [] };
    return box(ALIKE.includes(rule.who) ? rule.who : "person", (inner.type === "all" ? inner.rules ?? [] : [inner]).map(read));
  }
  if (rule.type !== "not") return leaf(structuredClone(rule));
  const inner = rule.rule ?? { type: "any", rules: [] };
  if (inner.type === "not") return read(inner.rule);
  if (inner.type === "all") return box("notall", (inner.rules ?? []).map(read));
  return box("none", (inner.type === "any" ? inner.rules ?? [] : [inner]).map(read));
}

/** The rule of a tree; notes every node's path on the way, null for what says nothing yet. */
export function toRule(node, path = "") {
  node.path = path;
  if (!isBox(node)) return node.rule;
  const isDenied = node.mode === "none" || node.mode === "notall", isAlike = ALIKE.includes(node.mode);
  const under = `${path}${path ? "." : ""}${isDenied || isAlike ? "rule." : ""}rules`;
  for (const silent of node.items.filter(isSilent).flatMap(allNodes)) silent.path = null;
  const rules = node.items.filter((item) => !isSilent(item)).map((item, index) => toRule(item, `${under}.${index}`));
  if (isAlike) return { type: "likely_same", who: node.mode, rule: { type: "all", rules } };
  const type = node.mode === "all" || node.mode === "notall" ? "all" : "any";
  return isDenied ? { type: "not", rule: { type, rules } } : { type, rules };
}

/** The same box or condition once more, with ids of its own. */
export function copyOf(node) {
  return isBox(node) ? { ...box(node.mode, node.items.map(copyOf)), isNew: node.isNew } : leaf(structuredClone(node.rule));
}

/** The box a node is in, or undefined for the root. */
export function parentOf(root, node) {
  if (root.items.includes(node)) return root;
  for (const item of root.items) {
    const found = isBox(item) ? parentOf(item, node) : undefined;
    if (found) return found;
  }
  return undefined;
}

export function findById(root, id) {
  if (root.id === id) return root;
  for (const item of root.items ?? []) {
    const found = findById(item, id);
    if (found) return found;
  }
  return undefined;
}

/** Puts a node at a place: before the item that stands at `index` of `target` once the node is gone from where it was. */
export function place(root, node, target, index) {
  const from = parentOf(root, node);
  from.items.splice(from.items.indexOf(node), 1);
  target.items.splice(Math.min(index, target.items.length), 0, node);
}

/** Where each move would bring a node: {up, down, into, out}, each {target, index}, or undefined where it cannot go. */
export function movesOf(root, node) {
  const parent = parentOf(root, node);
  if (!parent) return {};
  const at = parent.items.indexOf(node);
  const above = parent.items[at - 1], below = parent.items[at + 1];
  const around = parentOf(root, parent);
  return {
    up: above && { target: parent, index: at - 1 },
    down: below && { target: parent, index: at + 1 },
    into: above && isBox(above) ? { target: above, index: above.items.length }
      : below && isBox(below) ? { target: below, index: 0 } : undefined,
    out: around && { target: around, index: around.items.indexOf(parent) + 1 },
  };
}

/** A box and everything in it, in reading order. */
export function allNodes(node) {
  return [node, ...(node.items ?? []).flatMap(allNodes)];
}
