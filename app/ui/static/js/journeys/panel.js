// The side panel: the fields of the step that is open, of what starts the journey, or of its settings.

import { where } from "../segments/conditions.js";
import { button, choose, h, icon, iconButton, number, switches, textInput } from "../segments/elements.js";
import { chips } from "../segments/suggestions.js";
import { labelled, lasting, offset, oneOf, tick, timeOfDay } from "./fields.js";

const CALENDAR = ["D", "W", "M", "Y"];
const TRIGGERS = {
  segment: () => ({ type: "segment", segment: null, on: "enter" }),
  participation: () => ({ type: "participation", on: "booked", where: {} }),
  activity: () => ({ type: "activity", offset: "-P2D", where: {} }),
  anniversary: () => ({ type: "anniversary", field: "birth_date", offset: "P0D" }),
  pass: () => ({ type: "pass", programme: "", on: "issued" }),
  consent: () => ({ type: "consent", channel: "email", purpose: "newsletter", on: "confirmed" }),
  form: () => ({ type: "form", form: null }),
  api: () => ({ type: "api" }),
};
// A step can wait for what happens to somebody; what the calendar brings is a wait of its own.
const AWAITED = ["participation", "segment", "pass", "consent", "form", "api"];
const REENTRY_DAYS = /^P(\d+)D$/;

/** What the fields share: words, choices, keys that keep the focus, and ways to write into the definition. */
export class Fields {
  constructor(id, context, changed) {
    Object.assign(this, context, { id, changed, node: { id } });
  }
  key(name) { return `${this.id}-${name}`; }
  put(target, name, value, again = false) {
    if (value === undefined) delete target[name]; else target[name] = value;
    this.changed(again);
  }
}

// --- what starts it --------------------------------------------------------------------------------------------------

export function startFields(definition, f, editRule) {
  return [
    ...triggerFields(definition, "trigger", f, Object.keys(TRIGGERS)),
    labelled(f.words.only, ruleButton(f, definition.only, f.story.only, (rule) => editRule(rule, f.words.only, (edited) => f.put(definition, "only", edited, true)), "only",
      () => f.put(definition, "only", undefined, true)), f.words.only_help),
  ];
}

function triggerFields(owner, name, f, kinds) {
  const trigger = owner[name];
  const pick = (type) => f.put(owner, name, type ? TRIGGERS[type]() : null, true);
  const options = [["", f.words.choose], ...kinds.map((kind) => [kind, f.words.triggers[kind]])];
  return [
    labelled(name === "trigger" && f.id === "start" ? f.words.starts_when : f.words.what_happens, choose(f.words.starts_when, options, trigger?.type ?? "", pick, f.key("trigger"))),
    ...(trigger ? TRIGGER_FIELDS[trigger.type]?.(trigger, f) ?? [] : []),
  ];
}

