"""Tests of variants: some get A, some get B, the rest wait; then the better one goes to the rest, if there is one.

The rule is fixed before anything is sent, and asked once: so many hours after the last mail of the test left, compare
the share of people who clicked (of those who let us see clicks), or who booked. A variant wins when it beats every
other one with 95 % certainty, shared out over all pairs (Bonferroni), by the same interval as everything else
(``proof``). Otherwise no difference is proven, and the rest is split evenly. Never opens (I17).

Two workers, or a kill half-way, change nothing: the mailing is locked, and the verdict and the mails it frees are one
transaction. A mailing that is paused is decided after it goes on; one that was cancelled, never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, Literal

import sqlalchemy as sa

from app import clock
from app.db import ScopedSession, transaction
from app.mailings.effect.draws import OUT_OF, share_of
from app.mailings.effect.models import MailingTest
from app.mailings.effect.people_sql import BOOKINGS, GOT, PERMITTED, SURVIVOR
from app.mailings.effect.proof import LEVEL, Side, difference_of_rates
from app.mailings.models import Delivery, Mailing
from app.runtime import Runtime

DecideBy = Literal["clicks", "bookings"]
DECIDE_BY: tuple[DecideBy, ...] = ("clicks", "bookings")
AFTER_HOURS = {"clicks": 4, "bookings": 48}
HOURS_MAX = 336
# Mails of the test that wait this long (a relay that rests, quiet hours) hold the others up no longer.
PATIENCE = timedelta(hours=24)
OPEN_STATES = ("planned", "claimed", "handed_over")


@dataclass(frozen=True, slots=True)
class Rule:
    """What was agreed before sending: who takes part, what is compared, and when."""

    share_percent: int
    decide_by: DecideBy
    after_hours: int


def rule_of(ab_test: Mapping[str, Any] | None) -> Rule | None:
    """Return the rule of a mailing's test, what was not said filled in; None where nothing is tested."""
    if not ab_test:
        return None
    by: DecideBy = "bookings" if ab_test.get("decide_by") == "bookings" else "clicks"
    return Rule(int(ab_test.get("share_percent", 100)), by, int(ab_test.get("after_hours", AFTER_HOURS[by])))


def problem_of(ab_test: Mapping[str, Any] | None) -> str | None:
    """Return the code of what is wrong with a test somebody asks for, or None."""
    if not ab_test:
        return None
    if ab_test.get("decide_by", "clicks") not in DECIDE_BY:
        return "unknown"
    share_percent, hours = ab_test.get("share_percent", 100), ab_test.get("after_hours", 1)
    whole = isinstance(share_percent, int) and isinstance(hours, int)
    return None if whole and 1 <= share_percent <= 100 and 1 <= hours <= HOURS_MAX else "out_of_range"


def decide_tests(runtime: Runtime, organisation_id: int) -> int:
    """Decide every test that is due; returns how many. Each in a transaction of its own."""
    with transaction(runtime.engine, organisation_id) as session:
        waiting = undecided(session)
    decided = 0
    for mailing_id in waiting:
        with transaction(runtime.engine, organisation_id) as session:
            decided += decide(session, mailing_id, at=clock.now()) is not None
    return decided


def undecided(session: ScopedSession) -> list[int]:
    """Return the mailings that are under way with a test that was not decided."""
    mailing, test = Mailing, MailingTest
    query = (
        sa.select(mailing.id)
        .outerjoin(test, test.mailing_id == mailing.id)
        .where(mailing.kind == "campaign", mailing.state.in_(("sending", "sent")), test.mailing_id.is_(None))
        .where(mailing.ab_test.is_not(None), sa.func.jsonb_typeof(mailing.ab_test) == "object")
    )
    return list(session.scalars(query.order_by(mailing.id)))


