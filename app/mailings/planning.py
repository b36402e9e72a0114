"""Planning: from who should get a mail to one delivery each, by statements that never bring people to Python.

A plan is one transaction: it is there, or nothing of it is. Planning again what is planned changes nothing.
Whether each goes is decided when it is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from app import clock
from app.accounts.organisations import current_organisation
from app.contacts.models import Contact
from app.db import ScopedSession, array_text
from app.mailings.composing.content import LANGUAGES, languages_of
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.problems import ComposingError
from app.mailings.deliveries import NEVER
from app.mailings.effect.draws import share_of
from app.mailings.effect.holdout import record_sides
from app.mailings.mailings import find_mailing, held_mailing, version_content
from app.mailings.models import Delivery, Mailing, MailingLeftOut
from app.mailings.problems import CannotSend, NeedsAWord
from app.mailings.recipients import judged_people

# More than what a person was shown by this much, and they are asked again.
MORE_FACTOR, MORE_AT_LEAST = 1.5, 50


@dataclass(frozen=True, slots=True)
class Planned:
    """How many deliveries a plan made, and how many people it left out."""

    deliveries: int
    left_out: int


def plan_campaign(session: ScopedSession, mailing_id: int, *, expected: int | None = None) -> Planned:
    """Plan one delivery for everybody who gets a frozen mailing, and note who does not and why.

    ``expected``: how many a person was shown when they said yes. Where it would be many more, NeedsAWord is raised and
    the caller rolls back. Raises UnknownMailing, CannotSend (not frozen), or a SegmentError. A mailing that is planned
    already is left as it is.
    """
    mailing = held_mailing(session, mailing_id)
    if mailing.version is None:
        raise CannotSend(mailing_id, ["not_frozen"])
    if mailing.planned_at is not None:
        return Planned(0, 0)
    now = clock.now()
    planned = _insert_both(session, mailing, at=now)
    if expected is not None and planned.deliveries > max(expected * MORE_FACTOR, expected + MORE_AT_LEAST):
        raise NeedsAWord(mailing_id, "many_more_people", people=planned.deliveries)
    record_sides(session, mailing, at=now)
    mailing.planned_at = now
    session.flush()
    return planned


def plan_journey_mails(
    session: ScopedSession,
    *,
    mailing_id: int,
    step_id: str,
    rows: Sequence[tuple[int, int]],
    as_draft: bool = False,
    not_before: datetime | None = None,
) -> int:
    """Plan the mail of a journey's step for people on their way: (enrolment_id, contact_id) each.

    One delivery for each enrolment and step, however often this is called; returns how many are new. ``as_draft``: a
    rehearsal, to be looked at and never taken by itself. Raises UnknownMailing, or CannotSend where the mailing was not
    frozen.
    """
    mailing = find_mailing(session, mailing_id)
    if mailing.version is None:
        raise CannotSend(mailing_id, ["not_frozen"])
    if not rows:
        return 0
    given = sa.text(
        "SELECT * FROM unnest(CAST(:enrolments AS bigint[]), CAST(:contacts AS bigint[]))"
        " AS given (enrolment_id, contact_id)"
    ).bindparams(
        enrolments=array_text(enrolment_id for enrolment_id, _ in rows),
        contacts=array_text(contact_id for _, contact_id in rows),
    )
    people = given.columns(sa.column("enrolment_id", sa.BigInteger), sa.column("contact_id", sa.BigInteger)).cte(
        "given"
    )
    now = clock.now()
    values = _delivery_values(session, mailing, people.c.contact_id, at=now)
    values |= {
        "enrolment_id": people.c.enrolment_id,
        "step_id": sa.literal(step_id),
        "state": sa.literal("draft" if as_draft else "planned"),
        "next_try_at": sa.literal(max(now, not_before or now), sa.DateTime(timezone=True)),
    }
    select = sa.select(*values.values()).select_from(_with_contacts(session, people))
    planned = (
        insert(Delivery)
        .from_select(list(values), select, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(Delivery.id)
        .cte("planned")
    )
    return session.scalar(sa.select(sa.func.count()).select_from(planned)) or 0


def _insert_both(session: ScopedSession, mailing: Mailing, *, at: datetime) -> Planned:
    judged = judged_people(session, mailing)
    values = _delivery_values(session, mailing, judged.c.contact_id, at=at)
    values["address_hash"] = judged.c.subject_key
    gets = sa.select(*values.values()).select_from(_with_contacts(session, judged)).where(judged.c.reason.is_(None))
    delivered = (
        insert(Delivery)
        .from_select(list(values), gets, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(sa.literal_column("1").label("one"))
        .cte("delivered")
    )
    reasons = sa.select(
        sa.literal(session.organisation_id, sa.Integer),
        sa.literal(mailing.id, sa.BigInteger),
        judged.c.contact_id,
        judged.c.reason,
        sa.literal(at, sa.DateTime(timezone=True)),
    ).where(judged.c.reason.is_not(None))
    names = ["organisation_id", "mailing_id", "contact_id", "reason", "decided_at"]
    left = (
        insert(MailingLeftOut)
        .from_select(names, reasons, include_defaults=False)
        .on_conflict_do_nothing()
        .returning(sa.literal_column("1").label("one"))
        .cte("left_behind")
    )
    counts = sa.select(
        sa.select(sa.func.count()).select_from(delivered).scalar_subquery(),
        sa.select(sa.func.count()).select_from(left).scalar_subquery(),
    )
    row = session.execute(counts).one()
    return Planned(row[0], row[1])


def _delivery_values(
    session: ScopedSession, mailing: Mailing, contact_id: sa.ColumnElement[Any], *, at: datetime
) -> dict[str, sa.ColumnElement[Any]]:
    """Return the columns of a planned delivery as expressions over a table of people joined with ``contact``."""
    content = version_content(session, mailing.id, mailing.version or 0)
    variant = _variant(mailing, content, contact_id)
    instant = sa.DateTime(timezone=True)
    return {
        "organisation_id": sa.literal(session.organisation_id, sa.Integer),
        "kind": sa.literal("mailing"),
        "contact_id": contact_id,
        "purpose": sa.literal(mailing.purpose),
        "mailing_id": sa.literal(mailing.id, sa.BigInteger),
        "mailing_version": sa.literal(mailing.version, sa.Integer),
        "variant": variant,
        "language": _language(session, content),
        "state": sa.literal("planned"),
        "planned_at": sa.literal(at, instant),
        "next_try_at": sa.case((variant.is_(None), sa.literal(NEVER, instant)), else_=sa.literal(at, instant)),
    }


def _with_contacts(session: ScopedSession, people: sa.CTE) -> sa.Join:
    is_contact = sa.and_(Contact.organisation_id == session.organisation_id, Contact.id == people.c.contact_id)
    return people.join(Contact.__table__, is_contact)


def _language(session: ScopedSession, content: Mapping[str, Any]) -> sa.ColumnElement[str]:
    """The contact's language where the mailing has it, else the house's, else the first that the mailing has."""
    known = written_languages(content)
    house = current_organisation(session).language
    otherwise = house if house in known else next(iter(known), house)
    if not known:
        return sa.literal(otherwise)
    return sa.case((Contact.language.in_(known), Contact.language), else_=sa.literal(otherwise))


def written_languages(content: Mapping[str, Any]) -> list[str]:
    """Return the languages in which every variant of a mailing says something; none for what cannot be read."""
    try:
        nodes = parse_content(content)
    except ComposingError:
        return []
    written = [set(languages_of(nodes, variant=variant.name)) for variant in nodes.variants]
    return [language for language in LANGUAGES if all(language in each for each in written)]


def variants_of(content: Mapping[str, Any]) -> list[str]:
    """Return the names of a mailing's variants, in their order."""
    return [str(variant["name"]) for variant in content.get("variants", [])]


def _variant(mailing: Mailing, content: Mapping[str, Any], contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Which variant somebody gets, drawn by a hash; NULL for those who wait for the winner of an A/B test."""
    names = variants_of(content) or ["A"]
    if mailing.winner in names:
        return sa.literal(mailing.winner)
    if len(names) == 1:
        return sa.literal(names[0])
    draw = share_of(f"variant {mailing.id}", contact_id)
    # Who is on their way through a journey waits for nobody.
    test = (mailing.ab_test or {}) if mailing.kind == "campaign" else {}
    tested = 10000 * int(test.get("share_percent", 100)) // 100
    each = tested / len(names)
    bands = [(draw < round(each * (place + 1)), name) for place, name in enumerate(names)]
    return sa.case(*bands, else_=sa.null())
