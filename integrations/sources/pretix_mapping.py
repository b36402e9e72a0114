"""What pretix says, in our words. Pure: JSON objects in, records out; no request is made here.

Who took part
    The buyer is whoever holds the order's e-mail address and customer account. A position with an attendee e-mail
    address other than the buyer's belongs to that attendee, who is a contact of their own; any other position belongs
    to the buyer. A position for which nobody is known (anonymous box-office sale) is left out.
What they said
    The answer to the opt-in question belongs to the person the position belongs to. ``True`` is permission, asked with
    the question's wording; anything else is UNKNOWN, since an unticked box neither grants nor refuses.
What is left out
    Orders in test mode, products that admit nobody (programme books, drinks), anonymised customers, shredded values.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from integrations.base import (
    ActivityRecord,
    ConsentRecord,
    ConsentState,
    ContactRecord,
    IdentityRecord,
    ParticipationRecord,
)

Json = Mapping[str, Any]

ORDER_STATUS = {"n": "pending", "p": "booked", "e": "cancelled", "c": "cancelled", "r": "refunded"}
SALES_CHANNEL = {"web": "web", "pretixpos": "counter", "resellers": "partner"}
SHREDDED = "\u2588"


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What the mapping of an order needs to know of its event."""

    slug: str
    currency: str
    is_series: bool
    activity: ActivityRecord


@dataclass(frozen=True, slots=True)
class OptIn:
    """A yes-or-no question: its identifier, what a ticked box permits (where the house said so), and its wording by
    language in this event."""

    identifier: str
    purpose: str | None
    wording: Mapping[str, str] = field(default_factory=dict)


def localised(value: Any, *preferred: str) -> tuple[str | None, str | None]:
    """Return (text, language) of a multi-lingual string: the first preferred language it has, else its first."""
    if isinstance(value, str):
        return _text(value), None
    texts = {key: text for key, raw in (value or {}).items() if (text := _text(raw))}
    for language in preferred:
        if language in texts:
            return texts[language], language
    return next(((text, key) for key, text in texts.items()), (None, None))


def event_facts(event: Json, *, source: str, kind: str) -> EventFacts:
    """Read one event."""
    title, _ = localised(event.get("name"), "nl")
    activity = ActivityRecord(
        source=source,
        external_id=event["slug"],
        title=title or event["slug"],
        kind=kind,
        genres=_genres(event),
        venue=_venue(event),
        starts_at=_instant(event.get("date_from")),
        ends_at=_instant(event.get("date_to")),
        url=_web_address(event.get("public_url")),
    )
    return EventFacts(event["slug"], event.get("currency") or "EUR", bool(event.get("has_subevents")), activity)


def date_activity(date: Json, facts: EventFacts) -> ActivityRecord:
    """Read one date of an event series; what the date leaves open is as in its event."""
    of_series = facts.activity
    title, _ = localised(date.get("name"), "nl")
    return ActivityRecord(
        source=of_series.source,
        external_id=activity_id(facts.slug, date["id"]),
        title=title or of_series.title,
        kind=of_series.kind,
        genres=_genres(date) or of_series.genres,
        series=of_series.title,
        venue=_venue(date) or of_series.venue,
        starts_at=_instant(date.get("date_from")),
        ends_at=_instant(date.get("date_to")),
        url=f"{of_series.url.rstrip('/')}/{date['id']}/" if of_series.url else None,
    )


def activity_id(slug: str, date_id: int | None) -> str:
    """Return the external id of an event, or of one date of a series."""
    return slug if date_id is None else f"{slug}/{date_id}"


def customer_contact(customer: Json, *, source: str) -> ContactRecord | None:
    """Read one customer account; None for an anonymised one, of whom nothing is left but a number."""
    email = _text(customer.get("email"))
    if email is None:
        return None
    given_name, family_name = _names(customer.get("name_parts"), customer.get("name"))
    identities = [IdentityRecord("email", email), IdentityRecord(f"{source}:customer", customer["identifier"])]
    if external := _text(customer.get("external_identifier")):
        identities.append(IdentityRecord(f"{source}:external", external))
    return ContactRecord(
        source=source,
        identities=tuple(identities),
        email=email,
        given_name=given_name,
        family_name=family_name,
        language=_language(customer.get("locale")),
        phone=_text(customer.get("phone")),
    )


