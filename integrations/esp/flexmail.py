"""Flexmail as a destination: one pool of contacts, and a field of ours for the audiences they are in.

Grade **O**: observed in other people's programs, never held against the vendor's own pages, which could not be read.
What that means: Flexmail shows no status of a contact, no list of who unsubscribed and no filter by change, and what
its webhooks say is not public. So **an opt-out made in Flexmail does not come home by itself**; the connection's page
says so, and a person brings it as a file. Flexmail itself goes on holding those people out: people are made known by
imports only, which say ``resubscribe_blacklisted_contacts: false`` in the one place where it is written (``Import``).

Our field holds the audiences somebody is in, and ``#out`` for whom we unsubscribed: the one thing that is read back.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from integrations.base import (
    DestinationCapabilities,
    DestinationList,
    HookEvent,
    MemberPush,
    MemberResult,
    Membership,
    MemberState,
    MemberStatus,
    Permanent,
    PushOutcome,
    Transient,
    UnknownOutcome,
)
from integrations.esp.calls import Pace
from integrations.esp.flexmail_client import Client, Refusal

IMPORT_MAX = 500
FIELD, OUT, BETWEEN_TAGS = "zaallicht", "#out", "|"
DEFAULT_LANGUAGE = "nl"
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
NAMES = ("first_name", "name")

Row = Mapping[str, Any]


class Flexmail:
    """A ``Destination``. ``source`` is the number of the source in Flexmail that people we add are filed under, and
    stands for the one list there is. ``base_url`` replaces the vendor's address."""

    capabilities = DestinationCapabilities(
        system="flexmail",
        grade="O",
        upserts_per_call=IMPORT_MAX,
        tags_per_call=IMPORT_MAX,
        connections_max=1,
        has_webhooks=False,
        signs_webhooks=False,
        has_opt_out_poll=False,
        guards_person_opt_outs=True,
        has_suppression_list=False,
        erases_for_good=True,
        keeps_tracking_choice=False,
        longest_value="not known",
        documentation="https://api.flexmail.eu/documentation/",
        read_on=date(2026, 11, 20),
    )

    def __init__(
        self, account: str, token: str, source: str, *, base_url: str | None = None, pace: Pace | None = None
    ) -> None:
        self._client = Client(account.strip(), token, base_url=base_url, pace=pace)
        self._account, self._source = account.strip(), source.strip()

    def close(self) -> None:
        """Close the pooled connections; later calls open new ones."""
        self._client.caller.close()

    # --- the account ------------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Return the account's number, after making sure that the source and our field are there."""
        self._source_name()
        self._known_field()
        return f"Flexmail {self._account}"

    def lists(self) -> Sequence[DestinationList]:
        """Return the one list: the source people are filed under, with how many contacts the account has."""
        total = self._client.get("contacts", limit=1, offset=0).get("total", 0)
        count = total if isinstance(total, int) else 0
        return [DestinationList(self._source, self._source_name(), count, double_opt_in=False)]

    def field_tags(self, list_id: str) -> Sequence[str]:
        """Return the names of the contact's own fields and of the account's, but for ours."""
        self._known(list_id)
        return [*NAMES, *(key for key in self._fields() if key != FIELD)]

    # --- reading ----------------------------------------------------------------------------------------------------

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Yield, the first time and once a day, who is in an audience of ours or was unsubscribed by us.

        Of everybody else, and of what changed, Flexmail tells nothing.
        """
        self._known(list_id)
        if since is not None:
            return
        for row in self._client.contacts():
            if _ours(row):
                yield MemberState(str(row["email"]), _status(row), external_id=str(row.get("id")))

    def member(self, list_id: str, email: str) -> MemberState:
        """Return how one person is held, as far as it can be known: there or not, and unsubscribed by us or not."""
        self._known(list_id)
        row = self._client.contact(email)
        return MemberState(email, MemberStatus.ABSENT if row is None else _status(row))

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return the one list, where the account knows somebody."""
        row = self._client.contact(email)
        return [] if row is None else [Membership(self._source, _status(row))]

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        """Yield who is in an audience of ours, by reading everybody."""
        self._known(list_id)
        for row in self._client.contacts():
            if tag_id in _tags(row):
                yield str(row["email"])

    # --- pushing ----------------------------------------------------------------------------------------------------

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        """Make each person known, five hundred an import; see ``Destination.upsert``."""
        self._known(list_id)
        for start in range(0, len(people), IMPORT_MAX):
            yield from self._upsert(people[start : start + IMPORT_MAX])

    def _upsert(self, people: Sequence[MemberPush]) -> list[MemberResult]:
        known = self._rows_of([person.email for person in people])
        is_out = {email for email, row in known.items() if OUT in _ours(row)}
        able = [one for one in people if ADDRESS.fullmatch(one.email) and one.email.lower() not in is_out]
        taken = self._import([_record(one, known.get(one.email.lower())) for one in able]) if able else set()
        return [self._result(one, is_out=is_out, taken=taken) for one in people]

    def _result(self, person: MemberPush, *, is_out: set[str], taken: set[str]) -> MemberResult:
        email = person.email.lower()
        if not ADDRESS.fullmatch(person.email):
            return MemberResult(person.email, PushOutcome.INVALID, code="invalid_address")
        if email in is_out:
            status = MemberStatus.UNSUBSCRIBED
            return MemberResult(person.email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")
        if email not in taken:
            return MemberResult(person.email, PushOutcome.REFUSED, code="not_taken")
        return MemberResult(person.email, PushOutcome.DONE, MemberStatus.SUBSCRIBED)

    def _import(self, records: Sequence[dict[str, Any]]) -> set[str]:
        """Import people and return who of them is known afterwards. It runs by itself; we wait until it is done."""
        told = Import(self._source, records)
        self._client.write("POST", "contacts", "imports", body=told.job)
        self._client.write("POST", "contacts", "imports", told.id, "records", body=told.records)
        self._client.write("PATCH", "contacts", "imports", told.id, body={"status": "queued"})
        try:
            ignored = self._client.wait_for_import(told.id)
        except Transient as problem:
            unread = UnknownOutcome(problem.code, hint=problem.hint)
        else:
            emails = {str(record["email"]) for record in records}
            # Who was passed over is not told: they are looked for among all.
            return emails if not ignored else emails & self._rows_of(list(emails)).keys()
        raise unread

    def _rows_of(self, emails: Sequence[str]) -> dict[str, Row]:
        """The contacts with these addresses: one call each where they are few, else all contacts are read."""
        wanted = {email.lower() for email in emails}
        if len(wanted) <= 5:
            found = ((email, self._client.contact(email)) for email in sorted(wanted))
            return {email: row for email, row in found if row is not None}
        rows = ((str(row.get("email", "")).lower(), row) for row in self._client.contacts())
        return {email: row for email, row in rows if email in wanted}

    # --- audiences --------------------------------------------------------------------------------------------------

    def ensure_tag(self, list_id: str, name: str) -> str:
        """Return the audience's name as our field holds it. The field itself a person makes in Flexmail."""
        self._known(list_id)
        self._known_field()
        return " ".join(name.replace(BETWEEN_TAGS, "/").split())

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        """Put people in an audience and take others out, by an import; strangers are results."""
        self._known(list_id)
        rows = self._rows_of([*add, *remove])
        changed: list[dict[str, Any]] = []
        results = []
        for email, is_in in [*((each, True) for each in add), *((each, False) for each in remove)]:
            row = rows.get(email.lower())
            if row is None or OUT in _ours(row):
                refused = MemberResult(email, PushOutcome.REFUSED, code="not_on_list")
                results.append(refused if is_in else MemberResult(email, PushOutcome.DONE))
                continue
            tags = _ours(row) | {tag_id} if is_in else _ours(row) - {tag_id}
            if tags != _ours(row):
                changed.append(_again(row, tags))
            results.append(MemberResult(email, PushOutcome.DONE))
        for start in range(0, len(changed), IMPORT_MAX):
            self._import(changed[start : start + IMPORT_MAX])
        return results

    # --- opting out -------------------------------------------------------------------------------------------------

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Opt one person out. Flexmail shows no status: that it took the call, and our mark read back, is the proof."""
        self._known(list_id)
        row = self._client.contact(email)
        if row is None:
            return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)
        contact_id = str(row["id"])
        try:
            self._client.write("POST", "contacts", contact_id, "unsubscribe")
            self._client.write("PUT", "contacts", contact_id, body=_again(row, {OUT}))
        except Refusal as refusal:
            if refusal.code != "not_found":
                raise
        try:
            status = self.member(list_id, email).status
        except Transient as problem:
            unread = UnknownOutcome(problem.code, hint=problem.hint)
        else:
            is_done = status is not MemberStatus.SUBSCRIBED
            outcome = PushOutcome.DONE if is_done else PushOutcome.REFUSED
            return MemberResult(email, outcome, status, code=None if is_done else f"stays_{status.value}")
        raise unread

    def suppress(self, email: str) -> bool:
        """There is one list, so there is nothing above it."""
        return False

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Delete one person; whether Flexmail remembers their opt-out is not known, so the gate must."""
        self._known(list_id)
        row = self._client.contact(email)
        if row is not None:
            try:
                self._client.write("DELETE", "contacts", str(row["id"]))
            except Refusal as refusal:
                if refusal.code != "not_found":
                    raise
        return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)

    # --- webhooks ---------------------------------------------------------------------------------------------------

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        """What Flexmail's webhooks say is not public, so none are asked for."""
        return None

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        """No webhooks were asked for, so whatever comes is not Flexmail's."""
        return False

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        """No webhooks were asked for."""
        return []

    # --- what is there ----------------------------------------------------------------------------------------------

    def _known(self, list_id: str) -> None:
        if list_id != self._source:
            raise Permanent("not_found", hint="another source than the one chosen")

    def _source_name(self) -> str:
        for row in self._client.rows("sources"):
            if str(row.get("id")) == self._source and self._source.isdecimal():
                return str(row.get("name") or self._source)
        raise Permanent("bad_settings", hint="source")

    def _fields(self) -> list[str]:
        rows = self._client.rows("custom-fields")
        return [str(row.get("id") or row.get("name")) for row in rows if row.get("id") or row.get("name")]

    def _known_field(self) -> None:
        if FIELD not in self._fields():
            raise Permanent("field_missing")


