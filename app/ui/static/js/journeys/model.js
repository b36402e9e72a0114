// A journey as the builder holds it: its definition as JSON. Steps stand in lists; a step that branches holds lists of its
// own. A list is named by its step and its place ("s3/0"), the first one "root".

export const ROOT = "root";
const DEEPEST = 8;

const BRANCHING = {
  wait_for: (step) => [step.then ??= [], step.otherwise ??= []],
  choose: (step) => [...(step.branches ??= []).map((one) => (one.steps ??= [])), (step.otherwise ??= [])],
  split: (step) => (step.branches ??= []).map((one) => (one.steps ??= [])),
};

/** The lists inside a step, in reading order; none for a step that does not branch. */
export const listsOf = (step) => BRANCHING[step.type]?.(step) ?? [];

export const isBranching = (step) => step.type in BRANCHING;

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return `s${Array.from(bytes, (byte) => byte.toString(36).padStart(2, "0")).join("")}`;
}

/** A new step of a kind, as empty as can be while it means something. */
export function newStep(type) {
  const filled = {
    send: { mailing: null },
    wait: { for: "P2D" },
    wait_until: { relative_to: "activity", offset: "-P2D", if_past: "skip" },
    wait_for: { trigger: null, timeout: "P7D", then: [], otherwise: [] },
    choose: { branches: [{ when: { type: "all", rules: [] }, steps: [] }], otherwise: [] },
    split: { branches: [{ name: "A", weight: 50, steps: [] }, { name: "B", weight: 50, steps: [] }] },
    tag: { add: [], remove: [] },
    set: { field: "", value: "" },
    audience: { audience: null, do: "add" },
    notify: { to: "", text: "" },
    webhook: { url: "" },
    exit: {},
  }[type];
  return { id: newId(), type, ...structuredClone(filled) };
}

/** Every list with what is in it: [{key, list, depth}], in reading order. */
export function allLists(definition) {
  const found = [];
  const walk = (list, key, depth) => {
    found.push({ key, list, depth });
    for (const step of list) listsOf(step).forEach((inner, index) => walk(inner, `${step.id}/${index}`, depth + 1));
  };
  walk(definition.steps ??= [], ROOT, 0);
  return found;
}

export const listByKey = (definition, key) => allLists(definition).find((one) => one.key === key);

/** Where a step is: {step, list, key, index, depth}, or undefined. */
export function find(definition, id) {
  for (const { key, list, depth } of allLists(definition)) {
    const index = list.findIndex((step) => step.id === id);
    if (index >= 0) return { step: list[index], list, key, index, depth };
  }
  return undefined;
}

export const allSteps = (definition) => allLists(definition).flatMap(({ list }) => list);

/** How many branches stand inside one another in a step: 0 for one that does not branch. */
const height = (step) => Math.max(0, ...listsOf(step).map((list) => 1 + Math.max(0, ...list.map(height))));

/** Whether a step may stand in a list: not inside itself, nor deeper than a journey goes. */
export function fits(definition, step, key) {
  const target = listByKey(definition, key);
  return Boolean(target) && target.depth + height(step) < DEEPEST && !listsInside(step).includes(target.list);
}

const listsInside = (step) => listsOf(step).flatMap((list) => [list, ...list.flatMap(listsInside)]);

/** Puts a step before what stands at `index` of a list once the step is gone from where it was. */
export function move(definition, id, key, index) {
  const from = find(definition, id), target = listByKey(definition, key);
  from.list.splice(from.index, 1);
  target.list.splice(Math.min(index, target.list.length), 0, from.step);
}

/** Where each move would bring a step: {up, down, into, out}, each {key, index}, or undefined where it cannot go. */
export function movesOf(definition, id) {
  const { step, list, key, index } = find(definition, id);
  const above = list[index - 1], below = list[index + 1];
  const beside = above && isBranching(above) ? above : below && isBranching(below) ? below : undefined;
  const lists = beside ? listsOf(beside) : [];
  const into = lists.length ? { key: `${beside.id}/0`, index: beside === above ? lists[0].length : 0 } : undefined;
  const [owner, place] = key.split("/");
  const around = key === ROOT ? undefined : find(definition, owner);
  // Out of a branch to the side is into the next one; out of the last one is behind the step that branches.
  const next = around && listsOf(around.step)[Number(place) + 1] ? { key: `${owner}/${Number(place) + 1}`, index: 0 } : undefined;
  const out = around && { key: around.key, index: around.index + 1 };
  const allowed = (way) => (way && fits(definition, step, way.key) ? way : undefined);
  return {
    up: index > 0 ? { key, index: index - 1 } : undefined,
    down: index < list.length - 1 ? { key, index: index + 1 } : undefined,
    into: allowed(into ?? next),
    out: allowed(out),
  };
}

/** The same step once more, with ids of its own all through. */
export function copyOf(step) {
  const copy = { ...structuredClone(step), id: newId() };
  for (const list of listsOf(copy)) list.splice(0, list.length, ...list.map(copyOf));
  return copy;
}

/** What a path of the definition ("steps.0.then.1.for") is about: {id, rest}; id is "start" or "settings" outside the steps. */
export function atPath(definition, path) {
  const parts = path.split(".");
  if (parts[0] !== "steps") return { id: ["trigger", "only"].includes(parts[0]) ? "start" : "settings", rest: path };
  let value = definition, id = "start", rest = path;
  for (const [index, part] of parts.entries()) {
    value = value?.[part];
    if (value && !Array.isArray(value) && typeof value === "object" && typeof value.id === "string" && value.type) {
      id = value.id;
      rest = parts.slice(index + 1).join(".");
    }
  }
  return { id, rest };
}