@dataclass(frozen=True, slots=True)
class OrderReader:
    """Reads one order of a known event. ``no_admission``: ids of the products that admit nobody."""

    order: Json
    facts: EventFacts
    questions: Mapping[str, OptIn] = field(default_factory=dict)
    no_admission: frozenset[int] = frozenset()

    def participations(self) -> tuple[ParticipationRecord, ...]:
        """Return one participation per position that admits somebody we know."""
        if self.order.get("testmode"):
            return ()
        return tuple(
            self._participation(position, person) for position, person in self._people() if self._admits(position)
        )

    def contacts(self) -> tuple[ContactRecord, ...]:
        """Return everybody the order speaks of, the buyer first, each with what they answered."""
        if self.order.get("testmode"):
            return ()
        found: dict[tuple[IdentityRecord, ...], ContactRecord] = {}
        answers: dict[tuple[IdentityRecord, ...], list[ConsentRecord]] = {}
        custom: dict[tuple[IdentityRecord, ...], dict[str, str]] = {}
        if buyer := self._buyer():
            found[buyer.identities] = buyer
        for position, person in self._people():
            found.setdefault(person.identities, person)
            answers.setdefault(person.identities, []).extend(self._consents(position, person))
            custom.setdefault(person.identities, {}).update(custom_answers(position, self.questions))
        return tuple(
            replace(person, consents=tuple(answers.get(key, ())), custom=custom.get(key, {}))
            for key, person in found.items()
        )

    def _people(self) -> Iterator[tuple[Json, ContactRecord]]:
        buyer = self._buyer()
        positions = {position["id"]: position for position in self.order.get("positions", ())}
        for position in positions.values():
            # An add-on (a workshop beside the tour) goes to whom the ticket it was added to went.
            main = positions.get(position.get("addon_to"), position)
            person = self._attendee(position) or self._attendee(main) or buyer
            if person is not None:
                yield position, person

    def _buyer(self) -> ContactRecord | None:
        order, source = self.order, self.facts.activity.source
        email, customer = _text(order.get("email")), order.get("customer")
        identities = [IdentityRecord("email", email)] if email else []
        if customer:
            identities.append(IdentityRecord(f"{source}:customer", customer))
        if not identities:
            return None
        address = _private_address(order.get("invoice_address"))
        # Name and language of somebody with an account come from the account: an invoice may well be made out to
        # another, an order typed in another language, and the two must not overwrite each other in turns.
        given_name, family_name = (None, None) if customer else self._buyer_names(email, address)
        buyer = ContactRecord(
            source=source,
            identities=tuple(identities),
            email=email,
            given_name=given_name,
            family_name=family_name,
            language=None if customer else _language(order.get("locale")),
            phone=_text(order.get("phone")),
        )
        return _living_at(buyer, address)

    def _buyer_names(self, email: str | None, address: Json) -> tuple[str | None, str | None]:
        names = _names(address.get("name_parts"), address.get("name"))
        own = (p for p in self.order.get("positions", ()) if email and _same(_text(p.get("attendee_email")), email))
        if names == (None, None) and (position := next(own, None)):
            return _names(position.get("attendee_name_parts"), position.get("attendee_name"))
        return names

    def _attendee(self, position: Json) -> ContactRecord | None:
        email = _text(position.get("attendee_email"))
        if email is None or _same(email, _text(self.order.get("email"))):
            return None
        given_name, family_name = _names(position.get("attendee_name_parts"), position.get("attendee_name"))
        attendee = ContactRecord(
            source=self.facts.activity.source,
            identities=(IdentityRecord("email", email),),
            email=email,
            given_name=given_name,
            family_name=family_name,
        )
        return _living_at(attendee, position)

    def _admits(self, position: Json) -> bool:
        return position.get("item") not in self.no_admission

    def _position_id(self, position: Json) -> str:
        return f"{self.facts.slug}/{self.order['code']}/{position['positionid']}"

    def _participation(self, position: Json, person: ContactRecord) -> ParticipationRecord:
        entered = _entries(position)
        return ParticipationRecord(
            source=self.facts.activity.source,
            external_id=self._position_id(position),
            contact=person,
            activity_source=self.facts.activity.source,
            activity_external_id=activity_id(self.facts.slug, position.get("subevent")),
            amount=Decimal(position.get("price") or "0"),
            currency=self.facts.currency,
            channel=_channel(self.order.get("sales_channel")),
            status=self._status(position, has_entered=bool(entered)),
            booked_at=_instant(self.order.get("datetime")),
            buyer=self._buyer(),
            attended_at=min(entered, default=None),
        )

    def _status(self, position: Json, *, has_entered: bool) -> str:
        status = ORDER_STATUS.get(self.order.get("status", ""), "pending")
        if position.get("canceled") and status != "refunded":
            status = "cancelled"
        if status == "cancelled":
            return "refunded" if self._is_refunded() else "cancelled"
        return "attended" if has_entered and status != "refunded" else status

    def _is_refunded(self) -> bool:
        done = (r for r in self.order.get("refunds", ()) if r.get("state") == "done")
        return sum((Decimal(refund.get("amount") or "0") for refund in done), Decimal(0)) > 0

    def _consents(self, position: Json, person: ContactRecord) -> Iterator[ConsentRecord]:
        for answer in position.get("answers", ()):
            question = self.questions.get(str(answer.get("question_identifier")))
            if question is not None:
                yield self._consent(position, answer, person, question)

    def _consent(self, position: Json, answer: Json, person: ContactRecord, question: OptIn) -> ConsentRecord:
        state = ConsentState.IN if answer.get("answer") == "True" else ConsentState.UNKNOWN
        locale = _language(self.order.get("locale")) or "nl"
        wording, language = localised(question.wording, locale, "nl")
        return ConsentRecord(
            channel="email",
            purpose=question.purpose,
            state=state,
            captured_at=_instant(self.order.get("datetime")),
            method="ticket_question",
            wording=wording,
            wording_language=language,
            external_id=f"{self._position_id(position)}/{question.identifier}/{state.value}",
            raw={
                "order": self.order["code"],
                "event": self.facts.slug,
                "positionid": position["positionid"],
                "question": answer.get("question"),
                "question_identifier": question.identifier,
                "answer": answer.get("answer"),
                # The buyer may have filled in the form for this attendee; pretix does not know who held the mouse.
                "is_for_attendee": not _same(person.email, _text(self.order.get("email"))),
            },
            question=question_key(question.identifier),
        )


