// Windows of days: what the two sides of a window are called in the builder, and the dates they stand for. A side is a
// duration around today (ISO 8601, -P18M) or a day of the calendar (2024-09-01); the end is the day after the last.

const SIMPLE = /^(-?)P(\d+)([DWMY])$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

function simple(text) {
  const found = SIMPLE.exec(text ?? "");
  return found && { sign: found[1] === "-" && Number(found[2]) ? -1 : 1, count: Number(found[2]), unit: found[3] };
}

const isDay = (text) => DAY.test(text ?? "");

/** The ISO day so many days after another; what is no day stays as it is. */
export function shifted(day, days) {
  const moment = new Date(`${day}T12:00:00Z`);
  if (!isDay(day) || Number.isNaN(moment.getTime())) return day;
  return new Date(moment.getTime() + days * DAY_MS).toISOString().slice(0, 10);
}

/** The way of speaking for a window: {mode, count, unit, …}. What no way of speaking fits is "own". */
export function spoken(between) {
  const [since, before] = between ?? [null, null];
  if (since === null && before === null) return { mode: "ever" };
  if (isDay(since) && before === null) return { mode: "from_day", first: since };
  if (since === null && isDay(before)) return { mode: "until_day", last: shifted(before, -1) };
  if (isDay(since) && isDay(before)) return { mode: "days", first: since, last: shifted(before, -1) };
  const from = simple(since), until = simple(before);
  if ((since !== null && !from) || (before !== null && !until)) return { mode: "own", since, before };
  if (from?.sign === -1 && before === "P1D") return { mode: "last", count: from.count, unit: from.unit };
  if (from?.sign === -1 && before === null) return { mode: "since", count: from.count, unit: from.unit };
  if (since === null && until.sign === -1) return { mode: "ago", count: until.count, unit: until.unit };
  if (since === "P0D" && before === null) return { mode: "ahead" };
  if (since === "P1D" && before === null) return { mode: "tomorrow" };
  if (since === "P0D" && until.sign === 1) return { mode: "next", count: until.count, unit: until.unit };
  if (from?.sign === -1 && until?.sign === -1) {
    return { mode: "between", count: from.count, unit: from.unit, count2: until.count, unit2: until.unit };
  }
  return { mode: "own", since, before };
}

/** The pair of sides for a way of speaking. `first` and `last` are days, `today` is what they begin with. */
export function window({ mode, count = 12, unit = "M", count2 = 6, unit2 = "M", since = null, before = null, first, last, today }) {
  const past = `-P${count}${unit}`;
  const from = first ?? shifted(today, -365);
  const until = shifted(last ?? today, 1);
  switch (mode) {
    case "last": return [past, "P1D"];
    case "since": return [past, null];
    case "ago": return [null, past];
    case "ahead": return ["P0D", null];
    case "tomorrow": return ["P1D", null];
    case "next": return ["P0D", `P${count}${unit}`];
    case "between": return [past, `-P${count2}${unit2}`];
    case "from_day": return [from, null];
    case "until_day": return [null, until];
    case "days": return [from, until];
    case "own": return [since || null, before || null];
    default: return [null, null];
  }
}

/** Where a side that lies before today falls when days on which the house was closed do not count: as many days further
 * back. closed: [[first, last], …] as ISO days, in order, none touching another. */
export function openDaysBefore(today, falls, closed) {
  let left = Math.round((today - falls) / DAY_MS), reached = today.getTime();
  for (const [first, last] of [...closed].reverse()) {
    const begin = Date.parse(`${first}T12:00:00Z`), end = Date.parse(`${last}T12:00:00Z`);
    const open = Math.round((reached - end) / DAY_MS) - 1;
    if (open >= left) break;
    if (begin < reached) { left -= Math.max(open, 0); reached = begin; }
  }
  return new Date(reached - left * DAY_MS);
}

/** A day (at noon UTC) plus a duration, or the day that is named; months clamp to the month's last day. Null for neither. */
export function after(day, text) {
  if (isDay(text)) {
    const named = new Date(`${text}T12:00:00Z`);
    return Number.isNaN(named.getTime()) ? null : named;
  }
  const found = /^([+-]?)P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/.exec(text);
  if (!found) return null;
  const sign = found[1] === "-" ? -1 : 1;
  const [years, months, weeks, days] = found.slice(2).map((part) => sign * Number(part ?? 0));
  const moved = new Date(day);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + years * 12 + months);
  const last = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0, 12)).getUTCDate();
  moved.setUTCDate(Math.min(day.getUTCDate(), last) + weeks * 7 + days);
  return Number.isNaN(moved.getTime()) ? null : moved;
}