const TRIGGER_FIELDS = {
  segment: (trigger, f) => [
    labelled(f.words.how, choose(f.words.how, Object.entries(f.words.segment_turns), trigger.on ?? "enter", (on) => f.put(trigger, "on", on, true), f.key("on"))),
    labelled(f.words.segment, oneOf(f, f.words.segment, f.choices.segments, trigger.segment, (id) => f.put(trigger, "segment", id, true), f.key("segment"))),
  ],
  participation: (trigger, f) => [
    labelled(f.words.how, choose(f.words.how, Object.entries(f.words.participation_turns), trigger.on, (on) => f.put(trigger, "on", on, true), f.key("on"))),
    whose(trigger, f),
    nth(trigger, f),
    visits(trigger, f),
  ],
  activity: (trigger, f) => [
    whose(trigger, f),
    labelled(f.words.when, offset(f, f.words.when, trigger.offset, (value, again) => f.put(trigger, "offset", value, again), { key: f.key("offset") })),
    visits(trigger, f),
  ],
  anniversary: (trigger, f) => [
    labelled(f.words.day_of, h("span", { class: "jou-span" },
      choose(f.words.day_of, [["birth_date", f.words.birthday], ["own", f.words.own_field]], trigger.field === "birth_date" ? "birth_date" : "own",
        (value) => f.put(trigger, "field", value === "own" ? "attributes." : value, true), f.key("field")),
      trigger.field !== "birth_date" && ownField(trigger, f))),
    labelled(f.words.when, offset(f, f.words.when, trigger.offset ?? "P0D", (value, again) => f.put(trigger, "offset", value, again), { key: f.key("offset"), units: CALENDAR })),
  ],
  pass: (trigger, f) => {
    const turn = (on) => {
      trigger.on = on;
      delete trigger.nth;
      if (on === "expiring") trigger.offset = "-P30D"; else delete trigger.offset;
      f.changed(true);
    };
    return [
      labelled(f.words.how, choose(f.words.how, Object.entries(f.words.pass_turns), trigger.on, turn, f.key("on"))),
      labelled(f.words.programme, textInput(f.words.programme, trigger.programme, (value) => f.put(trigger, "programme", value.trim()), { key: f.key("programme"), suggests: "programmes", placeholder: f.words.programme })),
      trigger.on === "expiring" && labelled(f.words.when, offset(f, f.words.when, trigger.offset, (value, again) => f.put(trigger, "offset", value, again), { key: f.key("offset"), units: CALENDAR, sides: [-1, 0] })),
      trigger.on === "point" && nth(trigger, f),
    ];
  },
  consent: (trigger, f) => [
    labelled(f.words.how, choose(f.words.how, Object.entries(f.words.consent_turns), trigger.on ?? "granted", (on) => f.put(trigger, "on", on, true), f.key("on"))),
    labelled(f.words.for_what, oneOf(f, f.words.for_what, f.choices.consents, trigger.purpose, (code) => f.put(trigger, "purpose", code, true), f.key("purpose"))),
    labelled(f.words.channel, choose(f.words.channel, Object.entries(f.words.channels), trigger.channel, (channel) => f.put(trigger, "channel", channel, true), f.key("channel"))),
  ],
  form: (trigger, f) => [
    labelled(f.words.form, oneOf(f, f.words.form, f.choices.forms, trigger.form, (id) => f.put(trigger, "form", id, true), f.key("form"))),
  ],
  api: (_trigger, f) => [h("p", { class: "zl-soft zl-small" }, f.words.api_help)],
};

/** Whom it is about: whoever comes, or whoever ordered. What is usual is left out of the definition. */
function whose(trigger, f) {
  return labelled(f.words.whose, choose(f.words.whose, Object.entries(f.words.whoses), trigger.who ?? "attendee",
    (who) => f.put(trigger, "who", who === "attendee" ? undefined : who, true), f.key("who")), f.words.whose_help);
}

function nth(trigger, f) {
  const only = trigger.nth !== undefined && trigger.nth !== null;
  return h("div", { class: "jou-field" },
    tick(f.words.nth, only, (isOn) => f.put(trigger, "nth", isOn ? 1 : undefined, true), f.key("counted")),
    only && number(f.words.nth_number, trigger.nth, (value) => f.put(trigger, "nth", Math.max(1, Math.trunc(value ?? 1))), { key: f.key("nth"), min: 1, max: 10000 }));
}

function visits(trigger, f) {
  trigger.where ??= {};
  const rules = Object.assign(Object.create(f), { words: f.rules.words });
  return h("div", { class: "jou-field jou-where" }, where(trigger, "where", rules, { isWhole: false }));
}

function ownField(target, f) {
  return textInput(f.words.own_field, (target.field ?? "").replace(/^attributes\./, ""), (value) => f.put(target, "field", `attributes.${value.trim()}`),
    { key: f.key("own"), suggests: "attributes", placeholder: f.words.own_field });
}

// --- settings --------------------------------------------------------------------------------------------------------

