"""What Ticketmatic says, in our words. Pure: JSON objects in, records out; no request is made here.

Who took part
    The buyer is the customer of the order. A ticket that was transferred belongs to whom it was transferred to, one
    with a ticket holder to that holder, any other to the buyer. A ticket for which nobody is named (cash at the
    counter) is left out.
What they said
    An opt-in of type *mandatory* makes people choose between yes and no: a yes is permission, with the words that stood
    there. One of type *optional* is a box that the house may have ticked beforehand, and Ticketmatic counts it as a yes
    all the same: it is kept as a box that was ticked beforehand, which allows nothing. A no is always a no.
Times
    Ticketmatic writes instants without a zone; they are read in the zone of the account.
What is left out
    Orders that were never confirmed, archived contacts and those without any content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from integrations.base import (
    ActivityRecord,
    ConsentRecord,
    ConsentState,
    ContactRecord,
    IdentityRecord,
    Offer,
    OfferKind,
    ParticipationRecord,
    WholeOrder,
)
from integrations.sources.reading import text_of

Json = Mapping[str, Any]

DRAFT, ACTIVE, CLOSED = 19001, 19002, 19003
UNCONFIRMED = 21001
MANDATORY = 40001
OPTED_IN, OPTED_OUT = 7602, 7603
STATES = {7601: ConsentState.UNKNOWN, OPTED_IN: ConsentState.IN, OPTED_OUT: ConsentState.OUT}
GENDERS = {"F": "female", "M": "male"}
SCANNED = (1, 2)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True)
class OptIn:
    """An opt-in of the account: what was asked, and for which of our purposes, as far as the connection's settings say.

    ``stands_for`` is the purpose as the house said since, for what is written back.
    """

    number: int
    purpose: str | None
    name: str
    wording: str | None
    makes_people_choose: bool
    stands_for: str | None = None

    @property
    def key(self) -> str:
        """The key of the question, for a house to say what it asks for."""
        return f"optin:{self.number}"


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field of the house's own making. ``values``: captions of what may be chosen in it, by their number."""

    key: str
    caption: str
    values: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Account:
    """What the mapping must know of an account. ``genres``: captions of the genre field's values, by their number.

    ``mark``: what our own opt-outs carry there as remark, so that they are not read back as news (empty: unknown).
    """

    source: str
    zone: ZoneInfo
    kind: str = "performance"
    genre_field: str = "c_genre"
    genres: Mapping[int, str] = field(default_factory=dict)
    optins: Mapping[int, OptIn] = field(default_factory=dict)
    mark: str = ""
    fields: Mapping[str, CustomField] = field(default_factory=dict)

    def contact_identity(self, number: int) -> IdentityRecord:
        """Return the key by which Ticketmatic knows a contact."""
        return IdentityRecord(f"{self.source}:contact", str(number))


def optins_of(
    rows: Iterable[Json], purposes: Mapping[str, str], said: Mapping[str, str] | None = None
) -> dict[int, OptIn]:
    """Return the opt-ins of an account. ``purposes``: our purpose by the name or number of the opt-in. ``said``:
    what a house said since, by number; an empty purpose is none.
    """
    wanted = {key.strip().casefold(): purpose for key, purpose in purposes.items()}
    found: dict[int, OptIn] = {}
    for row in rows:
        name, number = text_of(row.get("name")) or "", int(row["id"])
        purpose = wanted.get(name.casefold()) or wanted.get(str(number))
        stands_for = (said or {}).get(str(number), purpose) or None
        if row.get("id"):
            found[number] = OptIn(number, purpose, name, _wording(row), row.get("typeid") == MANDATORY, stands_for)
    return found


def activity_of(event: Json, account: Account) -> ActivityRecord | None:
    """Read one event; None for a draft, which nobody can see yet."""
    if event.get("currentstatus") == DRAFT:
        return None
    number, name = str(int(event["id"])), text_of(event.get("name"))
    return ActivityRecord(
        source=account.source,
        external_id=number,
        title=name or number,
        kind=account.kind,
        genres=_genres(event, account),
        series=name if event.get("productionid") else None,
        venue=text_of(event.get("locationname")),
        starts_at=instant(event.get("startts"), account.zone),
        ends_at=instant(event.get("endts"), account.zone),
    )


def unknown_activity(number: int, account: Account) -> ActivityRecord:
    """Stand in for an event that Ticketmatic does not show any more, so that its tickets are not lost."""
    return ActivityRecord(source=account.source, external_id=str(number), title=str(number), kind=account.kind)


def is_removed(row: Json) -> bool:
    """Whether a contact was removed there."""
    return bool(row.get("isdeleted")) or row.get("status") == "deleted"


