"""Every kind of step as a sentence, and what each of its branches is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from app.journeys.telling.names import Names
from app.journeys.telling.triggers import tell_event, tell_weekdays
from app.journeys.telling.wording import Wording, sign_of

Json = Mapping[str, Any]


def tell_step(step: Json, wording: Wording, names: Names) -> str:
    """Return what happens at a step, as a sentence without its branches."""
    tell = _TOLD.get(str(step.get("type")))
    return tell(step, wording, names) if tell else str(step.get("type") or "")


def tell_branches(step: Json, wording: Wording, rule: Callable[[object], str]) -> tuple[str, ...]:
    """Return the label of each branch of a step, in reading order; ``rule`` tells a rule."""
    _ = wording.gettext
    branches = step.get("branches")
    listed = [one for one in branches if isinstance(one, Mapping)] if isinstance(branches, list) else []
    match step.get("type"):
        case "choose":
            whens = [rule(one.get("when")) or _("A rule that is not finished") for one in listed]
            return (*whens, _("Everybody else"))
        case "split":
            return tuple(_share(one, listed, wording) for one in listed)
        case "wait_for":
            return (_("It happened"), _("It did not happen in time"))
        case _other:
            return ()


def _share(branch: Json, branches: list[Json], wording: Wording) -> str:
    _ = wording.gettext
    whole = sum(_weight(one) for one in branches)
    percent = round(100 * _weight(branch) / whole) if whole else 0
    return _("%(name)s: %(percent)s%% of them", name=branch.get("name") or "?", percent=percent)


def _weight(branch: Json) -> float:
    weight = branch.get("weight")
    return weight if isinstance(weight, int | float) and not isinstance(weight, bool) and weight > 0 else 0


def _send(step: Json, wording: Wording, names: Names) -> str:
    _ = wording.gettext
    name = wording.quoted(names.of("mailings", step.get("mailing")), _("choose a mailing"))
    return _("Mail %(name)s", name=name)


def _wait(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    lasting = wording.duration(step.get("for"))
    at, days = step.get("at"), tell_weekdays(step.get("weekdays"), wording)
    said = _("Wait %(duration)s", duration=lasting) if lasting else _("Wait")
    if days and at:
        return _("%(said)s, until %(days)s at %(time)s", said=said, days=days, time=at)
    if days:
        return _("%(said)s, until %(days)s", said=said, days=days)
    if at:
        return _("%(said)s, until %(time)s", said=said, time=at)
    return said if lasting else _("Wait (choose how long)")


def _wait_until(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    offset = step.get("offset")
    lasting, sign = wording.duration(offset), sign_of(offset)
    if sign < 0:
        return _("Wait until %(duration)s before the activity", duration=lasting)
    if sign > 0:
        return _("Wait until %(duration)s after the activity", duration=lasting)
    return _("Wait until the activity begins")


def _wait_for(step: Json, wording: Wording, names: Names) -> str:
    _ = wording.gettext
    trigger, lasting = step.get("trigger"), wording.duration(step.get("timeout"))
    who, gap = _("this person"), _("choose what to wait for")
    event = tell_event(trigger, wording, names, who=who) if isinstance(trigger, Mapping) else f"({gap})"
    if not lasting:
        return _("Wait until %(event)s", event=event)
    return _("Wait until %(event)s, for %(duration)s at most", event=event, duration=lasting)


def _choose(_step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    return _("Choose a way by who it is")


def _split(_step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    return _("Divide people at random, for good")


def _tag(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    add, remove = (_words(step.get(key), wording) for key in ("add", "remove"))
    if add and remove:
        return _("Give the tag %(add)s, and take off %(remove)s", add=add, remove=remove)
    if remove:
        return _("Take off the tag %(remove)s", remove=remove)
    gap = _("choose a tag")
    return _("Give the tag %(add)s", add=add or f"({gap})")


def _set(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    field = wording.quoted(str(step.get("field") or "").removeprefix("attributes."), _("choose a field"))
    value = step.get("value")
    if value is None or value == "":
        return _("Empty the field %(field)s", field=field)
    words = {True: _("yes"), False: _("no")}
    told = words[value] if isinstance(value, bool) else value
    return _("Fill in “%(value)s” in the field %(field)s", value=told, field=field)


def _audience(step: Json, wording: Wording, names: Names) -> str:
    _ = wording.gettext
    name = wording.quoted(names.of("audiences", step.get("audience")), _("choose an audience"))
    if step.get("do") == "remove":
        return _("Take out of the audience %(name)s", name=name)
    return _("Put in the audience %(name)s", name=name)


def _notify(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    return _("Tell a colleague (%(address)s)", address=step.get("to") or _("choose an address"))


def _webhook(step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    return _("Tell another system (%(host)s)", host=_host(step.get("url")) or _("fill in its address"))


def _exit(_step: Json, wording: Wording, _names: Names) -> str:
    _ = wording.gettext
    return _("Leave the journey")


_TOLD = {
    "send": _send,
    "wait": _wait,
    "wait_until": _wait_until,
    "wait_for": _wait_for,
    "choose": _choose,
    "split": _split,
    "tag": _tag,
    "set": _set,
    "audience": _audience,
    "notify": _notify,
    "webhook": _webhook,
    "exit": _exit,
}


def _words(value: object, wording: Wording) -> str:
    listed = [str(one) for one in value if one] if isinstance(value, list) else []
    return wording.both([wording.quoted(one, "") for one in listed])


def _host(url: object) -> str:
    try:
        return urlsplit(url).hostname or "" if isinstance(url, str) else ""
    except ValueError:
        return ""
