"""What our store should hold by what pretix says now, worked out from its API by other means than our connector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select

from app import clock
from app.activities.models import Activity, Participation
from app.consent import gate
from app.contacts.models import Contact, ContactIdentity
from app.db import ScopedSession
from tests.real_pretix.box_office import BoxOffice, Json


@dataclass(frozen=True)
class Ticket:
    """One ticket of somebody: who it is for (an identity), for what, how much, and how far it is."""

    number: str
    identity: tuple[str, str]
    activity: str
    price: Decimal
    status: str
    scanned_at: datetime | None


@dataclass(frozen=True)
class Offer:
    """One thing to go to."""

    number: str
    title: str
    series: str | None
    starts_at: datetime
    genre: str
    venue: str


@dataclass(frozen=True)
class Truth:
    """All of it. ``people``: given name, family name and number of everybody with an account, by address."""

    tickets: frozenset[Ticket]
    offers: frozenset[Offer]
    people: dict[str, tuple[str, str, str]]
    wants_newsletter: frozenset[str]


def truth_of(office: BoxOffice) -> Truth:
    """Ask pretix for everything."""
    admits = {
        item["id"] for event in office.all_of("events/") for item in office.all_of(f"events/{event['slug']}/items/")
        if item["admission"]
    }  # fmt: skip
    orders = [one for one in office.all_of("orders/", include_canceled_positions="true") if not one["testmode"]]
    lines = [(order, position) for order in orders for position in order["positions"] if position["item"] in admits]
    tickets = (_ticket(order, position) for order, position in lines)
    said_yes = {
        (position["attendee_email"] or order["email"]).lower()
        for order, position in lines
        if any(answer["answer"] == "True" for answer in position["answers"])
    }
    accounts = [one for one in office.all_of("customers/") if one["email"]]
    return Truth(
        frozenset(ticket for ticket in tickets if ticket is not None),
        frozenset(_offers(office)),
        {
            one["email"].lower(): (
                one["name_parts"]["given_name"], one["name_parts"]["family_name"], one["identifier"]
            ) for one in accounts
        },
        frozenset(said_yes),
    )  # fmt: skip


def _ticket(order: Json, position: Json) -> Ticket | None:
    address = position["attendee_email"] or order["email"]
    if address is None and order["customer"] is None:
        return None
    scans = sorted(one["datetime"] for one in position["checkins"] if one["type"] == "entry")
    is_off = order["status"] in ("c", "e") or position["canceled"]
    was_paid_back = any(one["state"] == "done" for one in order["refunds"])
    on = "pending" if order["status"] == "n" else "attended" if scans else "booked"
    date = position["subevent"]
    return Ticket(
        f"{order['event']}/{order['code']}/{position['positionid']}",
        ("email", address.lower()) if address else ("pretix:customer", order["customer"]),
        order["event"] if date is None else f"{order['event']}/{date}",
        Decimal(position["price"]),
        ("refunded" if was_paid_back else "cancelled") if is_off else on,
        datetime.fromisoformat(scans[0]) if scans else None,
    )


def _offers(office: BoxOffice) -> Iterator[Offer]:
    for event in office.all_of("events/"):
        title, genre, venue = event["name"]["nl"], event["meta_data"]["genre"], event["location"]["nl"]
        if not event["has_subevents"]:
            yield Offer(event["slug"], title, None, datetime.fromisoformat(event["date_from"]), genre, venue)
            continue
        for date in office.all_of(f"events/{event['slug']}/subevents/"):
            starts_at = datetime.fromisoformat(date["date_from"])
            yield Offer(f"{event['slug']}/{date['id']}", date["name"]["nl"], title, starts_at, genre, venue)


def held_by(session: ScopedSession, truth: Truth) -> Truth:
    """Return what our store holds in the same words; a ticket of theirs stands under the identity pretix knows."""
    identities: dict[int, set[tuple[str, str]]] = {}
    for row in session.scalars(select(ContactIdentity)):
        identities.setdefault(row.contact_id, set()).add(
            (row.kind, row.value if row.kind != "email" else row.value.lower())
        )
    known_as = {ticket.number: ticket.identity for ticket in truth.tickets}
    rows = session.execute(
        select(Participation, Activity.external_id).join(Activity, Participation.activity_id == Activity.id)
    ).all()
    tickets = frozenset(_held(row, activity, identities[row.contact_id], known_as) for row, activity in rows)
    accounts = {
        contact.email: (
            contact.given_name or "", contact.family_name or "",
            next((value for kind, value in identities[contact.id] if kind == "pretix:customer"), ""),
        ) for contact in session.scalars(select(Contact)) if contact.email in truth.people
    }  # fmt: skip
    return Truth(
        tickets,
        frozenset(_offer(row) for row in session.scalars(select(Activity))),
        accounts,
        _may_get_the_newsletter(session),
    )


def _may_get_the_newsletter(session: ScopedSession) -> frozenset[str]:
    """Ask the gate about everybody."""
    addresses = {contact.id: contact.email or "" for contact in session.scalars(select(Contact))}
    asked = gate.claim(session, channel="email", purpose="newsletter", contact_ids=list(addresses), at=clock.now())
    return frozenset(addresses[each.contact_id] for each in asked if each.is_allowed)


def _held(
    row: Participation, activity: str, identities: set[tuple[str, str]], known_as: dict[str, tuple[str, str]]
) -> Ticket:
    wanted = known_as.get(row.external_id)
    identity = wanted if wanted in identities else min(identities)
    assert identity is not None
    return Ticket(row.external_id, identity, activity, row.amount or Decimal(0), row.status, row.attended_at)


def _offer(row: Activity) -> Offer:
    assert row.starts_at is not None
    return Offer(row.external_id, row.title, row.series, row.starts_at, " ".join(row.genres), row.venue or "")