def decide(session: ScopedSession, mailing_id: int, *, at: datetime) -> MailingTest | None:
    """Decide a test that is due and free who waits for it. None where it is not due, or somebody else has it."""
    mailing = session.scalar(
        sa.select(Mailing)
        .where(Mailing.id == mailing_id, Mailing.state.in_(("sending", "sent")))
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rule = rule_of(mailing.ab_test) if mailing else None
    if mailing is None or rule is None or verdict_of(session, mailing_id) is not None:
        return None
    if not _is_due(session, mailing, rule, at=at):
        return None
    sides = sides_of_test(session, mailing, rule, at=at)
    winner = winner_of(sides)
    mailing.winner, mailing.updated_at = winner, at
    decided = MailingTest(
        organisation_id=session.organisation_id,
        mailing_id=mailing_id,
        winner=winner,
        sides={name: [side.people, side.hits] for name, side in sides.items()},
        rest=_free_the_rest(session, mailing_id, winner=winner, names=sorted(sides), at=at),
        decided_at=at,
    )
    session.add(decided)
    session.flush()
    return decided


def verdict_of(session: ScopedSession, mailing_id: int) -> MailingTest | None:
    """Return how the test of a mailing ended, or None while it has not."""
    return session.get(MailingTest, (session.organisation_id, mailing_id))


def winner_of(sides: Mapping[str, Side]) -> str | None:
    """Return the variant that beats every other one with certainty, or None where no difference is proven."""
    if len(sides) < 2 or not any(side.hits for side in sides.values()):
        return None
    best = max(sorted(sides), key=lambda name: sides[name].rate)
    level = 1 - (1 - LEVEL) / len(list(combinations(sides, 2)))
    beaten = [
        difference_of_rates(sides[best], side, level=level).verdict == "more"
        for name, side in sides.items()
        if name != best
    ]
    return best if all(beaten) else None


_TESTED = f"""
WITH RECURSIVE {SURVIVOR}, {PERMITTED}, {GOT}, person AS MATERIALIZED (
    SELECT got.person_id, min(got.variant) AS variant, min(got.got_at) AS got_at FROM got
     WHERE got.variant <> '' GROUP BY got.person_id
), hit AS MATERIALIZED (%s), home AS (
    SELECT person.variant, count(*) AS m, count(hit.person_id) AS y
      FROM person
      JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = person.person_id
      LEFT JOIN hit ON hit.person_id = person.person_id
      LEFT JOIN permitted AS may ON may.contact_id = person.person_id AND may.purpose = 'track_click'
     WHERE hit.person_id IS NOT NULL OR may.contact_id IS NOT NULL OR NOT :only_seen
     GROUP BY person.variant, coalesce('h' || contact.like_address, 'c' || contact.id)
)
SELECT variant, count(*) AS households, sum(m) AS people, sum(y) AS hits, sum(m * m) AS mm, sum(m * y) AS my,
       sum(y * y) AS yy
  FROM home GROUP BY variant
"""
_HITS: Mapping[DecideBy, str] = {
    "clicks": """
    SELECT DISTINCT event.contact_id AS person_id
      FROM mail_event AS event JOIN person ON person.person_id = event.contact_id
     WHERE event.organisation_id = :organisation_id AND event.mailing_id = :mailing_id AND event.event = 'clicked'
       AND NOT event.is_machine AND event.occurred_at <= :now""",
    "bookings": f"""
    SELECT DISTINCT person.person_id
      FROM person JOIN {BOOKINGS} AS booking ON booking.organisation_id = :organisation_id
       AND booking.contact_id = person.person_id
     WHERE booking.is_valid AND booking.status <> 'pending' AND booking.booked_at >= person.got_at
       AND booking.booked_on BETWEEN CAST(:first_on AS date) AND CAST(:last_on AS date)
       AND booking.booked_at <= :now""",
}


def sides_of_test(session: ScopedSession, mailing: Mailing, rule: Rule, *, at: datetime) -> dict[str, Side]:
    """Return the side of every variant, by name: its people, and how many of them clicked or booked."""
    rows = session.execute(
        sa.text(_TESTED % _HITS[rule.decide_by]),
        {
            "organisation_id": session.organisation_id,
            "mailing_id": mailing.id,
            "now": at,
            "only_seen": rule.decide_by == "clicks",
            "first_on": ((mailing.started_at or at) - timedelta(days=1)).date(),
            "last_on": (at + timedelta(days=1)).date(),
        },
    )
    found = {
        row.variant: Side(row.households, int(row.people), int(row.hits), float(row.mm), float(row.my), float(row.yy))
        for row in rows
    }
    return {name: found.get(name, Side()) for name in tested_variants(session, mailing)}


def tested_variants(session: ScopedSession, mailing: Mailing) -> list[str]:
    """Return the names of the variants of the version that was sent."""
    content = session.scalar(
        sa.text(
            "SELECT content FROM mailing_version"
            " WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND version = :version"
        ),
        {"organisation_id": session.organisation_id, "mailing_id": mailing.id, "version": mailing.version},
    )
    return sorted(str(each["name"]) for each in (content or {}).get("variants", ()))


def _is_due(session: ScopedSession, mailing: Mailing, rule: Rule, *, at: datetime) -> bool:
    row = Delivery
    went = session.execute(
        sa.select(
            sa.func.max(row.handed_over_at).label("last_at"),
            sa.func.count().filter(row.state.in_(OPEN_STATES)).label("open"),
        ).where(row.mailing_id == mailing.id, row.variant.is_not(None), row.state != "draft")
    ).one()
    after = timedelta(hours=rule.after_hours)
    if went.open:
        return mailing.started_at is not None and at >= mailing.started_at + after + PATIENCE
    return went.last_at is None or bool(at >= went.last_at + after)


def _free_the_rest(
    session: ScopedSession, mailing_id: int, *, winner: str | None, names: Sequence[str], at: datetime
) -> int:
    row = Delivery
    freed = session.execute(
        sa.update(row)
        .where(row.mailing_id == mailing_id, row.variant.is_(None), row.state == "planned", row.enrolment_id.is_(None))
        .values(variant=_variant_of_rest(mailing_id, winner, names), next_try_at=at)
        .execution_options(synchronize_session=False)
    )
    return int(freed.rowcount)  # type: ignore[attr-defined]  # an UPDATE has one


def _variant_of_rest(mailing_id: int, winner: str | None, names: Sequence[str]) -> sa.ColumnElement[str]:
    if winner is not None or len(names) < 2:
        return sa.literal(winner or (names[0] if names else "A"))
    draw = share_of(f"rest {mailing_id}", Delivery.__table__.c.contact_id)
    each = OUT_OF / len(names)
    bands = [(draw < round(each * (place + 1)), sa.literal(name)) for place, name in enumerate(names[:-1])]
    return sa.case(*bands, else_=sa.literal(names[-1]))