def _entries(position: Json) -> list[datetime]:
    scans = (scan for scan in position.get("checkins", ()) if scan.get("type", "entry") == "entry")
    return [at for scan in scans if (at := _instant(scan.get("datetime")))]


def question_key(identifier: str) -> str:
    """Return the key of a question, for a house to say what its answers are for."""
    return f"question:{identifier}"


def is_yes_or_no(answer: Json) -> bool:
    """Whether an answer is a box that was ticked or left."""
    return answer.get("answer") in ("True", "False")


def answered_with_yes(order: Json) -> set[str]:
    """Return the questions that any position of the order answers with yes: their wording is then needed."""
    answers = (answer for position in order.get("positions", ()) for answer in position.get("answers", ()))
    return {str(answer.get("question_identifier")) for answer in answers if answer.get("answer") == "True"}


def custom_answers(position: Json, questions: Container[str]) -> dict[str, str]:
    """Return what was answered in words, by the key of the question; ``questions`` are those of yes or no."""
    return {
        question_key(str(answer.get("question_identifier"))): text
        for answer in position.get("answers", ())
        if answer.get("question_identifier") not in questions and (text := _text(answer.get("answer")))
    }


def wordings_of(questions: Sequence[Json]) -> dict[str, dict[str, str]]:
    """Return the words of an event's questions: by identifier, and then by language."""
    found = {}
    for question in questions:
        texts = question.get("question")
        words = {"nl": texts} if isinstance(texts, str) else {k: t for k, t in (texts or {}).items() if t}
        found[str(question.get("identifier"))] = words
    return found


def _text(value: Any) -> str | None:
    """Return a non-empty text, or None; what pretix has shredded counts as absent."""
    text = str(value).strip() if value is not None else ""
    return text if text.strip(SHREDDED) else None


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() == other.casefold()


def _language(locale: Any) -> str | None:
    """``nl-informal`` and ``pt-br`` are varieties of a language; ours have two letters."""
    text = _text(locale)
    return text[:2].lower() if text and text[:2].isalpha() else None


def _names(parts: Any, whole: Any) -> tuple[str | None, str | None]:
    """Return (given, family). A name kept whole is cut at its first blank, as Dutch names mostly fall."""
    parts = {key: text for key, raw in (parts or {}).items() if not key.startswith("_") and (text := _text(raw))}
    if "given_name" in parts or "family_name" in parts:
        given = " ".join(parts[key] for key in ("given_name", "middle_name") if key in parts)
        return given or None, parts.get("family_name")
    full = parts.get("full_name") or _text(whole)
    if full is None:
        return None, None
    given, _, family = full.partition(" ")
    return given, family.strip() or None


def _private_address(address: Any) -> Json:
    """An invoice to a company says nothing about where a person lives."""
    if not address or address.get("is_business") or _text(address.get("company")):
        return {}
    return dict(address)


def _living_at(person: ContactRecord, address: Json) -> ContactRecord:
    country = _text(address.get("country"))
    has_place = any(_text(address.get(key)) for key in ("street", "zipcode", "city"))
    return replace(
        person,
        street=_text(address.get("street")),
        postcode=_text(address.get("zipcode")),
        municipality=_text(address.get("city")),
        # pretix fills in a default country where nothing was asked; alone it says nothing.
        country=country.upper() if has_place and country and len(country) == 2 else None,
    )


def _channel(sales_channel: Any) -> str | None:
    name = _text(sales_channel)
    return SALES_CHANNEL.get(name, "other") if name else None


def _genres(thing: Json) -> tuple[str, ...]:
    genre = _text((thing.get("meta_data") or {}).get("genre"))
    return tuple(part for raw in (genre or "").split(",") if (part := raw.strip()))


def _web_address(value: Any) -> str | None:
    """An address ends up behind a link people click; nothing but a web address may."""
    text = _text(value)
    return text if text and text.startswith(("https://", "http://")) else None


def _venue(thing: Json) -> str | None:
    text, _ = localised(thing.get("location"), "nl")
    return ", ".join(line.strip() for line in text.splitlines() if line.strip()) if text else None
