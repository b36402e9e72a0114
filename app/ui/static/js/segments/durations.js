// Windows around today: what a pair of ISO 8601 durations is called in the builder, and the dates it stands for.

const SIMPLE = /^(-?)P(\d+)([DWMY])$/;

function simple(text) {
  const found = SIMPLE.exec(text ?? "");
  return found && { sign: found[1] === "-" && Number(found[2]) ? -1 : 1, count: Number(found[2]), unit: found[3] };
}

/** The way of speaking for a window: {mode, count, unit, …}. What no way of speaking fits is "own". */
export function spoken(between) {
  const [since, before] = between ?? [null, null];
  if (since === null && before === null) return { mode: "ever" };
  const from = simple(since), until = simple(before);
  if ((since !== null && !from) || (before !== null && !until)) return { mode: "own", since, before };
  if (from?.sign === -1 && before === "P1D") return { mode: "last", count: from.count, unit: from.unit };
  if (from?.sign === -1 && before === null) return { mode: "since", count: from.count, unit: from.unit };
  if (since === null && until.sign === -1) return { mode: "ago", count: until.count, unit: until.unit };
  if (since === "P0D" && before === null) return { mode: "ahead" };
  if (since === "P0D" && until.sign === 1) return { mode: "next", count: until.count, unit: until.unit };
  if (from?.sign === -1 && until?.sign === -1) {
    return { mode: "between", count: from.count, unit: from.unit, count2: until.count, unit2: until.unit };
  }
  return { mode: "own", since, before };
}

/** The pair of durations for a way of speaking. */
export function window({ mode, count = 12, unit = "M", count2 = 6, unit2 = "M", since = null, before = null }) {
  const past = `-P${count}${unit}`;
  switch (mode) {
    case "last": return [past, "P1D"];
    case "since": return [past, null];
    case "ago": return [null, past];
    case "ahead": return ["P0D", null];
    case "next": return ["P0D", `P${count}${unit}`];
    case "between": return [past, `-P${count2}${unit2}`];
    case "own": return [since || null, before || null];
    default: return [null, null];
  }
}

/** A day (at noon UTC) plus a duration; months clamp to the month's last day. Null for what is no duration. */
export function after(day, text) {
  const found = /^([+-]?)P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?$/.exec(text);
  if (!found) return null;
  const sign = found[1] === "-" ? -1 : 1;
  const [years, months, weeks, days] = found.slice(2).map((part) => sign * Number(part ?? 0));
  const moved = new Date(day);
  moved.setUTCDate(1);
  moved.setUTCMonth(moved.getUTCMonth() + years * 12 + months);
  const last = new Date(Date.UTC(moved.getUTCFullYear(), moved.getUTCMonth() + 1, 0, 12)).getUTCDate();
  moved.setUTCDate(Math.min(day.getUTCDate(), last) + weeks * 7 + days);
  return moved;
}