export function settingsFields(definition, f, editRule) {
  const { words } = f;
  const days = REENTRY_DAYS.exec(definition.reentry ?? "");
  const mode = days || /^P/.test(definition.reentry ?? "") ? "after" : definition.reentry ?? "never";
  const reenter = (value) => f.put(definition, "reentry", value === "after" ? "P365D" : value, true);
  const setGoal = (rule) => f.put(definition, "goal", rule ? { within: "P30D", ...definition.goal, rule } : undefined, true);
  return [
    labelled(words.purpose, oneOf(f, words.purpose, f.choices.purposes, definition.purpose, (code) => f.put(definition, "purpose", code, true), f.key("purpose")), words.purpose_help),
    labelled(words.reentry, h("span", { class: "jou-span" },
      choose(words.reentry, Object.entries(words.reentries), mode, reenter, f.key("reentry")),
      mode === "after" && lasting(f, words.reentry_after, definition.reentry, (value, again) => f.put(definition, "reentry", value, again), { key: f.key("reentry-after"), units: CALENDAR }))),
    labelled(words.goal, ruleButton(f, definition.goal?.rule, f.story.goal, (rule) => editRule(rule, words.goal, setGoal), "goal", () => setGoal(null)), words.goal_help),
    definition.goal && labelled(words.goal_within, lasting(f, words.goal_within, definition.goal.within, (value, again) => { definition.goal.within = value; f.changed(again); }, { key: f.key("within"), units: ["D", "W", "M"] })),
    labelled(words.holdout, h("span", { class: "jou-span" },
      number(words.holdout, definition.holdout_percent ?? 0, (value) => f.put(definition, "holdout_percent", Math.min(90, Math.max(0, Math.trunc(value ?? 0)))), { key: f.key("holdout"), min: 0, max: 90 }), h("span", {}, "%")), words.holdout_help),
    h("div", { class: "jou-field" },
      tick(words.quiet, Boolean(definition.quiet), (isOn) => f.put(definition, "quiet", isOn ? { from: "21:00", until: "08:00" } : undefined, true), f.key("quiet"), words.quiet_help),
      definition.quiet && h("span", { class: "jou-span" }, h("span", {}, words.from),
        timeOfDay(words.quiet_from, definition.quiet.from, (value) => { definition.quiet.from = value ?? "21:00"; f.changed(false); }, f.key("quiet-from")),
        h("span", {}, words.until),
        timeOfDay(words.quiet_until, definition.quiet.until, (value) => { definition.quiet.until = value ?? "08:00"; f.changed(false); }, f.key("quiet-until")))),
  ];
}

/** The sentence of a rule, and the way to change it. */
function ruleButton(f, rule, told, edit, name, remove) {
  const { words } = f;
  return h("div", { class: "jou-rule" },
    rule && h("p", { class: "jou-rule-told" }, told || words.rule_unfinished),
    h("span", { class: "zl-row" },
      button(rule ? words.rule_change : words.rule_make, rule ? "edit" : "plus", () => edit(rule), "btn-secondary btn-sm"),
      rule && remove && iconButton(`${words.remove}: ${words[name] ?? ""}`, "trash", remove, f.key(`${name}-off`))));
}

// --- steps -----------------------------------------------------------------------------------------------------------

/** The fields of a step. `act` edits rules and writes mailings. */
export function stepFields(step, f, act) {
  return STEP_FIELDS[step.type]?.(step, f, act) ?? [];
}

