"""Our audiences at Campaign Monitor: the options of one field of our own, which may hold many of them for a person.

There are no tags there. A segment is a rule, and may look at this field. Marketers may put values of their own in it:
giving somebody an option takes along all they have, and taking one off names that one. Nobody is created by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from integrations.abreast import abreast
from integrations.base import MemberResult, MemberStatus, Permanent, PushOutcome
from integrations.esp.campaign_monitor_changes import PAGE_SIZE_MAX, Row
from integrations.esp.campaign_monitor_client import Client, Refusal
from integrations.esp.campaign_monitor_members import (
    IMPORT_MAX,
    NOBODY_COMES_BACK,
    TRACKING,
    folded,
    import_people,
    key_of,
    status_of,
)

FIELD = "Zaallicht"
KIND = "MultiSelectMany"
# From how many people on the newest of the list are read first: whoever was just added stands there.
TOGETHER_FROM = 20


@dataclass(frozen=True, slots=True)
class Change:
    """What one person's row is told: the values of our field."""

    row: Row
    values: Sequence[Mapping[str, Any]]


def is_ours(name: Any) -> bool:
    """Whether a custom field, by its name or key, is the one that holds our audiences."""
    return key_of(name).casefold() == FIELD.casefold()


def values_of(row: Row) -> list[str]:
    """The values of our field that a person has."""
    return [str(one["Value"]) for one in row.get("CustomFields") or [] if is_ours(one.get("Key"))]


def ensure_option(client: Client, list_id: str, name: str) -> str:
    """Make sure our field has this option, and return it. People do not see the field in their preference centre.

    Raises Permanent ``field_taken`` where a field of that name is of another kind.
    """
    held = next((one for one in client.get_all("lists", list_id, "customfields") if is_ours(one["Key"])), None)
    if held is None:
        body = {"FieldName": FIELD, "DataType": KIND, "Options": [name], "VisibleInPreferenceCenter": False}
        client.post("lists", list_id, "customfields", body=body)
    elif held["DataType"] != KIND:
        raise Permanent("field_taken")
    elif name not in held["FieldOptions"]:
        body = {"Options": [name], "KeepExistingOptions": True}
        client.put("lists", list_id, "customfields", held["Key"], "options", body=body)
    return name


def change_option(
    client: Client, list_id: str, name: str, *, add: Sequence[str], remove: Sequence[str]
) -> Sequence[MemberResult]:
    """Give ``add`` the option and take it off ``remove``; results in the order given, ``add`` first."""
    rows = _rows(client, list_id, [*add, *remove])
    given = {folded(email): _given(rows.get(folded(email)), name) for email in add}
    taken = {folded(email): _taken(rows.get(folded(email)), name) for email in remove}
    failed = _write(client, list_id, [one for one in (*given.values(), *taken.values()) if one is not None])
    strangers = {folded(email) for email in add if _is_stranger(rows.get(folded(email)))}
    return [_result(email, is_done=folded(email) not in failed | strangers, code="not_on_list") for email in add] + [
        _result(email, is_done=folded(email) not in failed, code="still_tagged") for email in remove
    ]


def _is_stranger(row: Row | None) -> bool:
    return row is None or status_of(row) is MemberStatus.ARCHIVED


def _given(row: Row | None, name: str) -> Change | None:
    if row is None or _is_stranger(row) or name in values_of(row):
        return None
    return Change(row, [{"Key": FIELD, "Value": value} for value in (*values_of(row), name)])


def _taken(row: Row | None, name: str) -> Change | None:
    if row is None or name not in values_of(row):
        return None
    return Change(row, [{"Key": FIELD, "Value": name, "Clear": True}])


def _write(client: Client, list_id: str, changes: Sequence[Change]) -> set[str]:
    """Tell many of the Active in one call, and everybody else one by one; returns who was not found any more.

    An import passes over whoever is not Active; an update does not, and leaves their state as it is.
    """
    active = [one for one in changes if status_of(one.row) is MemberStatus.SUBSCRIBED]
    alone = [one for one in changes if status_of(one.row) is not MemberStatus.SUBSCRIBED]
    for start in range(0, len(active), IMPORT_MAX):
        part = active[start : start + IMPORT_MAX]
        passed_over = import_people(client, list_id, [_body(one) for one in part])
        alone += [one for one in part if folded(str(one.row["EmailAddress"])) in passed_over]
    width = client.caller.pace.connections_max
    lost = abreast(partial(_update, client, list_id), alone, width=width)
    return {folded(email) for email in lost if email is not None}


def _body(change: Change) -> dict[str, Any]:
    row = change.row
    told = {"EmailAddress": row["EmailAddress"], "ConsentToTrack": TRACKING[None], "CustomFields": list(change.values)}
    return told | ({"Name": row["Name"]} if row.get("Name") else {})


def _update(client: Client, list_id: str, change: Change) -> str | None:
    email = str(change.row["EmailAddress"])
    try:
        client.put("subscribers", list_id, body={**_body(change), **NOBODY_COMES_BACK}, email=email)
    except Refusal as refusal:
        if refusal.code != "not_on_list":
            raise
        return email
    return None


def _rows(client: Client, list_id: str, emails: Sequence[str]) -> dict[str, Row]:
    """How these people are held, by folded address; strangers are left out."""
    wanted = {folded(email): email for email in emails}
    rows = _newest(client, list_id, wanted) if len(wanted) >= TOGETHER_FROM else {}
    rest = [email for key, email in wanted.items() if key not in rows]
    width = client.caller.pace.connections_max
    for email, row in zip(rest, abreast(partial(find_row, client, list_id), rest, width=width), strict=True):
        if row is not None:
            rows[folded(email)] = row
    return rows


def _newest(client: Client, list_id: str, wanted: Iterable[str]) -> dict[str, Row]:
    """Look for people page by page from the newest on, as long as a page saves more calls than it costs."""
    missing, found = set(wanted), dict[str, Row]()
    for page in _active_pages(client, list_id):
        here = {key: row for row in page if (key := folded(str(row.get("EmailAddress")))) in missing}
        found |= here
        missing -= here.keys()
        if len(here) < 2 or not missing:
            break
    return found


def _active_pages(client: Client, list_id: str) -> Iterator[Sequence[Row]]:
    number, pages = 1, 1
    order = {"date": "", "orderfield": "date", "orderdirection": "desc"}
    while number <= pages:
        page = client.get_page("lists", list_id, "active", page=number, pagesize=PAGE_SIZE_MAX, **order)
        yield page.rows
        pages, number = page.pages, number + 1


def find_row(client: Client, list_id: str, email: str) -> Row | None:
    """One person's row on a list, whatever their state; None for a stranger, or for what is no address."""
    try:
        row: Row = client.get("subscribers", list_id, email=email)
    except Refusal as refusal:
        if refusal.code not in {"not_on_list", "invalid_address"}:
            raise
        return None
    return row


def _result(email: str, *, is_done: bool, code: str) -> MemberResult:
    return MemberResult(email, PushOutcome.DONE) if is_done else MemberResult(email, PushOutcome.REFUSED, code=code)
