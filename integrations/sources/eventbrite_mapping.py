"""What Eventbrite says, in our words. Pure: JSON objects in, records out; no request is made here.

Who took part
    Every attendee, by the address on the ticket; Eventbrite fills in the buyer's where nobody asked for another. An
    attendee without an address is left out. The buyer is a contact too, with the name on the order, and every ticket
    says who bought it.
What they said
    Eventbrite has no marketing permission that a program can read, so a question on the order form serves: a yes is
    permission, with the words of the question; anything else is UNKNOWN.
What is left out
    Drafts, and attendees of orders that were never completed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from integrations.base import (
    ActivityRecord,
    ConsentRecord,
    ConsentState,
    ContactRecord,
    IdentityRecord,
    Offer,
    OfferKind,
    ParticipationRecord,
)
from integrations.sources.reading import text_of

Json = Mapping[str, Any]

NO = frozenset({"nee", "no", "non", "neen", "false", "0", "liever niet", "nee bedankt"})
YES = frozenset({"ja", "yes", "oui", "true", "1", "akkoord", "ok", "ja graag"})
UNFINISHED = frozenset({"started", "pending", "abandoned", "unpaid"})
KEY_LENGTH_MAX = 200
GENDERS = {"female": "female", "male": "male"}


@dataclass(frozen=True, slots=True)
class Account:
    """What the mapping must know: the name of this account in our records, and which question asks for ``purpose``."""

    source: str
    optin_question: str = ""
    purpose: str = "newsletter"
    kind: str = "performance"

    def purpose_of(self, answer: Json) -> str | None:
        """Return what a yes to a question permits, where it is the one that the house named."""
        asks = self.optin_question and _folded(answer.get("question")) == _folded(self.optin_question)
        return self.purpose if asks else None


def activity_of(event: Json, account: Account) -> ActivityRecord | None:
    """Read one event; None for a draft, which nobody can see yet."""
    if event.get("status") == "draft":
        return None
    number, title = str(event["id"]), text_of((event.get("name") or {}).get("text"))
    category = text_of((event.get("category") or {}).get("name"))
    return ActivityRecord(
        source=account.source,
        external_id=number,
        title=title or number,
        kind=account.kind,
        genres=(category,) if category else (),
        series=title if event.get("series_id") else None,
        venue=text_of((event.get("venue") or {}).get("name")),
        starts_at=_instant((event.get("start") or {}).get("utc")),
        ends_at=_instant((event.get("end") or {}).get("utc")),
        url=_web_address(event.get("url")),
        is_cancelled=event.get("status") == "canceled",
    )


def unknown_activity(number: str, account: Account) -> ActivityRecord:
    """Stand in for an event that Eventbrite does not show any more, so that its tickets are not lost."""
    return ActivityRecord(source=account.source, external_id=number, title=number, kind=account.kind)


def buyer_of(order: Json, account: Account) -> ContactRecord | None:
    """Read who placed an order; None where it holds no address."""
    email = text_of(order.get("email"))
    if email is None or "@" not in email:
        return None
    return ContactRecord(
        source=account.source,
        identities=(IdentityRecord("email", email),),
        email=email,
        given_name=text_of(order.get("first_name")),
        family_name=text_of(order.get("last_name")),
    )


def attendee_of(attendee: Json, account: Account) -> ParticipationRecord | None:
    """Read one attendee, with whom the ticket names and what they answered; None where nobody is known."""
    person = _person(attendee, account)
    if person is None or str(attendee.get("status") or "").casefold() in UNFINISHED:
        return None
    gross = (attendee.get("costs") or {}).get("gross") or {}
    return ParticipationRecord(
        source=account.source,
        external_id=str(attendee["id"]),
        contact=person,
        activity_source=account.source,
        activity_external_id=str(attendee["event_id"]),
        amount=Decimal(str(gross.get("major_value") or 0)),
        currency=text_of(gross.get("currency")) or "EUR",
        channel="web",
        status=_status(attendee),
        booked_at=_instant(attendee.get("created")),
        attended_at=_entered(attendee),
        buyer=_known(attendee.get("order") or {}, account),
    )


def _known(order: Json, account: Account) -> ContactRecord | None:
    """Who placed an order, by the address alone: what they are called is told by the order itself."""
    buyer = buyer_of(order, account)
    return None if buyer is None else replace(buyer, given_name=None, family_name=None)


def _person(attendee: Json, account: Account) -> ContactRecord | None:
    profile = attendee.get("profile") or {}
    email = text_of(profile.get("email"))
    if email is None or "@" not in email:
        return None
    said = ContactRecord(
        source=account.source,
        identities=(IdentityRecord("email", email),),
        email=email,
        consents=tuple(_consents(attendee, account)),
        custom=_custom(attendee, account),
    )
    if _is_somebody_with_the_buyers_address(profile, attendee.get("order") or {}):
        return said
    lives = (profile.get("addresses") or {}).get("home") or {}
    return replace(
        said,
        given_name=text_of(profile.get("first_name")),
        family_name=text_of(profile.get("last_name")),
        gender=GENDERS.get(str(profile.get("gender") or "").casefold()),
        birth_date=_date(profile.get("birth_date")),
        phone=text_of(profile.get("cell_phone")),
        street=" ".join(part for key in ("address_1", "address_2") if (part := text_of(lives.get(key)))) or None,
        postcode=text_of(lives.get("postal_code")),
        municipality=text_of(lives.get("city")),
        country=text_of(lives.get("country")),
    )


def _is_somebody_with_the_buyers_address(profile: Json, order: Json) -> bool:
    """Whether a ticket names another person and has the buyer's address, which Eventbrite fills in where nobody asked
    for one: the ticket is the buyer's to us, and the buyer keeps their own name."""
    name, buyer = _folded(profile.get("first_name")), _folded(order.get("first_name"))
    return bool(name and buyer and name != buyer) and _folded(profile.get("email")) == _folded(order.get("email"))


