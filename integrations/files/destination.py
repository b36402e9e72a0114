"""A destination of files: for each list a file with everybody on it, one with who opted out, and what changed.

    lezers.csv                            everybody who may be mailed: address, chosen columns, language, audiences
    lezers-opt-outs.csv                   who may not be mailed any more
    lezers-changes-0001.csv               what changed since the file of changes before it: add, change or remove
    lezers-opt-outs-in.csv                put there by somebody else: who opted out over there

The files are the state: what was acknowledged is what stands in them. Whoever is in no audience is in no file. Nobody
who opted out, here or there, is ever put back: every write leaves them out, and is looked at again afterwards, so that
an opt-out that was written meanwhile wins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from integrations.base import (
    ConnectorError,
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
    UnknownOutcome,
)
from integrations.files.folder import Folder
from integrations.files.tables import Dialect, addresses_in, is_address, read_rows, write_rows

EMAIL, LANGUAGE, AUDIENCES, ACTION = "EMAIL", "LANGUAGE", "AUDIENCES", "ACTION"
BETWEEN_TAGS = "|"
PEOPLE_PER_WRITE = 5_000
CHANGES_KEPT = 100
TRIES_MAX = 5
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_CHANGES = re.compile(r"(?P<list>.+)-changes-(?P<number>\d{4,9})\.csv")


def capabilities(system: str, documentation: str) -> DestinationCapabilities:
    """What files can do, whatever folder they are in."""
    return DestinationCapabilities(
        system=system,
        grade="D",
        upserts_per_call=PEOPLE_PER_WRITE,
        tags_per_call=PEOPLE_PER_WRITE,
        connections_max=1,
        has_webhooks=False,
        signs_webhooks=False,
        has_opt_out_poll=True,
        guards_person_opt_outs=True,
        has_suppression_list=False,
        erases_for_good=True,
        keeps_tracking_choice=False,
        longest_value="1000 characters",
        documentation=documentation,
        read_on=date(2026, 11, 21),
    )


@dataclass(slots=True)
class Row:
    """One person in a file."""

    email: str
    values: dict[str, str] = field(default_factory=dict)
    language: str = ""
    tags: set[str] = field(default_factory=set)

    def cells(self, columns: Sequence[str]) -> list[str]:
        """Everything but the address, in the order of the file."""
        return [*(self.values.get(name, "") for name in columns), self.language, BETWEEN_TAGS.join(sorted(self.tags))]


People = dict[str, Row]


class FileDestination:
    """A ``Destination`` on a folder. ``lists`` are the names of its files, ``columns`` what they hold of a person.

    Raises Permanent ``bad_settings`` (its hint is the setting) for a name no file can have. ``close`` writes what
    changed and closes the folder.
    """

    def __init__(
        self,
        folder: Folder,
        can: DestinationCapabilities,
        *,
        lists: Sequence[str],
        columns: Sequence[str],
        dialect: Dialect,
    ) -> None:
        if not lists or not all(NAME.fullmatch(name) for name in lists):
            raise Permanent("bad_settings", hint="lists")
        reserved = {EMAIL, LANGUAGE, AUDIENCES, ACTION}
        if reserved & {name.upper() for name in columns}:
            raise Permanent("bad_settings", hint="columns")
        self.capabilities = can
        self._folder, self._lists, self._columns, self._dialect = folder, lists, columns, dialect
        # Made known in this run and in no audience yet: they are in no file until they are.
        self._waiting: dict[str, People] = {}
        self._touched: set[str] = set()

    def close(self) -> None:
        """Write the files of changes; where that fails now, the next time does it."""
        try:
            for name in sorted(self._touched):
                self._write_changes(name)
        except ConnectorError:
            pass  # the difference is with the file of before, so nothing of it is lost
        finally:
            self._touched.clear()
            self._folder.close()

    # --- the account ------------------------------------------------------------------------------------------------

    def check(self) -> str:
        """Return the name of the folder, after making sure that it can be written to."""
        return self._folder.check()

    def lists(self) -> Sequence[DestinationList]:
        """Return every list, with how many people are in its file."""
        return [DestinationList(name, name, len(self._people(name)), double_opt_in=False) for name in self._lists]

    def field_tags(self, list_id: str) -> Sequence[str]:
        """Return the columns a push may fill."""
        self._known(list_id)
        return list(self._columns)

    # --- reading ----------------------------------------------------------------------------------------------------

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Yield who opted out, here or over there, whenever; and the first time everybody in the file too."""
        self._touched.add(list_id)
        out = self._opted_out(list_id)
        for email in out.values():
            yield MemberState(email, MemberStatus.UNSUBSCRIBED, reason="file")
        if since is None:
            for key, row in self._people(list_id).items():
                if key not in out:
                    yield MemberState(row.email, MemberStatus.SUBSCRIBED)

    def member(self, list_id: str, email: str) -> MemberState:
        """Return how one person is held now: in the file, among the opt-outs, or nowhere."""
        return MemberState(email, self._status(list_id, email))

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return the lists whose files name somebody."""
        found = [Membership(name, self._status(name, email)) for name in self._lists]
        return [one for one in found if one.status is not MemberStatus.ABSENT]

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        """Yield the addresses in the file that are in an audience."""
        for row in self._people(list_id).values():
            if tag_id in row.tags:
                yield row.email

    # --- writing ----------------------------------------------------------------------------------------------------

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        """Make each person known, some thousands a write; see ``Destination.upsert``. A file asks nobody to confirm."""
        self._known(list_id)
        for start in range(0, len(people), PEOPLE_PER_WRITE):
            yield from self._upsert(list_id, people[start : start + PEOPLE_PER_WRITE])

    def _upsert(self, list_id: str, people: Sequence[MemberPush]) -> list[MemberResult]:
        held, out = self._people(list_id), self._opted_out(list_id)
        waiting = self._waiting.setdefault(list_id, {})
        results, changed = [], False
        for person in people:
            key = folded(person.email)
            if not is_address(person.email):
                results.append(MemberResult(person.email, PushOutcome.INVALID, code="invalid_address"))
            elif key in out:
                results.append(_refused(person.email))
            else:
                known = held.get(key)
                row = self._row(person, known or waiting.get(key))
                changed = changed or (known is not None and known != row)
                (waiting if known is None else held)[key] = row
                results.append(MemberResult(person.email, PushOutcome.DONE, MemberStatus.SUBSCRIBED))
        if changed:
            self._write(list_id, held)
        return results

    def _row(self, person: MemberPush, known: Row | None) -> Row:
        told = {name: value for name, value in person.fields.items() if name in self._columns}
        values = {**(known.values if known else {}), **told}
        language = person.language or (known.language if known else "")
        return Row(person.email, values, language, set(known.tags) if known else set())

    def ensure_tag(self, list_id: str, name: str) -> str:
        """Return the audience's name as it stands in files."""
        self._known(list_id)
        return " ".join(name.replace(BETWEEN_TAGS, "/").split())

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        """Put people in an audience and take others out; who is in none any more leaves the file. One write."""
        held, out = self._people(list_id), self._opted_out(list_id)
        waiting = self._waiting.setdefault(list_id, {})
        results: list[MemberResult] = []
        for email in add:
            row = None if folded(email) in out else held.get(folded(email)) or waiting.pop(folded(email), None)
            if row is None:
                results.append(MemberResult(email, PushOutcome.REFUSED, code="not_on_list"))
                continue
            row.tags.add(tag_id)
            held[folded(email)] = row
            results.append(MemberResult(email, PushOutcome.DONE))
        for email in remove:
            if (row := held.get(folded(email))) is not None:
                row.tags.discard(tag_id)
            results.append(MemberResult(email, PushOutcome.DONE))
        self._write(list_id, held)
        return results

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Take one person out of the file and put them among the opt-outs; both read back are the proof.

        Somebody no file knows is told to nobody.
        """
        key = folded(email)
        if self._status(list_id, email) is MemberStatus.ABSENT:
            return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)
        self._waiting.get(list_id, {}).pop(key, None)
        for _ in range(TRIES_MAX):
            out = self._opted_out(list_id)
            if key not in self._read_out(list_id):
                out[key] = email
                self._write_out(list_id, out)
            held = self._people(list_id)
            if key in held:
                self._write(list_id, held)
            if key in self._read_out(list_id) and key not in self._people(list_id):
                return MemberResult(email, PushOutcome.DONE, MemberStatus.UNSUBSCRIBED)
        raise UnknownOutcome("list_moves")

    def suppress(self, email: str) -> bool:
        """There is no list above the lists: each is told by itself."""
        return False

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Take one person out of every file of a list. The next file of changes says that they were removed, without
        which the other system would keep them; it goes when a hundred newer ones came."""
        key = folded(email)
        held, out = self._people(list_id), self._read_out(list_id)
        self._waiting.get(list_id, {}).pop(key, None)
        if held.pop(key, None) is not None:
            self._write(list_id, held)
        if out.pop(key, None) is not None:
            self._write_out(list_id, out)
        for name in self._changes_of(list_id):
            self._forget_in(name, key)
        return MemberResult(email, PushOutcome.DONE, MemberStatus.ABSENT)

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        """Files announce nothing."""
        return None

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        """Files announce nothing, so whatever comes is not theirs."""
        return False

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        """Files announce nothing."""
        return []

    # --- the files --------------------------------------------------------------------------------------------------

    def _known(self, list_id: str) -> None:
        if list_id not in self._lists:
            raise Permanent("not_found", hint="no such list")

    def _status(self, list_id: str, email: str) -> MemberStatus:
        key = folded(email)
        if key in self._opted_out(list_id):
            return MemberStatus.UNSUBSCRIBED
        is_known = key in self._people(list_id) or key in self._waiting.get(list_id, {})
        return MemberStatus.SUBSCRIBED if is_known else MemberStatus.ABSENT

    def _people(self, list_id: str, *, name: str | None = None) -> People:
        """Who is in the file now."""
        self._known(list_id)
        self._touched.add(list_id)
        content = self._folder.read(name or f"{list_id}.csv")
        found: People = {}
        for row in read_rows(content, self._dialect) if content else ():
            email = row.get(EMAIL, "")
            tags = {tag for tag in row.get(AUDIENCES, "").split(BETWEEN_TAGS) if tag}
            values = {head: row[head] for head in self._columns if row.get(head)}
            if email:
                found[folded(email)] = Row(email, values, row.get(LANGUAGE, ""), tags)
        return found

    def _read_out(self, list_id: str) -> dict[str, str]:
        """Who is among the opt-outs we wrote down."""
        self._known(list_id)
        content = self._folder.read(f"{list_id}-opt-outs.csv")
        rows = read_rows(content, self._dialect) if content else ()
        return {folded(row[EMAIL]): row[EMAIL] for row in rows if row.get(EMAIL)}

    def _opted_out(self, list_id: str) -> dict[str, str]:
        """The same, with who opted out over there."""
        out = self._read_out(list_id)
        told = self._folder.read(f"{list_id}-opt-outs-in.csv")
        for email in addresses_in(told) if told else ():
            out.setdefault(folded(email), email)
        return out

    def _write_out(self, list_id: str, out: Mapping[str, str]) -> None:
        rows = [[out[key]] for key in sorted(out)]
        self._folder.write(f"{list_id}-opt-outs.csv", write_rows([EMAIL], rows, self._dialect))

    def _write(self, list_id: str, people: People) -> None:
        """Write everybody who is in an audience and has not opted out, and look again whether somebody did."""
        for _ in range(TRIES_MAX):
            out = self._opted_out(list_id)
            self._put(list_id, f"{list_id}.csv", people, without=out)
            if self._opted_out(list_id).keys() == out.keys():
                return
        raise UnknownOutcome("list_moves")

    def _put(self, list_id: str, name: str, people: People, *, without: Collection[str]) -> None:
        rows = (
            [row.email, *row.cells(self._columns)]
            for key, row in sorted(people.items())
            if row.tags and key not in without
        )
        heads = [EMAIL, *self._columns, LANGUAGE, AUDIENCES]
        self._folder.write(name, write_rows(heads, rows, self._dialect))

    def _write_changes(self, list_id: str) -> None:
        """Write what changed since the last file of changes, and remember what it was compared with."""
        before, after = self._people(list_id, name=f"{list_id}-previous.csv"), self._people(list_id)
        rows = list(self._changes(before, after))
        if not rows:
            return
        heads = [ACTION, EMAIL, *self._columns, LANGUAGE, AUDIENCES]
        known = self._changes_of(list_id)
        number = 1 + (_number_of(known[-1]) if known else 0)
        self._folder.write(f"{list_id}-changes-{number:04}.csv", write_rows(heads, rows, self._dialect))
        self._put(list_id, f"{list_id}-previous.csv", after, without=())
        for name in known[: max(len(known) + 1 - CHANGES_KEPT, 0)]:
            self._folder.remove(name)

    def _changes(self, before: People, after: People) -> Iterator[list[str]]:
        for key in sorted({*before, *after}):
            was, now = before.get(key), after.get(key)
            if now is not None and (was is None or was.cells(self._columns) != now.cells(self._columns)):
                yield ["add" if was is None else "change", now.email, *now.cells(self._columns)]
            elif was is not None and now is None:
                yield ["remove", was.email, *([""] * (len(self._columns) + 2))]

    def _changes_of(self, list_id: str) -> list[str]:
        """The files of changes of a list, the oldest first."""
        named = ((name, _CHANGES.fullmatch(name)) for name in self._folder.names())
        return sorted((name for name, told in named if told and told["list"] == list_id), key=_number_of)

    def _forget_in(self, name: str, key: str) -> None:
        content = self._folder.read(name)
        rows = list(read_rows(content, self._dialect)) if content else []
        kept = [row for row in rows if folded(row.get(EMAIL, "")) != key]
        if len(kept) < len(rows):
            heads = list(rows[0])
            self._folder.write(name, write_rows(heads, [[row[head] for head in heads] for row in kept], self._dialect))


def folded(email: str) -> str:
    """What two spellings of one address have in common."""
    return email.strip().casefold()


def _refused(email: str) -> MemberResult:
    status = MemberStatus.UNSUBSCRIBED
    return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")


def _number_of(name: str) -> int:
    told = _CHANGES.fullmatch(name)
    return int(told["number"]) if told else 0
