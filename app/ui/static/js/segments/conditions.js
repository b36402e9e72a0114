// Every kind of condition as a sentence with fields in it. `changed(again)` tells the builder that the rule changed;
// `again` asks it to draw the condition anew because other fields belong to it now.

import { choose, h, iconButton, number, switches, textInput } from "./elements.js";
import { after, openDaysBefore, spoken, window as windowOf } from "./durations.js";
import { chips, picked } from "./suggestions.js";

const LISTS = ["genres", "series", "venues", "kinds", "audiences", "activities", "channels", "sources"];
const RANGES = { price_between: "€", quantity_between: "", lead_days_between: "" };
const UNITS = ["D", "W", "M", "Y"];
const DATE_FIELDS = ["birth_date", "created_on"];
const SUGGESTED_FIELDS = ["postcode", "municipality", "country", "language", "gender", "source"];

export const NEW = {
  participation: () => ({ type: "participation", measure: "count", at_least: 1, between: ["-P12M", "P1D"], date: "activity", where: {} }),
  first_participation: () => ({ type: "first_participation", between: ["-P60D", "P1D"], date: "activity", where: {} }),
  last_participation: () => ({ type: "last_participation", between: [null, "-P12M"], date: "activity", where: {} }),
  share: () => ({ type: "share", of: { genres: [] }, at_least: 0.4, min_count: 2, between: ["-P24M", "P1D"], date: "activity", where: {} }),
  profile: () => ({ type: "profile", field: "municipality", op: "in", value: [] }),
  anniversary: () => ({ type: "anniversary", field: "birth_date", between: ["P0D", "P7D"] }),
  permission: () => ({ type: "permission", channel: "email", purpose: "newsletter", is: "allowed" }),
  tag: () => ({ type: "tag", tag: "" }),
  segment: () => ({ type: "segment", segment: null, is: "member" }),
  engagement: () => ({ type: "engagement", event: "clicked", at_least: 1, between: ["-P12M", "P1D"] }),
  deliverability: () => ({ type: "deliverability", is: "bouncing" }),
  pass: () => ({ type: "pass", programme: "uitpas", is: "active" }),
  journey: () => ({ type: "journey", journey: null, is: "active" }),
  sample: () => ({ type: "sample", percent: 10, seed: "A" }),
};

/** Draws the fields of one condition. `context` holds words, purposes, segments, today, language. */
export function fieldsOf(node, context, changed) {
  const draw = DRAWN[node.rule.type];
  return draw ? draw(node.rule, new Field(node, context, changed)) : [node.rule.type];
}

/** What the drawing functions share: the words, the keys that keep the focus, and ways to write into the rule. */
export class Field {
  constructor(node, context, changed) {
    Object.assign(this, context, { node, changed });
  }
  key(name) { return `${this.node.id}-${name}`; }
  set(target, name, value, again = false) {
    if (value === undefined) delete target[name]; else target[name] = value;
    this.changed(again);
  }
}