class Import:
    """What one import is made of: one that brings nobody back."""

    def __init__(self, source: str, records: Sequence[dict[str, Any]]) -> None:
        self.id = str(uuid.uuid4())
        # True would put people back who unsubscribed. There is no parameter that leads here.
        self.job = {"id": self.id, "resubscribe_blacklisted_contacts": False}
        self.records = [{**record, "sources": [int(source)]} for record in records]


def _record(person: MemberPush, known: Row | None) -> dict[str, Any]:
    """A person as an import takes them, with what the contact holds besides: it may not keep what is left out."""
    kept = _plain(known) if known is not None else {}
    names = {name: person.fields[name] for name in NAMES if person.fields.get(name)}
    told = {key: value for key, value in person.fields.items() if key not in NAMES}
    fields = {**kept.pop("custom_fields", {}), **told}
    language = person.language or str(kept.get("language") or DEFAULT_LANGUAGE)
    return {**kept, **names, "email": person.email.lower(), "language": language, "custom_fields": fields}


def _again(row: Row, tags: set[str]) -> dict[str, Any]:
    """A contact as it is, with other audiences."""
    kept = _plain(row)
    return {**kept, "custom_fields": {**kept["custom_fields"], FIELD: BETWEEN_TAGS.join(sorted(tags))}}


def _plain(row: Row) -> dict[str, Any]:
    """What of a contact may be told back."""
    fields = row.get("custom_fields")
    return {
        **{name: row[name] for name in ("email", "language", *NAMES) if row.get(name)},
        "custom_fields": dict(fields) if isinstance(fields, dict) else {},
    }


def _ours(row: Row) -> set[str]:
    """What our field holds: audiences, or the mark of whom we unsubscribed."""
    fields = row.get("custom_fields")
    told = fields.get(FIELD) if isinstance(fields, dict) else None
    return {tag for tag in str(told or "").split(BETWEEN_TAGS) if tag}


def _tags(row: Row) -> set[str]:
    return _ours(row) - {OUT}


def _status(row: Row) -> MemberStatus:
    return MemberStatus.UNSUBSCRIBED if OUT in _ours(row) else MemberStatus.SUBSCRIBED
