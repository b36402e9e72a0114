"""Telling Ticketmatic who said no: each of its opt-ins that stands for a purpose of ours is a list to leave.

The only status ever written is *opted out* (7603), to the one opt-in that is meant: nothing here can say yes for
anybody, and an answer that somebody gave elsewhere in the meantime is not written over. What we write carries a mark of
this connection, so that reading it back later is known as our own echo.

Whoever says no to everything is unsubscribed in the mail tool that Ticketmatic feeds, too, where it has one. Of that
side only two calls are public (``/subscribers/sync`` and ``/subscribers/communications``); what Ticketmatic sends to a
mail tool is not, so nothing of it is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from integrations.base import MemberResult, Membership, MemberStatus, Permanent, PushOutcome, Transient
from integrations.json_api import JsonApi
from integrations.sources.reading import text_of
from integrations.sources.ticketmatic_mapping import OPTED_IN, OPTED_OUT, Account, Json, instant

FOUND_MAX = 100
REASON = "Zaallicht"
# Ways by which people answer themselves; any other is a colleague or a program.
BY_THEMSELVES = frozenset({"websales", "webshop", "widget", "widgets"})
# How Ticketmatic says that nothing there sends mail.
NO_MAIL_TOOL = frozenset({"refused", "not_found", "forbidden"})


def mark_of(token: str) -> str:
    """Return what our own writes are marked with; ``token`` tells this connection from any other of the account."""
    return f"{REASON} {token}" if token else REASON


class OptOuts:
    """What is asked of, and told to, one account. May be shared between threads.

    ``account`` gives the opt-ins with their purposes, read once by whoever holds it.
    """

    def __init__(self, api: JsonApi, account: Callable[[], Account], *, mark: str) -> None:
        self._api, self._account, self._mark = api, account, mark

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return how each opt-in holds whoever has this address; [] where Ticketmatic knows nobody by it.

        Several customers with one address are one: as long as any of them is in, the address is.
        """
        account, rows = self._account(), self._customers(email)
        if not rows:
            return []
        return [
            Membership(str(number), _held(rows, number), _answered_at(rows, number, account), purposes=(purpose,))
            for number, optin in sorted(account.optins.items())
            if (purpose := optin.stands_for) is not None
        ]

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Write a no to one opt-in of everybody with this address; the answer's own status is the proof."""
        number = int(list_id)
        for row in self._customers(email):
            if _status(row, number) != OPTED_OUT:
                self._refuse(int(row["id"]), number)
        status = _held(rows, number) if (rows := self._customers(email)) else MemberStatus.ABSENT
        if status in (MemberStatus.UNSUBSCRIBED, MemberStatus.ABSENT):
            return MemberResult(email, PushOutcome.DONE, status)
        return MemberResult(email, PushOutcome.REFUSED, status, code=f"stays_{status.value}")

    def _refuse(self, customer: int, optin: int) -> None:
        said = {"optinid": optin, "status": OPTED_OUT, "info": {"method": "api", "remarks": self._mark}}
        try:
            self._api.put(f"contacts/{customer}", {"optins": [said]})
        except Permanent as error:
            raise Permanent("may_not_write", hint=error.hint) if error.code == "forbidden" else error from error

    def suppress(self, email: str) -> bool:
        """Unsubscribe them in the mail tool that Ticketmatic feeds; False where it feeds none."""
        try:
            self._api.post("subscribers/sync", [{"email": email, "subscribed": False}])
        except Permanent as error:
            if error.code in NO_MAIL_TOOL:
                return False
            raise
        return True

    def _customers(self, email: str) -> list[Json]:
        """Return everybody with exactly this address: a search by words first, as one address may be of several."""
        found = self._api.get("contacts", {"searchterm": email, "limit": FOUND_MAX}).body
        rows = found.get("data") if isinstance(found, dict) else None
        if not isinstance(rows, list):
            raise Transient("unexpected_answer", hint="contacts")
        same = [row for row in rows if _is_of(row, email)]
        if same:
            return same
        try:
            row = self._api.get("contacts/0", {"email": email}).body
        except Permanent as error:
            if error.code != "not_found":
                raise
            return []
        return [row] if _is_of(row, email) else []


def _is_of(row: Any, email: str) -> bool:
    if not isinstance(row, dict) or row.get("isdeleted") or not row.get("id"):
        return False
    return (text_of(row.get("email")) or "").casefold() == email.strip().casefold()


def _answers(row: Json, optin: int) -> Iterable[Mapping[str, Any]]:
    return [said for said in row.get("optins") or () if int(said.get("optinid") or 0) == optin]


def _status(row: Json, optin: int) -> int:
    return next((int(said.get("status") or 0) for said in _answers(row, optin)), 0)


def _held(rows: Sequence[Json], optin: int) -> MemberStatus:
    statuses = {_status(row, optin) for row in rows}
    if OPTED_IN in statuses:
        return MemberStatus.SUBSCRIBED
    return MemberStatus.UNSUBSCRIBED if statuses == {OPTED_OUT} else MemberStatus.PENDING


def _answered_at(rows: Sequence[Json], optin: int, account: Account) -> datetime | None:
    """When they said yes themselves, in the web shop, to an opt-in that makes people choose; None for any other yes."""
    if not account.optins[optin].makes_people_choose:
        return None
    instants = [
        instant(said.get("lastupdatets"), account.zone)
        for row in rows
        for said in _answers(row, optin)
        if int(said.get("status") or 0) == OPTED_IN
        and (text_of((said.get("info") or {}).get("method")) or "").casefold() in BY_THEMSELVES
    ]
    return max((at for at in instants if at is not None), default=None)