const DRAWN = {
  participation(rule, f) {
    const measures = f.words.measures;
    return [
      choose(f.words.what, Object.entries(measures).map(([value, [verb]]) => [value, verb]), rule.measure ?? "count",
        (value) => f.set(rule, "measure", value, true), f.key("measure")),
      bounds(rule, f, { never: true, step: rule.measure === "spend" ? 0.01 : 1 }),
      !(rule.at_most === 0 && rule.at_least === undefined) && h("span", {}, measures[rule.measure ?? "count"][1]),
      when(rule, f),
      where(rule, "where", f),
    ];
  },
  first_participation(rule, f) {
    return [h("span", {}, f.words.first_visit), when(rule, f), where(rule, "where", f)];
  },
  last_participation(rule, f) {
    return [h("span", {}, f.words.last_visit), when(rule, f), where(rule, "where", f)];
  },
  share(rule, f) {
    return [
      h("span", {}, f.words.of_visits), when(rule, f), bounds(rule, f, { percent: true }), h("span", {}, f.words.percent_were),
      where(rule, "of", f), h("span", {}, f.words.and_at_least),
      number(f.words.times, rule.min_count ?? 1, (value) => f.set(rule, "min_count", value ?? 1), { key: f.key("min"), min: 1 }),
      h("span", {}, f.words.times),
      where(rule, "where", f, { label: f.words.among }),
    ];
  },
  profile: profileFields,
  anniversary(rule, f) {
    const own = rule.field.startsWith("attributes.");
    return [
      choose(f.words.what, [["birth_date", f.words.birthday], ["own", f.words.anniversary_of]], own ? "own" : "birth_date",
        (value) => f.set(rule, "field", value === "own" ? "attributes." : value, true), f.key("field")),
      own && ownField(rule, f),
      when(rule, f),
    ];
  },
  permission(rule, f) {
    return [
      choose(f.words.what, [["allowed", f.words.may], ["denied", f.words.may_not]], rule.is,
        (value) => f.set(rule, "is", value), f.key("is")),
      choose(f.words.channel, Object.entries(f.words.permission_channels), rule.channel,
        (value) => f.set(rule, "channel", value), f.key("channel")),
      h("span", {}, f.words.for_purpose),
      choose(f.words.for_purpose, f.purposes, rule.purpose, (value) => f.set(rule, "purpose", value), f.key("purpose")),
    ];
  },
  tag(rule, f) {
    return [h("span", {}, f.words.has_tag),
      textInput(f.words.has_tag, rule.tag, (value) => f.set(rule, "tag", value), { key: f.key("tag"), suggests: "tags", placeholder: f.words.type_or_choose })];
  },
  segment(rule, f) {
    return [
      choose(f.words.what, [["member", f.words.is_in], ["not_member", f.words.is_not_in]], rule.is ?? "member",
        (value) => f.set(rule, "is", value), f.key("is")),
      picked(f.words.choose_segment, "segments", rule.segment, (value) => f.set(rule, "segment", value, true), f.key("segment")),
    ];
  },
  engagement(rule, f) {
    return [
      choose(f.words.what, Object.entries(f.words.mail_events), rule.event, (value) => f.set(rule, "event", value), f.key("event")),
      bounds(rule, f, { never: true }), !(rule.at_most === 0 && rule.at_least === undefined) && h("span", {}, f.words.times),
      when(rule, f), skips(rule, f, true),
      h("span", {}, f.words.of_campaign),
      textInput(f.words.of_campaign, rule.campaign ?? "", (value) => f.set(rule, "campaign", value.trim() || undefined),
        { key: f.key("campaign"), suggests: "campaigns", placeholder: f.words.every_mail }),
    ];
  },
  deliverability(rule, f) {
    return [h("span", {}, f.words.mail_to_them), choose(f.words.mail_to_them, Object.entries(f.words.mailboxes), rule.is, (value) => f.set(rule, "is", value), f.key("is"))];
  },
  pass(rule, f) {
    const pick = (value) => {
      rule.is = value;
      if (value === "none") { delete rule.expires; delete rule.points_at_least; }
      f.changed(true);
    };
    const held = { between: rule.expires ?? null };
    const expires = rule.is !== "none" && (rule.expires
      ? [h("span", {}, f.words.last_day), when(held, { ...f, key: (name) => f.key(`expires-${name}`), changed: (again) => { rule.expires = held.between; f.changed(again); } }),
        iconButton(`${f.words.remove}: ${f.words.last_day}`, "close", () => f.set(rule, "expires", undefined, true))]
      : [adds(f.words.last_day, () => f.set(rule, "expires", ["P0D", "P30D"], true), f.key("expires"))]);
    const points = rule.is !== "none" && (rule.points_at_least !== undefined
      ? [h("span", {}, f.words.points_least), number(f.words.points_least, rule.points_at_least, (value) => f.set(rule, "points_at_least", value ?? 0), { key: f.key("points") }),
        iconButton(`${f.words.remove}: ${f.words.points_least}`, "close", () => f.set(rule, "points_at_least", undefined, true))]
      : [adds(f.words.points_least, () => f.set(rule, "points_at_least", 1, true), f.key("points"))]);
    return [
      choose(f.words.what, Object.entries(f.words.passes), rule.is, pick, f.key("is")),
      textInput(f.words.programme, rule.programme ?? "", (value) => f.set(rule, "programme", value), { key: f.key("programme"), suggests: "programmes", placeholder: f.words.programme }),
      expires, points,
    ];
  },
  journey(rule, f) {
    return [
      choose(f.words.what, Object.entries(f.words.journeys), rule.is, (value) => f.set(rule, "is", value), f.key("is")),
      picked(f.words.choose_journey, "journeys", rule.journey, (value) => f.set(rule, "journey", value, true), f.key("journey")),
    ];
  },
  sample(rule, f) {
    return [h("span", {}, f.words.sample_of),
      number(f.words.percent, rule.percent, (value) => f.set(rule, "percent", value ?? null), { key: f.key("percent"), max: 100, step: 0.1 }),
      h("span", {}, f.words.percent_named),
      textInput(f.words.sample_name, rule.seed, (value) => f.set(rule, "seed", value), { key: f.key("seed") })];
  },
};

