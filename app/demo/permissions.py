"""What people said about being written to: boxes ticked and declined, proof complete or missing, second thoughts.

Every story is one that houses know. What it implies is not decided here but by ``app.consent.precedence``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from app.demo import house
from app.demo.people import Person
from app.demo.visits import Line
from app.demo.wordings import NEWSLETTER, OPENS, OWN_CUSTOMERS, PARTNERS, SURVEY, TIPS, TRACKING

SOFT = "soft_opt_in"
CONSENT = "consent"
# How many people, out of a thousand, a house may never write to again whatever they say.
SUPPRESSED_PER_THOUSAND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One consent event about somebody's e-mail address. ``notice``: the text shown, by its name in wordings.py."""

    purpose: str | None
    action: str
    at: datetime
    method: str
    source: str
    actor: str = "contact"
    basis: str | None = None
    notice: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def said_by(person: Person, lines: Sequence[Line], *, met_at: datetime, until: datetime, random: Random) -> list[Said]:
    """Return everything a person said until now, in the order it was recorded; nothing without an address.

    ``met_at`` is when the house first heard of them, ``until`` the instant before which everything happened.
    """
    if person.email is None:
        return []
    said = list(_first_words(person, lines, met_at, random))
    said += _second_thoughts(person, said, until, random)
    return sorted((each for each in said if each.at < until), key=lambda each: each.at)


def is_suppressed(person: Person, random: Random) -> bool:
    """Whether the address is on the list of those never to be contacted."""
    return person.email is not None and random.randrange(1000) < SUPPRESSED_PER_THOUSAND


def _first_words(person: Person, lines: Sequence[Line], met_at: datetime, random: Random) -> Iterator[Said]:
    if person.is_institution:
        yield _granted(NEWSLETTER, "impersonal_address", met_at, evidence={"legal_person": person.family_name})
    elif person.source == house.OLD_LIST:
        yield Said(
            purpose=NEWSLETTER,
            action="noted",
            at=met_at,
            method="import",
            source=house.OLD_LIST,
            actor="import",
            evidence={"file": "oude nieuwsbrieflijst.xlsx", "column": "nieuwsbrief", "value": "ja"},
        )
    elif person.source == house.NEWSLETTER_FORM:
        yield from _signed_up(met_at, random)
    elif lines:
        yield from _at_check_out(lines, random)


def _signed_up(at: datetime, random: Random) -> Iterator[Said]:
    """Yield a sign-up with a confirmation mail; some never follow its link."""
    purposes = [NEWSLETTER, *(purpose for purpose, share in ((TIPS, 0.45), (TRACKING, 0.3)) if random.random() < share)]
    purposes += [OPENS] if TRACKING in purposes else []
    form = {"page": "/nieuwsbrief", "form": "voettekst"}
    for purpose in purposes:
        yield Said(
            purpose=purpose,
            action="requested",
            at=at,
            method="form",
            source=house.NEWSLETTER_FORM,
            notice=purpose,
            evidence=form,
        )
    if random.random() > 0.86:
        return
    confirmed_at = at + timedelta(minutes=random.randrange(1, 900))
    for purpose in purposes:
        yield Said(
            purpose=purpose,
            action="confirmed",
            basis=CONSENT,
            at=confirmed_at,
            method="confirmation_page",
            source=house.NEWSLETTER_FORM,
            notice=purpose,
            evidence=form,
        )


def _at_check_out(lines: Sequence[Line], random: Random) -> Iterator[Said]:
    """Yield what a buyer answered when ordering: a box ticked, a line left standing, a no, or nothing at all."""
    first, last = lines[0], lines[-1]
    chance = random.random()
    if chance < 0.40:
        yield _granted(NEWSLETTER, CONSENT, first.booked_at, evidence={"order": first.number})
        for purpose, share in ((TIPS, 0.42), (PARTNERS, 0.14), (TRACKING, 0.25)):
            if random.random() < share:
                yield _granted(purpose, CONSENT, first.booked_at, evidence={"order": first.number})
                if purpose == TRACKING:
                    yield _granted(OPENS, CONSENT, first.booked_at, evidence={"order": first.number})
        if len(lines) > 12:
            renewed_at = last.booked_at - timedelta(minutes=2)
            yield _granted(NEWSLETTER, CONSENT, renewed_at, method="preference_page", evidence={"page": "/voorkeuren"})
    elif chance < 0.74:
        for line in (first, last) if last.booked_at > first.booked_at else (first,):
            proof = {"transaction": line.number, "seller": house.LEGAL_NAME}
            yield _granted(NEWSLETTER, SOFT, line.booked_at, notice=OWN_CUSTOMERS, evidence=proof)
            if line is first and random.random() < 0.3:
                yield _granted(SURVEY, SOFT, line.booked_at, evidence=proof)
    elif chance < 0.82:
        method = "box_ticked" if first.channel in ("web", "app") else "asked_at_counter"
        yield Said(
            purpose=NEWSLETTER, action="refused", at=first.booked_at, method=method, source=house.TICKETS,
            notice=OWN_CUSTOMERS,
        )  # fmt: skip
    elif chance < 0.86:
        # Sold by a colleague who did not write down what was asked: a statement, and no proof.
        yield Said(
            purpose=NEWSLETTER, action="noted", at=first.booked_at, method="asked_at_counter", source=house.TICKETS,
            actor="staff", evidence={"stated": "granted"},
        )  # fmt: skip


def _second_thoughts(person: Person, said: Sequence[Said], until: datetime, random: Random) -> Iterator[Said]:
    """Yield withdrawals, the few who come back, objections and complaints."""
    yes = [each for each in said if each.action in ("granted", "confirmed")]
    chance = random.random()
    if not yes or chance > 0.135:
        return
    since = yes[0].at
    at = since + (until - since) * random.random()
    if chance < 0.115:
        yield Said(
            purpose=NEWSLETTER if chance < 0.085 else yes[-1].purpose,
            action="withdrawn", at=at, method="unsubscribe_link", source="zaallicht",
        )  # fmt: skip
        if chance < 0.014:
            back_at = at + (until - at) * random.random()
            yield _granted(NEWSLETTER, CONSENT, back_at, method="preference_page", evidence={"page": "/voorkeuren"})
    elif chance < 0.129:
        yield Said(
            purpose=None, action="objected", at=at, method="phone", source=house.TICKETS, actor="staff",
            evidence={"note": "wil niets meer ontvangen"},
        )  # fmt: skip
    else:
        yield Said(
            purpose=None, action="objected", at=at, method="complaint", source="zaallicht", actor="system",
            evidence={"reason": "complaint"},
        )  # fmt: skip


def _granted(
    purpose: str,
    basis: str,
    at: datetime,
    *,
    method: str = "box_ticked",
    notice: str | None = None,
    evidence: Mapping[str, Any],
) -> Said:
    return Said(
        purpose=purpose,
        action="granted",
        basis=basis,
        at=at,
        method=method,
        source=house.TICKETS,
        notice=notice or purpose,
        evidence=evidence,
    )