def contact_of(row: Json, account: Account) -> ContactRecord | None:
    """Read one contact; None for one that was removed, or of whom nothing is left."""
    if is_removed(row):
        return None
    email = _address(row.get("email"))
    given_name, family_name = text_of(row.get("firstname")), _family_name(row)
    if not (email or given_name or family_name):
        return None
    lives: Json = next(iter(row.get("addresses") or ()), {})
    known_as = account.contact_identity(int(row["id"]))
    return ContactRecord(
        source=account.source,
        identities=(IdentityRecord("email", email), known_as) if email else (known_as,),
        email=email,
        given_name=given_name,
        family_name=family_name,
        language=_language(row.get("languagecode")),
        gender=GENDERS.get(str(row.get("sex") or "").upper()),
        birth_date=_date(row.get("birthdate")),
        phone=next((number for each in row.get("phonenumbers") or () if (number := text_of(each.get("number")))), None),
        street=" ".join(part for key in ("street1", "street2", "street3") if (part := text_of(lives.get(key)))) or None,
        postcode=text_of(lives.get("zip")),
        municipality=text_of(lives.get("city")),
        country=_country(lives.get("countrycode")),
        consents=tuple(_consents(row, account)) if email else (),
        custom=_custom(row, account),
    )


def offers_of(account: Account, contacts: Iterable[ContactRecord]) -> tuple[Offer, ...]:
    """Return what an account has words of its own for: its opt-ins, and its fields that these people have."""
    used = {key for contact in contacts for key in contact.custom}
    questions = [
        Offer(OfferKind.QUESTION, one.key, one.name or str(one.number), one.makes_people_choose)
        for one in account.optins.values()
    ]
    fields = [Offer(OfferKind.FIELD, key, one.caption) for key, one in account.fields.items() if key in used]
    return (*questions, *fields)


@dataclass(frozen=True, slots=True)
class OrderReader:
    """Reads one order. ``entered``: when each ticket was scanned at the door, by the ticket's number."""

    order: Json
    account: Account
    entered: Mapping[int, datetime] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The order's number."""
        return int(self.order["orderid"])

    def tickets(self) -> Sequence[Json]:
        """Return the tickets that somebody we know holds; none while the order is not confirmed."""
        return tuple(ticket for ticket in self._all() if _holder_of(ticket, self.order))

    def participations(self) -> tuple[ParticipationRecord, ...]:
        """Return one participation per ticket."""
        return tuple(self._participation(ticket) for ticket in self.tickets())

    def whole(self) -> WholeOrder:
        """Say that there are no more: Ticketmatic takes a returned ticket out of its order without a word.

        A ticket of an order that lost its customer (somebody was removed there) is still a ticket, and stays as it was.
        """
        refunds = (payment for payment in self.order.get("payments") or () if payment.get("refundpaymentid"))
        nobodys = (ticket for ticket in self._all() if not _holder_of(ticket, self.order))
        return WholeOrder(
            self.account.source,
            f"{self.number}/",
            "refunded" if any(refunds) else "cancelled",
            tuple(f"{self.number}/{int(ticket['id'])}" for ticket in nobodys),
        )

    def _all(self) -> Iterator[Json]:
        if self.order.get("status") != UNCONFIRMED:
            yield from (ticket for ticket in self.order.get("tickets") or () if ticket.get("eventid"))

    def _participation(self, ticket: Json) -> ParticipationRecord:
        number = int(ticket["id"])
        entered = self.entered.get(number)
        was_scanned = entered is not None or ticket.get("cachedaccesscontrolstatus") in SCANNED
        return ParticipationRecord(
            source=self.account.source,
            external_id=f"{self.number}/{number}",
            contact=self._holder(ticket),
            activity_source=self.account.source,
            activity_external_id=str(int(ticket["eventid"])),
            amount=Decimal(str(ticket.get("price") or 0)),
            status="attended" if was_scanned else "booked",
            booked_at=instant(self.order.get("createdts"), self.account.zone),
            attended_at=entered,
            buyer=self._known(self.order["customerid"]) if self.order.get("customerid") else None,
        )

    def _holder(self, ticket: Json) -> ContactRecord:
        return self._known(_holder_of(ticket, self.order) or 0)

    def _known(self, number: int) -> ContactRecord:
        return ContactRecord(source=self.account.source, identities=(self.account.contact_identity(int(number)),))


def _holder_of(ticket: Json, order: Json) -> int | None:
    """Return the number of whoever holds a ticket; None where Ticketmatic names nobody."""
    number = ticket.get("transferredto") or ticket.get("ticketholderid") or order.get("customerid")
    return int(number) if number else None