// --- at least, at most, exactly, between, never ---

function bounds(rule, f, { never = false, percent = false, step = 1 } = {}) {
  const scale = percent ? 100 : 1;
  const shown = (value) => (value === undefined || value === null ? undefined : Math.round(value * scale * 1e6) / 1e6);
  const kept = (value) => (value === undefined ? null : value / scale);
  const low = rule.at_least ?? undefined, high = rule.at_most ?? undefined;
  const mode = never && high === 0 && low === undefined ? "never"
    : low !== undefined && low === high ? "exactly"
    : low !== undefined && high !== undefined ? "between" : high !== undefined ? "at_most" : "at_least";
  const options = ["at_least", "at_most", "exactly", "between", ...(never ? ["never"] : [])].map((each) => [each, f.words[each]]);
  const pick = (value) => {
    const first = low ?? high ?? (percent ? 0.4 : 1);
    const to = { at_least: [first || 1 / scale], at_most: [undefined, first], exactly: [first, first],
      between: [first, Math.max(high ?? 0, first + 1 / scale)], never: [undefined, 0] }[value];
    [rule.at_least, rule.at_most] = to;
    if (to[0] === undefined) delete rule.at_least;
    if (to[1] === undefined) delete rule.at_most;
    f.changed(true);
  };
  const field = (name, value, both) => number(f.words[name] ?? name, shown(value), (typed) => {
    for (const each of both ?? [name]) rule[each] = kept(typed);
    f.changed(false);
  }, { key: f.key(name), step: percent ? 1 : step, max: percent ? 100 : undefined });
  const fields = {
    at_least: () => [field("at_least", low)],
    at_most: () => [field("at_most", high)],
    exactly: () => [field("at_least", low, ["at_least", "at_most"])],
    between: () => [field("at_least", low), h("span", {}, f.words.and), field("at_most", high)],
    never: () => [],
  }[mode]();
  return [choose(f.words.how_many, options, mode, pick, f.key("bound")), ...fields];
}

// --- when ---

function when(rule, f) {
  const now = spoken(rule.between);
  const today = f.today.toISOString().slice(0, 10);
  const put = (speech, again) => {
    rule.between = windowOf({ ...speech, today });
    f.changed(again);
    if (!isNamed) dates.textContent = resolved(rule, f);
  };
  const count = (name, speech) => number(f.words.how_many, now[name], (value) => { now[name] = Math.max(0, Math.trunc(value ?? 0)); put(now, false); },
    { key: f.key(name), min: speech === "next" ? 1 : 0 });
  const day = (name, label) => textInput(label, now[name] ?? "", (value) => { if (value) { now[name] = value; put(now, false); } },
    { key: f.key(name), type: "date" });
  const unit = (name) => choose(f.words.unit, UNITS.map((each) => [each, f.words.units[each]]), now[name],
    (value) => { now[name] = value; put(now, false); }, f.key(name));
  const own = (name) => textInput(f.words.own_window[name], now[name] ?? "", (value) => { now[name] = value.trim().toUpperCase(); put(now, false); },
    { key: f.key(name), placeholder: "-P18M" });
  const rest = {
    ever: [], ahead: [], tomorrow: [],
    last: [count("count"), unit("unit")],
    since: [count("count"), unit("unit"), h("span", {}, f.words.ago_or_ahead)],
    ago: [count("count"), unit("unit"), h("span", {}, f.words.ago)],
    next: [count("count", "next"), unit("unit")],
    between: [count("count"), unit("unit"), h("span", {}, f.words.and), count("count2"), unit("unit2"), h("span", {}, f.words.ago)],
    from_day: [day("first", f.words.from)],
    until_day: [day("last", f.words.until)],
    days: [day("first", f.words.from), h("span", {}, f.words.and), day("last", f.words.until)],
    own: [own("since"), h("span", {}, f.words.until), own("before")],
  }[now.mode];
  const isNamed = now.mode.endsWith("day") || now.mode === "days";
  const dates = h("span", { class: "seg-dates" }, isNamed ? "" : resolved(rule, f));
  const options = Object.entries(f.words.windows);
  return h("span", { class: "seg-when" },
    choose(f.words.when, options, now.mode, (mode) => put({ ...now, mode, since: rule.between?.[0], before: rule.between?.[1] }, true), f.key("when")),
    rest, dates);
}