def _consents(attendee: Json, account: Account) -> list[ConsentRecord]:
    found = []
    for answer in attendee.get("answers") or ():
        if not _is_question(answer, account):
            continue
        state = ConsentState.IN if _folded(answer.get("answer")) in YES else ConsentState.UNKNOWN
        at = _instant(attendee.get("created"))
        found.append(
            ConsentRecord(
                channel="email",
                purpose=account.purpose_of(answer),
                state=state if at is not None else ConsentState.UNKNOWN,
                captured_at=at,
                method="ticket_question",
                wording=text_of(answer.get("question")),
                wording_language="nl",
                external_id=f"{attendee['id']}/{answer.get('question_id')}/{state.value}",
                raw={
                    "attendee": str(attendee["id"]),
                    "event": str(attendee["event_id"]),
                    "question_id": answer.get("question_id"),
                    "answer": answer.get("answer"),
                },
                question=question_key(answer),
            )
        )
    return found


def question_key(answer: Json) -> str:
    """Return the key of a question: its words, since Eventbrite numbers it anew for each event."""
    return f"question:{_folded(answer.get('question'))}"[:KEY_LENGTH_MAX]


def offers_of(attendees: Iterable[Json], account: Account) -> tuple[Offer, ...]:
    """Return the questions that attendees answered: with yes or no, or in words."""
    found = {}
    for attendee in attendees:
        for answer in attendee.get("answers") or ():
            if label := text_of(answer.get("question")):
                kind = OfferKind.QUESTION if _is_question(answer, account) else OfferKind.FIELD
                found[question_key(answer), kind] = Offer(kind, question_key(answer), label)
    return tuple(found.values())


def _is_question(answer: Json, account: Account) -> bool:
    """Whether an answer is a yes or a no; what a house uses to ask permission is, whatever was answered."""
    return _folded(answer.get("answer")) in YES | NO or account.purpose_of(answer) is not None


def _custom(attendee: Json, account: Account) -> dict[str, str]:
    return {
        question_key(answer): text
        for answer in attendee.get("answers") or ()
        if not _is_question(answer, account)
        and text_of(answer.get("question"))
        and (text := text_of(answer.get("answer")))
    }


def _status(attendee: Json) -> str:
    if attendee.get("refunded"):
        return "refunded"
    if attendee.get("cancelled"):
        return "cancelled"
    return "attended" if attendee.get("checked_in") else "booked"


def _entered(attendee: Json) -> datetime | None:
    if not attendee.get("checked_in"):
        return None
    used = (code for code in attendee.get("barcodes") or () if code.get("status") == "used")
    return min((at for code in used if (at := _instant(code.get("changed")))), default=None)


def _folded(value: Any) -> str:
    return " ".join(str(value or "").casefold().split()).rstrip(".!?")


def _instant(value: Any) -> datetime | None:
    text = text_of(value)
    return datetime.fromisoformat(text) if text else None


def _date(value: Any) -> date | None:
    text = text_of(value)
    return date.fromisoformat(text[:10]) if text else None


def _web_address(value: Any) -> str | None:
    text = text_of(value)
    return text if text and text.startswith("https://") else None