const STEP_FIELDS = {
  send: (step, f, act) => {
    const url = step.mailing && f.composer ? f.composer.replace("/0/", `/${step.mailing}/`) : "";
    return [
      labelled(f.words.mailing, oneOf(f, f.words.mailing, f.choices.mailings, step.mailing, (id) => f.put(step, "mailing", id, true), f.key("mailing"))),
      h("div", { class: "zl-row" },
        url && h("a", { class: "btn btn-secondary btn-sm", href: url }, icon("edit"), f.words.edit_mailing),
        button(f.words.new_mailing, "plus", () => act.writeMailing(step), "btn-secondary btn-sm"),
        step.mailing && f.test && button(f.words.test_mailing, "send", () => act.testMailing(step), "btn-quiet btn-sm")),
      h("p", { class: "zl-soft zl-small", "data-said": "" }),
    ];
  },
  wait: (step, f) => [
    labelled(f.words.how_long, lasting(f, f.words.how_long, step.for, (value, again) => f.put(step, "for", value, again), { key: f.key("for"), min: 0 })),
    labelled(f.words.until_time, h("span", { class: "jou-span" }, timeOfDay(f.words.until_time, step.at, (value) => f.put(step, "at", value), f.key("at"))), f.words.until_time_help),
    labelled(f.words.only_on, switches(f.words.only_on, f.rules.words.weekdays.map((day, index) => [index + 1, day]), step.weekdays ?? [],
      (days) => f.put(step, "weekdays", days.length ? days.sort() : undefined, true), f.key("days"))),
  ],
  wait_until: (step, f) => [
    labelled(f.words.until_activity, offset(f, f.words.until_activity, step.offset, (value, again) => f.put(step, "offset", value, again), { key: f.key("offset") }), f.words.activity_help),
    labelled(f.words.if_past, choose(f.words.if_past, Object.entries(f.words.if_pasts), step.if_past ?? "skip", (value) => f.put(step, "if_past", value, true), f.key("past"))),
  ],
  wait_for: (step, f) => [
    ...triggerFields(step, "trigger", f, AWAITED),
    labelled(f.words.timeout, lasting(f, f.words.timeout, step.timeout, (value, again) => f.put(step, "timeout", value, again), { key: f.key("timeout") })),
  ],
  choose: (step, f, act) => [
    ...step.branches.map((branch, index) => labelled(f.words.branch.replace("{number}", index + 1), h("div", { class: "jou-branch-fields" },
      ruleButton(f, branch.when, f.story.branches[step.id]?.[index], (rule) => act.editRule(rule, f.words.branch.replace("{number}", index + 1), (edited) => f.put(branch, "when", edited, true)), "when"),
      branchTools(step, index, f)))),
    button(f.words.add_branch, "plus", () => { step.branches.push({ when: { type: "all", rules: [] }, steps: [] }); f.changed(true); }, "btn-secondary btn-sm"),
    h("p", { class: "zl-soft zl-small" }, f.words.choose_help),
  ],
  split: (step, f) => [
    ...step.branches.map((branch, index) => labelled(f.words.part.replace("{number}", index + 1), h("div", { class: "jou-branch-fields" }, h("span", { class: "jou-span" },
      textInput(f.words.name, branch.name, (value) => f.put(branch, "name", value), { key: f.key(`name${index}`) }),
      number(f.words.weight, branch.weight, (value) => f.put(branch, "weight", Math.max(0, Math.trunc(value ?? 0))), { key: f.key(`weight${index}`), min: 0 })),
    branchTools(step, index, f)))),
    button(f.words.add_part, "plus", () => { step.branches.push({ name: freeName(step), weight: 50, steps: [] }); f.changed(true); }, "btn-secondary btn-sm"),
    h("p", { class: "zl-soft zl-small" }, f.words.split_help),
  ],
  tag: (step, f) => [
    labelled(f.words.tag_add, chips(f.rules.words, f.words.tag_add, "tags", step.add ?? [], (tags) => f.put(step, "add", tags, true), f.key("add"))),
    labelled(f.words.tag_remove, chips(f.rules.words, f.words.tag_remove, "tags", step.remove ?? [], (tags) => f.put(step, "remove", tags, true), f.key("remove"))),
  ],
  set: (step, f) => [
    labelled(f.words.own_field, ownField(step, f)),
    labelled(f.words.value, textInput(f.words.value, step.value ?? "", (value) => f.put(step, "value", exact(value)), { key: f.key("value") }), f.words.value_help),
  ],
  audience: (step, f) => [
    labelled(f.words.how, choose(f.words.how, Object.entries(f.words.audience_deeds), step.do, (value) => f.put(step, "do", value, true), f.key("do"))),
    labelled(f.words.audience, oneOf(f, f.words.audience, f.choices.audiences, step.audience, (id) => f.put(step, "audience", id, true), f.key("audience"))),
  ],
  notify: (step, f) => [
    labelled(f.words.to, textInput(f.words.to, step.to, (value) => f.put(step, "to", value.trim()), { key: f.key("to"), type: "email", placeholder: "naam@example.org" })),
    labelled(f.words.text, h("textarea", { class: "form-control", rows: 4, "aria-label": f.words.text, "data-key": f.key("text"), oninput: (event) => f.put(step, "text", event.target.value) }, step.text ?? "")),
  ],
  webhook: (step, f) => [
    labelled(f.words.url, textInput(f.words.url, step.url, (value) => f.put(step, "url", value.trim()), { key: f.key("url"), type: "url", placeholder: "https://" }), f.words.url_help),
  ],
  exit: (_step, f) => [h("p", { class: "zl-soft" }, f.words.exit_help)],
};

/** Taking a branch out, where more than one is left; what was in it goes too, and undo brings it back. */
function branchTools(step, index, f) {
  if (step.branches.length < 2) return false;
  const take = () => { step.branches.splice(index, 1); f.changed(true); };
  const up = () => { const [branch] = step.branches.splice(index, 1); step.branches.splice(index - 1, 0, branch); f.changed(true); };
  return h("span", { class: "jou-branch-tools" },
    index > 0 && iconButton(f.words.moves.up, "up", up, f.key(`up${index}`)),
    iconButton(f.words.remove, "trash", take, f.key(`take${index}`)));
}

function freeName(step) {
  const taken = new Set(step.branches.map((one) => one.name));
  return [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].find((letter) => !taken.has(letter)) ?? String(step.branches.length + 1);
}

// A number or a yes or no is kept as such; a code that begins with a zero stays as it was typed.
const exact = (typed) => (/^-?(0|[1-9]\d{0,11})(\.\d+)?$/.test(typed) ? Number(typed) : { true: true, false: false }[typed] ?? typed);