/** The dates a window stands for today, the last day included: "since 20 Nov 2025", "20 Nov 2025 to 20 Nov 2026". */
function resolved({ between, skip_closed: skipsClosed }, f) {
  const [since, before] = between ?? [null, null];
  const falls = (side) => {
    const day = after(f.today, side);
    return day && skipsClosed && day < f.today && !/^\d/.test(side) ? openDaysBefore(f.today, day, f.closed) : day;
  };
  if (!since && !before) return "";
  const say = new Intl.DateTimeFormat(f.language, { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  const first = since ? falls(since) : null;
  const end = before ? falls(before) : null;
  if ((since && !first) || (before && !end)) return "";
  const last = end && new Date(end.getTime() - 86_400_000);
  const form = first && last ? (last.getTime() === first.getTime() ? "on" : "between") : first ? (first > f.today ? "from" : "since") : "until";
  return f.words.dates[form].replace("{from}", first ? say.format(first) : "").replace("{to}", last ? say.format(last) : "");
}

// --- only where ---

/** Which visits are meant. `isWhole`: the rule is a condition, which can also look at bookings or skip closed days. */
export function where(rule, name, f, { label = f.words.only_where, isWhole = name === "where" } = {}) {
  const held = rule[name] ?? {};
  const put = (key, value, again) => {
    rule[name] = { ...held, ...rule[name], [key]: value };
    if (value === undefined) delete rule[name][key];
    f.changed(again);
  };
  const lines = Object.keys(held).map((key) => h("span", { class: "seg-where" },
    h("span", { class: "seg-where-name" }, f.words.where[key] ?? key),
    h("span", { class: "seg-where-value" }, whereValue(key, held[key], put, f, name)),
    iconButton(`${f.words.remove}: ${f.words.where[key] ?? key}`, "close", () => put(key, undefined, true))));
  const dated = isWhole && "date" in rule && rule.date === "booking" && h("span", { class: "seg-where" },
    h("span", { class: "seg-where-name" }, f.words.by_booking),
    iconButton(`${f.words.remove}: ${f.words.by_booking}`, "close", () => f.set(rule, "date", "activity", true)));
  const skipped = isWhole && skips(rule, f, false);
  const free = [...LISTS, "weekdays", "statuses", ...Object.keys(RANGES)].filter((key) => !(key in held));
  const more = choose(label, [["", `+ ${label}`], ...free.map((key) => [key, f.words.where[key]]),
    ...(isWhole && rule.date !== "booking" ? [["booking", f.words.by_booking]] : []),
    ...(isWhole && !rule.skip_closed ? [["skip_closed", f.words.skip_closed]] : [])], "", (key) => {
    if (key === "booking") f.set(rule, "date", "booking", true);
    else if (key === "skip_closed") f.set(rule, "skip_closed", true, true);
    else if (key) put(key, key in RANGES ? [null, null] : [], true);
  }, f.key(`${name}-more`));
  more.classList.add("seg-more");
  return h("span", { class: "seg-wheres" }, lines, dated, skipped, more);
}

/** Days on which the house was closed do not count: shown where it is so, and offered where nothing else offers it. */
function skips(rule, f, isOffered) {
  if (!rule.skip_closed) return isOffered && adds(f.words.skip_closed, () => f.set(rule, "skip_closed", true, true), f.key("skip"));
  return h("span", { class: "seg-where" }, h("span", { class: "seg-where-name" }, f.words.skip_closed),
    iconButton(`${f.words.remove}: ${f.words.skip_closed}`, "close", () => f.set(rule, "skip_closed", undefined, true), f.key("skip")));
}

/** A small button that adds something to a condition. */
const adds = (label, onclick, key) => h("button", { type: "button", class: "btn btn-quiet btn-sm seg-adds", "data-key": key, onclick }, `+ ${label}`);

function whereValue(key, value, put, f, name) {
  const id = f.key(`${name}-${key}`);
  if (key in RANGES) {
    const side = (index, label) => number(label, value[index] ?? undefined, (typed) => {
      value[index] = typed ?? null;
      put(key, [...value], false);
    }, { key: `${id}-${index}`, min: key === "lead_days_between" ? -3650 : 0, step: key === "price_between" ? 0.01 : 1 });
    return [h("span", {}, f.words.from), side(0, f.words.from), h("span", {}, f.words.to), side(1, f.words.to), h("span", {}, RANGES[key])];
  }
  if (key === "weekdays") return switches(f.words.where[key], f.words.weekdays.map((day, index) => [index + 1, day]), value, (days) => put(key, days.sort(), true), id);
  if (key === "statuses") return switches(f.words.where[key], Object.entries(f.words.statuses), value, (chosen) => put(key, chosen, true), id);
  return chips(f.words, f.words.where[key], key, value, (chosen) => put(key, chosen, true), id);
}

// --- the person ---

function kindOf(field) {
  if (field === "age") return "number";
  return DATE_FIELDS.includes(field) ? "date" : field.startsWith("attributes.") ? "own" : "text";
}

function profileFields(rule, f) {
  const kind = kindOf(rule.field);
  const op = { is: "in", is_not: "not_in" }[rule.op] ?? rule.op;
  const ops = ["in", "not_in", "between", "known", "unknown", ...(kind === "text" || kind === "own" ? ["contains", "starts_with"] : [])];
  const fields = [...Object.entries(f.words.fields), ["own", f.words.own_field]];
  const chosen = kind === "own" ? "own" : rule.field;
  const pick = (field) => {
    const next = field === "own" ? "attributes." : field;
    const fits = kindOf(next) === kind || !["contains", "starts_with"].includes(rule.op);
    Object.assign(rule, { field: next, op: fits ? rule.op : "in" });
    if (kindOf(next) !== kind) Object.assign(rule, kindOf(next) === "number" ? { op: "between", value: [18, null] } : fresh(kindOf(next) === "date" ? "between" : rule.op));
    f.changed(true);
  };
  const pickOp = (value) => { Object.assign(rule, fresh(value)); f.changed(true); };
  return [
    choose(f.words.what, fields, chosen, pick, f.key("field")),
    kind === "own" && ownField(rule, f),
    choose(f.words.how, ops.map((each) => [each, f.words.ops[each]]), op, pickOp, f.key("op")),
    profileValue(rule, op, kind, f),
  ];
}

const fresh = (op) => ({ op, value: { between: [null, null], in: [], not_in: [], contains: "", starts_with: "" }[op] });

function ownField(rule, f) {
  return textInput(f.words.own_field, rule.field.slice("attributes.".length), (value) => f.set(rule, "field", `attributes.${value.trim()}`),
    { key: f.key("own"), suggests: "attributes", placeholder: f.words.own_field });
}

function profileValue(rule, op, kind, f) {
  if (op === "known" || op === "unknown") { delete rule.value; return ""; }
  if (op === "between") {
    const values = Array.isArray(rule.value) ? rule.value : (rule.value = [null, null]);
    const side = (index, label) => kind === "number"
      ? number(label, values[index] ?? undefined, (typed) => { values[index] = typed ?? null; f.changed(false); }, { key: f.key(`v${index}`) })
      : textInput(label, values[index] ?? "", (typed) => { values[index] = exact(typed, kind); f.changed(false); }, { key: f.key(`v${index}`), type: kind === "date" ? "date" : "text" });
    return [side(0, f.words.from), h("span", {}, f.words.and), side(1, f.words.to)];
  }
  if (op === "contains" || op === "starts_with") {
    return textInput(f.words.value, rule.value ?? "", (typed) => f.set(rule, "value", typed), { key: f.key("value") });
  }
  const values = Array.isArray(rule.value) ? rule.value : rule.value === undefined || rule.value === null ? [] : [rule.value];
  Object.assign(rule, { op, value: values });
  if (kind === "date") {
    return textInput(f.words.value, values[0] ?? "", (typed) => f.set(rule, "value", typed ? [typed] : []), { key: f.key("value"), type: "date" });
  }
  const suggests = SUGGESTED_FIELDS.includes(rule.field) ? rule.field : "none";
  return chips(f.words, f.words.value, suggests, values, (chosen) => f.set(rule, "value", chosen.map((one) => exact(one, kind)), true), f.key("value"));
}

// A number in a field of the organisation's own is kept as a number.
function exact(typed, kind) {
  if (typed === "" || typed === undefined) return null;
  return (kind === "own" || kind === "number") && /^-?\d{1,12}(\.\d+)?$/.test(String(typed)) ? Number(typed) : typed;
}