def people_of(order: Json) -> set[int]:
    """Return the numbers of everybody an order names: customer, ticket holders, whom tickets were transferred to."""
    named = [order.get("customerid")]
    for ticket in order.get("tickets") or ():
        named += [ticket.get("ticketholderid"), ticket.get("transferredto")]
    return {number for number in named if isinstance(number, int) and number > 0}


def entries_of(rows: Iterable[Json], account: Account) -> dict[int, datetime]:
    """Return when the tickets of an event were last scanned at the entrance, by the ticket's number."""
    scanned = (row for row in rows if row.get("accesscontrolstatus") in SCANNED)
    entered = ((row, instant(row.get("accesscontrollastenteredts"), account.zone)) for row in scanned)
    return {int(row["id"]): at for row, at in entered if at is not None}


def instant(value: Any, zone: ZoneInfo) -> datetime | None:
    """Read an instant; one without a zone is local to the account. Raises ValueError for what is none."""
    text = text_of(value)
    if text is None or text.startswith("0000"):
        return None
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def _consents(row: Json, account: Account) -> Iterator[ConsentRecord]:
    for said in row.get("optins") or ():
        optin = account.optins.get(int(said.get("optinid") or 0))
        state = STATES.get(int(said.get("status") or 0), ConsentState.UNKNOWN)
        if optin is None or state is ConsentState.UNKNOWN:
            continue
        at = instant(said.get("lastupdatets") or said.get("createdts"), account.zone)
        info = said.get("info") or {}
        if state is ConsentState.OUT and account.mark and text_of(info.get("remarks")) == account.mark:
            continue  # we wrote it: the ledger knew before Ticketmatic did
        # Without its time a yes proves nothing; the ledger is told that the box was there, no more.
        is_act = state is ConsentState.OUT or (optin.makes_people_choose and at is not None)
        yield ConsentRecord(
            channel="email",
            purpose=optin.purpose,
            state=state if at is not None or state is ConsentState.OUT else ConsentState.UNKNOWN,
            captured_at=at,
            method=(text_of(info.get("method")) or "box_office")
            if is_act or state is ConsentState.OUT
            else "pre_ticked",
            wording=optin.wording,
            wording_language=_language(row.get("languagecode")) or "nl",
            external_id=f"contact/{int(row['id'])}/{optin.number}/{said.get('status')}/{at.isoformat() if at else ''}",
            raw={
                "optin": optin.number,
                "optin_name": optin.name,
                "optin_type": "mandatory" if optin.makes_people_choose else "optional",
                "status": said.get("status"),
                "method": text_of(info.get("method")),
                "remarks": text_of(info.get("remarks")),
            },
            question=optin.key,
        )


def _custom(row: Json, account: Account) -> dict[str, Any]:
    """Return what stands in a contact's fields of the house's own making, choices by their caption."""
    found = {}
    for key, one in account.fields.items():
        given = row.get(key)
        values = [one.values.get(value, value) if isinstance(value, int) else value for value in _each(given)]
        kept = [value for value in values if value not in (None, "")]
        if kept:
            found[key] = ", ".join(str(value) for value in kept) if isinstance(given, list) else kept[0]
    return found


def _each(given: Any) -> Sequence[Any]:
    return given if isinstance(given, list) else () if isinstance(given, dict) else (given,)


def _wording(row: Json) -> str | None:
    """What people read: the description, and the words beside the box or beside yes."""
    beside = row.get("yescaption") if row.get("typeid") == MANDATORY else row.get("caption")
    said = [text for value in (row.get("caption"), row.get("description"), beside) if (text := text_of(value))]
    return " ".join(dict.fromkeys(said)) or None


def _genres(event: Json, account: Account) -> tuple[str, ...]:
    given = event.get(account.genre_field)
    numbers = given if isinstance(given, list) else [given] if given else []
    captions = [account.genres.get(number) if isinstance(number, int) else number for number in numbers]
    named = [text for caption in captions if (text := text_of(caption))]
    return tuple(dict.fromkeys(named or [text for tag in event.get("tags") or () if (text := text_of(tag))]))


def _family_name(row: Json) -> str | None:
    return " ".join(part for key in ("middlename", "lastname") if (part := text_of(row.get(key)))) or None


def _address(value: Any) -> str | None:
    """Return an address; what people type instead of one (``geen``, a phone number) is none."""
    text = text_of(value)
    return text if text and ADDRESS.fullmatch(text) else None


def _language(value: Any) -> str | None:
    text = text_of(value)
    return text[:2].lower() if text and text[:2].isalpha() else None


def _country(value: Any) -> str | None:
    text = text_of(value)
    return text.upper() if text and len(text) == 2 and text.isalpha() else None


def _date(value: Any) -> date | None:
    text = text_of(value)
    return date.fromisoformat(text[:10]) if text and not text.startswith("0000") else None
