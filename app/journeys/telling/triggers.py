"""What starts a journey, and what a step waits for, as a clause: “somebody enters the segment “Lapsers””."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.journeys.telling.names import Names
from app.journeys.telling.wording import Wording, sign_of

Json = Mapping[str, Any]


def tell_trigger(trigger: object, wording: Wording, names: Names) -> str:
    """Return what starts a journey as a sentence."""
    _ = wording.gettext
    if not isinstance(trigger, Mapping):
        return _("Nothing starts this journey yet.")
    clause = tell_event(trigger, wording, names, who=_("somebody"))
    return _("When %(clause)s.", clause=clause)


def tell_event(trigger: Json, wording: Wording, names: Names, *, who: str) -> str:
    """Return an event as a clause about ``who``."""
    tell = _TOLD.get(str(trigger.get("type")))
    _ = wording.gettext
    return tell(trigger, wording, names, who) if tell else _("something happens that is not chosen yet")


def _segment(trigger: Json, wording: Wording, names: Names, who: str) -> str:
    _ = wording.gettext
    name = wording.quoted(names.of("segments", trigger.get("segment")), _("choose a segment"))
    if trigger.get("on") == "leave":
        return _("%(who)s leaves the segment %(name)s", who=who, name=name)
    return _("%(who)s comes into the segment %(name)s", who=who, name=name)


def _participation(trigger: Json, wording: Wording, names: Names, who: str) -> str:
    _ = wording.gettext
    on, nth = trigger.get("on"), _count(trigger.get("nth"))
    if trigger.get("who") == "buyer":
        said = _of_buyer(str(on), wording, nth=nth, who=who)
    elif nth:
        times = wording.ordinal(nth)
        said = {
            "attended": _("%(who)s came for the %(nth)s time", who=who, nth=times),
            "cancelled": _("%(who)s cancels for the %(nth)s time", who=who, nth=times),
        }.get(str(on)) or _("%(who)s books for the %(nth)s time", who=who, nth=times)
    else:
        said = {
            "attended": _("%(who)s came", who=who),
            "cancelled": _("%(who)s cancels", who=who),
            "called_off": _("the house cancels what %(who)s was coming to", who=who),
        }.get(str(on)) or _("%(who)s books", who=who)
    return _with_where(said, trigger, wording, names)


def _of_buyer(on: str, wording: Wording, *, nth: int | None, who: str) -> str:
    """What happens to whoever ordered the tickets."""
    _ = wording.gettext
    if nth:
        times = wording.ordinal(nth)
        return {
            "attended": _("what %(who)s ordered is used for the %(nth)s time", who=who, nth=times),
            "cancelled": _("what %(who)s ordered is cancelled for the %(nth)s time", who=who, nth=times),
        }.get(on) or _("%(who)s orders for the %(nth)s time, for anybody", who=who, nth=times)
    return {
        "attended": _("somebody came with a ticket that %(who)s ordered", who=who),
        "cancelled": _("what %(who)s ordered is cancelled", who=who),
        "called_off": _("the house cancels what %(who)s ordered tickets for", who=who),
    }.get(on) or _("%(who)s orders tickets, for anybody", who=who)


def _activity(trigger: Json, wording: Wording, names: Names, who: str) -> str:
    _ = wording.gettext
    offset = trigger.get("offset")
    lasting, sign = wording.duration(offset), sign_of(offset)
    if trigger.get("who") == "buyer":
        said = {
            -1: _("what %(who)s ordered tickets for begins in %(duration)s", who=who, duration=lasting),
            1: _("what %(who)s ordered tickets for was %(duration)s ago", who=who, duration=lasting),
        }.get(sign) or _("what %(who)s ordered tickets for begins", who=who)
    elif sign < 0:
        said = _("%(who)s will come in %(duration)s", who=who, duration=lasting)
    elif sign > 0:
        said = _("%(who)s came %(duration)s ago", who=who, duration=lasting)
    else:
        said = _("what %(who)s booked begins", who=who)
    return _with_where(said, trigger, wording, names)


def _anniversary(trigger: Json, wording: Wording, _names: Names, who: str) -> str:
    _ = wording.gettext
    offset, field = trigger.get("offset"), str(trigger.get("field") or "")
    lasting, sign = wording.duration(offset), sign_of(offset)
    day = _("birthday") if field == "birth_date" else _("yearly day in “%(field)s”", field=_own(field))
    if sign < 0:
        return _("the %(day)s of %(who)s comes in %(duration)s", day=day, who=who, duration=lasting)
    if sign > 0:
        return _("the %(day)s of %(who)s was %(duration)s ago", day=day, who=who, duration=lasting)
    return _("it is the %(day)s of %(who)s", day=day, who=who)


def _pass(trigger: Json, wording: Wording, _names: Names, who: str) -> str:
    _ = wording.gettext
    programme = wording.quoted(trigger.get("programme"), _("choose a pass"))
    nth = _count(trigger.get("nth"))
    match trigger.get("on"):
        case "point" if nth:
            return _(
                "%(who)s saves a point on the pass %(programme)s for the %(nth)s time",
                who=who,
                programme=programme,
                nth=wording.ordinal(nth),
            )
        case "point":
            return _("%(who)s saves a point on the pass %(programme)s", who=who, programme=programme)
        case "redeemed":
            return _("%(who)s spends points of the pass %(programme)s", who=who, programme=programme)
        case "expiring":
            lasting = wording.duration(trigger.get("offset"))
            if not lasting:
                return _("the pass %(programme)s of %(who)s expires", who=who, programme=programme)
            return _(
                "the pass %(programme)s of %(who)s expires in %(duration)s",
                who=who,
                programme=programme,
                duration=lasting,
            )
        case _other:
            return _("%(who)s gets the pass %(programme)s", who=who, programme=programme)


def _consent(trigger: Json, wording: Wording, names: Names, who: str) -> str:
    _ = wording.gettext
    code = str(trigger.get("purpose") or "")
    purpose = wording.quoted(names.purposes.get(code, code), _("choose what for"))
    if trigger.get("on") == "confirmed":
        return _("%(who)s confirms the subscription to %(purpose)s", who=who, purpose=purpose)
    return _("%(who)s subscribes to %(purpose)s", who=who, purpose=purpose)


def _form(trigger: Json, wording: Wording, names: Names, who: str) -> str:
    _ = wording.gettext
    name = wording.quoted(names.of("forms", trigger.get("form")), _("choose a form"))
    return _("%(who)s sends in the form %(name)s", who=who, name=name)


def _api(_trigger: Json, wording: Wording, _names: Names, who: str) -> str:
    _ = wording.gettext
    return _("a program of yours enters %(who)s through the API", who=who)


_TOLD = {
    "segment": _segment,
    "participation": _participation,
    "activity": _activity,
    "anniversary": _anniversary,
    "pass": _pass,
    "consent": _consent,
    "form": _form,
    "api": _api,
}


def _with_where(said: str, trigger: Json, wording: Wording, names: Names) -> str:
    """What is said of visits, limited to some of them: “… (genre dance; venue Grote zaal)”."""
    where = trigger.get("where")
    parts = (
        [_where_part(key, value, wording, names) for key, value in where.items()] if isinstance(where, Mapping) else []
    )
    told = "; ".join(part for part in parts if part)
    return f"{said} ({told})" if told else said


def _where_part(key: str, value: object, wording: Wording, names: Names) -> str:
    _ = wording.gettext
    label = {
        "genres": _("genre"),
        "series": _("series"),
        "venues": _("venue"),
        "kinds": _("kind of activity"),
        "audiences": _("target audience"),
        "activities": _("activity"),
        "channels": _("sales channel"),
        "sources": _("source"),
        "weekdays": _("day of the week"),
        "statuses": _("status"),
        "price_between": _("amount"),
        "quantity_between": _("tickets at a time"),
        "lead_days_between": _("days booked ahead"),
    }.get(key, key)
    if not isinstance(value, list) or not value:
        return ""
    if key.endswith("_between"):
        low, high = ([*value, None, None])[:2]
        return f"{label} {low if low is not None else '…'}-{high if high is not None else '…'}"
    if key == "activities":
        return f"{label} {wording.either([names.of('activities', one) or str(one) for one in value])}"
    if key == "weekdays":
        return f"{label} {tell_weekdays(value, wording)}"
    if key == "statuses":
        return f"{label} {wording.either([_status(str(one), wording) for one in value])}"
    return f"{label} {wording.either([str(one) for one in value])}"


def tell_weekdays(days: object, wording: Wording) -> str:
    """ISO days of the week as “Mon, Tue or Wed”."""
    _ = wording.gettext
    words = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
    known = [day for day in days if isinstance(day, int) and 1 <= day <= len(words)] if isinstance(days, list) else []
    return wording.either([words[day - 1] for day in sorted(set(known))])


def _status(status: str, wording: Wording) -> str:
    _ = wording.gettext
    return {
        "booked": _("booked"),
        "attended": _("attended"),
        "cancelled": _("cancelled"),
        "refunded": _("refunded"),
        "pending": _("pending"),
    }.get(status, status)


def _own(field: str) -> str:
    return field.removeprefix("attributes.")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
