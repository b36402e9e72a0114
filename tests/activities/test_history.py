"""The packed history of contacts equals a rebuild, whatever changes a participation, and whoever does so at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from structlog.testing import capture_logs

from app.accounts.api_keys import create_api_key
from app.accounts.models import Organisation
from app.activities.history import PARTS, check, check_hourly_part, count_differences, repair, settle
from app.activities.ingest import upsert_activities, upsert_participations
from app.activities.models import (
    Activity,
    ContactHistory,
    ContactHistoryDetail,
    ContactHistoryGenres,
    ContactHistoryLeads,
    Participation,
)
from app.contacts.erasing import erase_contact
from app.contacts.errors import CannotMerge, CannotUnmerge, UnknownContact
from app.contacts.merging import merge_contacts, unmerge_contact
from app.contacts.models import Contact
from app.db import ScopedSession, enter_organisation, transaction
from app.demo.copying import Loader
from app.runtime import Runtime
from app.segments.language.lowering import lowered
from integrations.base import ActivityRecord, ContactRecord, ParticipationRecord
from tests.conftest import NOW, make_house
from tests.consent.schedules import Actor, conduct, schedules

ZONE = "Europe/Brussels"
EPOCH = date(2000, 1, 1)
LOADED = ("contact_id", "activity_id", "source", "external_id", "status", "quantity", "amount", "booked_at",
          "booked_on", "activity_on", "created_at", "updated_at")  # fmt: skip

Packed = tuple[
    list[date],
    list[date] | None,
    list[date],
    list[int],
    list[int],
    list[int],
    list[str],
    list[int],
    list[int],
]
NOTHING: Packed = ([], None, [], [], [], [], [], [], [])


def rebuilt(session: ScopedSession) -> dict[int, Packed]:
    """What every history should be, worked out here from the rows, sharing nothing with the database's way."""
    genres = {one.id: sorted({lowered(genre) for genre in one.genres}) for one in session.scalars(select(Activity))}
    of_contact: dict[int, list[Participation]] = defaultdict(list)
    for one in session.scalars(select(Participation)):
        if one.status not in ("cancelled", "refunded"):
            of_contact[one.contact_id].append(one)
    return {contact_id: packed(rows, genres) for contact_id, rows in of_contact.items()}


def packed(rows: list[Participation], genres: dict[int, list[str]]) -> Packed:
    dates = sorted(one.activity_on for one in rows)
    days = sorted(set(dates))
    upto = [[one for one in rows if one.activity_on <= day] for day in dates]
    known = sorted({genre for one in rows for genre in genres[one.activity_id]})
    return (
        dates,
        None if days == dates else days,
        sorted(one.booked_on for one in rows),
        sorted((one.activity_on - one.booked_on).days * 2**32 + (one.activity_on - EPOCH).days for one in rows),
        [sum(one.quantity for one in some) for some in upto],
        [int(100 * sum((one.amount or Decimal(0) for one in some), Decimal(0))) for some in upto],
        known,
        sorted(
            (known.index(genre) + 1) * 2**32 + (one.activity_on - EPOCH).days
            for one in rows
            for genre in genres[one.activity_id]
        ),
        sorted(
            max((one.activity_on - EPOCH).days for one in rows if genre in genres[one.activity_id]) for genre in known
        ),
    )


def stored(session: ScopedSession) -> dict[int, Packed]:
    """What the database keeps; a history of nothing is as good as none."""
    h, d, ahead, kinds = ContactHistory, ContactHistoryDetail, ContactHistoryLeads, ContactHistoryGenres
    joined = select(
        h.contact_id,
        h.activity_dates,
        h.activity_days,
        d.booking_dates,
        ahead.lead_dates,
        d.tickets,
        d.spend,
        kinds.genres,
        kinds.genre_dates,
        kinds.genre_lasts,
    )
    for beside in (d, ahead, kinds):
        joined = joined.outerjoin(beside, beside.contact_id == h.contact_id)
    found = {row[0]: tuple(row[1:]) for row in session.execute(joined)}
    return {contact_id: row for contact_id, row in found.items() if row != NOTHING}


def agree(session: ScopedSession) -> None:
    session.flush()
    settle(session)
    session.expire_all()
    assert stored(session) == rebuilt(session)


def show(number: int, *genres: str, day: int = 0) -> ActivityRecord:
    starts_at = None if day < 0 else NOW + timedelta(days=day)
    return ActivityRecord("csv", f"a{number}", f"Show {number}", genres=genres, starts_at=starts_at)


def ticket(number: int, person: int, activity: int, **more: Any) -> ParticipationRecord:
    who = ContactRecord(source="csv", identities=(), email=f"p{person}@example.org")
    return ParticipationRecord("csv", f"t{number}", who, "csv", f"a{activity}", **({"booked_at": NOW} | more))


def store(session: ScopedSession, runtime: Runtime, *records: ParticipationRecord) -> list[int]:
    results = upsert_participations(session, runtime.keyring, records, time_zone=ZONE, actor="import", at=NOW)
    assert [one.error for one in results] == [None] * len(records)
    return [one.contact_id or 0 for one in results]


def ids(session: ScopedSession) -> list[int]:
    return list(session.scalars(select(Contact.id).order_by(Contact.id)))


# --- any sequence of changes -----------------------------------------------------------------------------------------

Step = Callable[[ScopedSession, Runtime], None]

GENRES = st.lists(st.sampled_from(("Dans", "dans", "circus", "Éénakter", "İ")), max_size=3).map(tuple)
AMOUNTS = st.one_of(st.none(), st.integers(-500, 5000).map(lambda cents: Decimal(cents) / 100))
NUMBERS, PEOPLE, SHOWS = st.integers(0, 9), st.integers(0, 4), st.integers(0, 3)


@st.composite
def tickets(draw: st.DrawFn) -> ParticipationRecord:
    days = st.integers(-900, 300)
    return ticket(
        draw(NUMBERS),
        draw(PEOPLE),
        draw(SHOWS),
        status=draw(st.sampled_from(("booked", "attended", "cancelled", "refunded", "pending"))),
        quantity=draw(st.integers(0, 6)),
        amount=draw(AMOUNTS),
        booked_at=NOW + timedelta(days=draw(days)),
    )


def ingest(records: Sequence[ParticipationRecord]) -> Step:
    """Store records; whoever was erased before and booked before that is refused, and has no history."""

    def step(session: ScopedSession, runtime: Runtime) -> None:
        results = upsert_participations(session, runtime.keyring, records, time_zone=ZONE, actor="import", at=NOW)
        assert {one.error for one in results} <= {None, "erased"}

    return step


def offer(records: Sequence[ActivityRecord]) -> Step:
    return lambda session, _: void(upsert_activities(session, records, time_zone=ZONE))


def regenre(number: int, genres: tuple[str, ...]) -> Step:
    def step(session: ScopedSession, _: Runtime) -> None:
        changed = text("UPDATE activity SET genres = :genres WHERE external_id = :number")
        session.execute(changed, {"genres": list(genres), "number": f"a{number}"})

    return step


def merge(first: int, second: int) -> Step:
    def step(session: ScopedSession, _: Runtime) -> None:
        known = ids(session)
        if len(known) < 2:
            return
        try:
            merge_contacts(session, known[first % len(known)], into_id=known[second % len(known)], at=NOW)
        except (CannotMerge, UnknownContact):
            return

    return step


def of_one(number: int, act: Callable[[ScopedSession, int], object]) -> Step:
    def step(session: ScopedSession, _: Runtime) -> None:
        known = ids(session)
        if known:
            try:
                act(session, known[number % len(known)])
            except (CannotUnmerge, UnknownContact):
                return

    return step


def erase(number: int) -> Step:
    def step(session: ScopedSession, runtime: Runtime) -> None:
        of_one(number, lambda session, one: erase_contact(session, runtime.keyring, one, at=NOW))(session, runtime)

    return step


def by_sql(statement: str) -> Callable[[ScopedSession, int], object]:
    return lambda session, contact_id: session.execute(text(statement), {"contact_id": contact_id})


def load(lines: Sequence[ParticipationRecord]) -> Step:
    """As the demonstration moves in: straight into the table, by COPY and INSERT … SELECT."""

    def step(session: ScopedSession, _: Runtime) -> None:
        people = ids(session)
        activities = list(session.scalars(select(Activity.id)))
        loader = Loader(session, "participation", LOADED)
        for number, one in enumerate(lines if people and activities else ()):
            booked_on = (one.booked_at or NOW).date()
            place = int(one.external_id[1:])
            loader.add(
                (people[place % len(people)], activities[place % len(activities)], "loaded",
                 f"{session.scalar(text('SELECT count(*) FROM participation'))}-{number}", one.status, one.quantity,
                 one.amount, one.booked_at, booked_on, booked_on, NOW, NOW)
            )  # fmt: skip
        loader.flush()
        session.execute(text("DROP TABLE loading_participation"))

    return step


def void(_: object) -> None:
    return None


SHOWN = st.builds(lambda number, genres, day: show(number, *genres, day=day), SHOWS, GENRES, st.integers(-700, 200))
BOOKED_LATER = "UPDATE participation SET booked_on = booked_on + 1, amount = NULL WHERE contact_id = :contact_id"
# Nobody goes whom somebody else became.
GONE = (
    "DELETE FROM contact AS c WHERE id = :contact_id AND NOT EXISTS (SELECT FROM contact WHERE merged_into_id = c.id)"
)
STEPS = st.one_of(
    st.lists(tickets(), max_size=6).map(ingest),
    st.lists(tickets(), max_size=6).map(ingest),
    st.lists(SHOWN, max_size=3).map(offer),
    st.builds(regenre, SHOWS, GENRES),
    st.builds(merge, PEOPLE, PEOPLE),
    st.builds(of_one, PEOPLE, st.just(lambda session, one: unmerge_contact(session, one, at=NOW))),
    st.builds(erase, PEOPLE),
    st.builds(of_one, PEOPLE, st.just(by_sql("DELETE FROM participation WHERE contact_id = :contact_id"))),
    st.builds(of_one, PEOPLE, st.just(by_sql(GONE))),
    st.builds(of_one, PEOPLE, st.just(by_sql(BOOKED_LATER))),
    st.lists(tickets(), max_size=4).map(load),
)  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=st.lists(STEPS, min_size=1, max_size=12))
def test_after_any_sequence_of_changes_the_history_equals_a_rebuild(
    session: ScopedSession, runtime: Runtime, steps: list[Step]
) -> None:
    with session.begin_nested() as savepoint:
        upsert_activities(session, [show(n, *("dans",)[: n % 2], day=7 * n - 10 * (n == 3)) for n in range(4)],
                          time_zone=ZONE)  # fmt: skip
        for step in steps:
            note(step.__qualname__)
            step(session, runtime)
            agree(session)
            assert count_differences(session, ids(session)) == 0
        savepoint.rollback()
        session.expire_all()


def test_a_deleted_contact_leaves_no_history(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show(1, "dans")], time_zone=ZONE)
    (contact_id, _) = store(session, runtime, ticket(1, 1, 1), ticket(2, 2, 1))
    settle(session)
    session.execute(text("DELETE FROM contact WHERE id = :id"), {"id": contact_id})
    assert contact_id not in stored(session)
    assert len(stored(session)) == 1
    agree(session)


def test_a_statement_that_changes_nothing_of_it_leaves_the_history_alone(
    session: ScopedSession, runtime: Runtime
) -> None:
    upsert_activities(session, [show(1, "dans")], time_zone=ZONE)
    store(session, runtime, ticket(1, 1, 1))
    settle(session)
    before = session.execute(text("SELECT xmin, ctid FROM contact_history")).all()
    session.execute(text("UPDATE participation SET channel = 'phone', status = 'attended'"))
    session.execute(text("UPDATE activity SET title = 'Another'"))
    assert session.execute(text("SELECT * FROM history_due")).all() == []
    settle(session)
    assert session.execute(text("SELECT xmin, ctid FROM contact_history")).all() == before


# --- several at once -------------------------------------------------------------------------------------------------

ADDED = (
    "INSERT INTO participation (organisation_id, contact_id, activity_id, source, external_id, booked_at, booked_on,"
    " activity_on, created_at, updated_at)"
    " SELECT organisation_id, {contact}, id, 'race', {number}, now(), '2026-11-01', starts_on, now(), now()"
    " FROM activity WHERE external_id = {activity}"
)


@pytest.mark.parametrize("has_come_before", [True, False])
@pytest.mark.parametrize("schedule", list(schedules(2, 2)))
def test_two_who_add_a_participation_of_one_person_at_once_lose_neither(
    runtime: Runtime, organisation: Organisation, schedule: str, has_come_before: bool
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        upsert_activities(session, [show(number, day=number) for number in range(3)], time_zone=ZONE)
        (contact_id,) = store(session, runtime, ticket(0, 1, 0, status="booked" if has_come_before else "cancelled"))

    def adding(number: int) -> Callable[[ScopedSession], Any]:
        return lambda session: session.execute(
            text(ADDED.format(contact=":contact_id", number=":number", activity=":activity")),
            {"contact_id": contact_id, "number": str(number), "activity": f"a{number}"},
        )

    actors = {"a": Actor(runtime, organisation.id, adding(1), ())}
    actors["b"] = Actor(runtime, organisation.id, adding(2), ())
    conduct(runtime, schedule, actors)
    with transaction(runtime.engine, organisation.id) as session:
        agree(session)
        assert len(stored(session)[contact_id][0]) == 2 + has_come_before


def test_two_who_store_the_same_people_the_other_way_round_never_wait_for_each_other(
    runtime: Runtime, organisation: Organisation
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        upsert_activities(session, [show(1, "dans")], time_zone=ZONE)
        people = store(session, runtime, ticket(1, 1, 1), ticket(2, 2, 1))

    def add(session: ScopedSession, contact_id: int, number: int) -> None:
        # Whoever waits for the other is ended: this test holds both ends.
        session.execute(text("SET LOCAL lock_timeout = '2s'"))
        session.execute(
            text(ADDED.format(contact=":contact_id", number=":number", activity="'a1'")),
            {"contact_id": contact_id, "number": str(number)},
        )
        moved = text(
            "UPDATE participation SET booked_on = booked_on - 1 WHERE contact_id = :id AND external_id = :number"
        )
        session.execute(moved, {"id": contact_id, "number": str(number)})

    with transaction(runtime.engine, organisation.id) as one, transaction(runtime.engine, organisation.id) as other:
        add(one, people[0], 1)
        add(other, people[1], 2)
        add(one, people[1], 3)
        add(other, people[0], 4)
    with transaction(runtime.engine, organisation.id) as session:
        agree(session)
        assert {contact_id: len(row[0]) for contact_id, row in stored(session).items()} == dict.fromkeys(people, 3)


def test_a_transaction_that_was_in_two_houses_leaves_both_with_their_histories(
    runtime: Runtime, organisation: Organisation
) -> None:
    other = make_house(runtime, "Het Pand")
    for house in (organisation, other):
        with transaction(runtime.engine, house.id) as session:
            upsert_activities(session, [show(1, "dans"), show(2, "circus")], time_zone=ZONE)
            store(session, runtime, ticket(1, 1, 1))
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(text("UPDATE participation SET status = 'cancelled'"))
        enter_organisation(session, other.id)
        session.execute(text("UPDATE activity SET genres = '{opera}'"))
    with transaction(runtime.engine, organisation.id) as session:
        assert stored(session) == {}
    with transaction(runtime.engine, other.id) as session:
        agree(session)
        assert [row[6] for row in stored(session).values()] == [["opera"]]


HOLDER = "(SELECT contact_id FROM participation WHERE external_id = '{}')"
ALTERATIONS: dict[str, str] = {
    "a new participation": ADDED.format(contact=HOLDER.format("t2"), number="'1'", activity="'a1'"),
    "the first participation of somebody": ADDED.format(contact=HOLDER.format("t5"), number="'1'", activity="'a1'"),
    "a cancellation undone": "UPDATE participation SET status = 'booked' WHERE external_id = 't3'",
    "a merge": (f"UPDATE participation SET contact_id = {HOLDER.format('t2')} WHERE external_id = 't1'"),
    "another activity": (
        "UPDATE participation SET activity_id = (SELECT id FROM activity WHERE external_id = 'a1')"
        " WHERE external_id = 't4'"
    ),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
@pytest.mark.parametrize("schedule", list(schedules(2, 2)))
def test_genres_that_change_while_somebody_comes_along_reach_everybody(
    runtime: Runtime, organisation: Organisation, schedule: str, alteration: str
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        upsert_activities(session, [show(1, "dans"), show(2, "circus")], time_zone=ZONE)
        store(
            session, runtime, ticket(1, 1, 1), ticket(2, 2, 1), ticket(3, 3, 1, status="cancelled"), ticket(4, 4, 2),
            ticket(5, 5, 2, status="cancelled"),
        )  # fmt: skip

    def regenred(session: ScopedSession) -> None:
        session.execute(text("UPDATE activity SET genres = '{opera}' WHERE external_id = 'a1'"))

    def altered(session: ScopedSession) -> None:
        session.execute(text(ALTERATIONS[alteration]))

    actors = {"a": Actor(runtime, organisation.id, regenred, ())}
    actors["b"] = Actor(runtime, organisation.id, altered, ())
    conduct(runtime, schedule, actors)
    with transaction(runtime.engine, organisation.id) as session:
        agree(session)
        assert "dans" not in {genre for row in stored(session).values() for genre in row[6]}


# --- checked and mended ----------------------------------------------------------------------------------------------


def spoil(runtime: Runtime, organisation: Organisation) -> list[int]:
    """Three people, the history of one of whom somebody changed, of another took away; returns their ids."""
    with transaction(runtime.engine, organisation.id) as session:
        upsert_activities(session, [show(1, "dans")], time_zone=ZONE)
        people = store(session, runtime, *(ticket(number, number, 1) for number in range(3)))
        settle(session)
        session.execute(
            text("UPDATE contact_history SET activity_dates = '{}' WHERE contact_id = :id"), {"id": people[0]}
        )
        session.execute(text("DELETE FROM contact_history_detail WHERE contact_id = :id"), {"id": people[1]})
    return people


def test_a_history_that_differs_is_told_and_left_alone_unless_asked(
    runtime: Runtime, organisation: Organisation
) -> None:
    spoil(runtime, organisation)
    with capture_logs() as logs:
        told = check(runtime, organisation.id, is_repair=False)
        assert told == {"checked": 3, "different": 2, "repaired": 0}
        assert check(runtime, organisation.id, is_repair=True) == {"checked": 3, "different": 2, "repaired": 2}
        assert check(runtime, organisation.id, is_repair=True) == {"checked": 3, "different": 0, "repaired": 0}
    assert [(one["log_level"], one["different"]) for one in logs] == [("error", 2), ("error", 2)]
    with transaction(runtime.engine, organisation.id) as session:
        agree(session)


def test_in_a_week_of_hours_every_contact_is_looked_at(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(runtime, organisation)
    mended = 0
    for hour in range(PARTS):
        at = datetime(2026, 11, 16, tzinfo=UTC) + timedelta(hours=hour)
        monkeypatch.setattr("app.activities.history.clock.now", lambda at=at: at)
        mended += check_hourly_part(runtime, organisation.id)
    assert mended == 2
    with transaction(runtime.engine, organisation.id) as session:
        agree(session)


def test_a_repair_changes_nothing_that_is_right(session: ScopedSession, runtime: Runtime) -> None:
    upsert_activities(session, [show(1, "dans")], time_zone=ZONE)
    people = store(session, runtime, ticket(1, 1, 1), ticket(2, 2, 1, status="cancelled"))
    settle(session)
    assert repair(session, people) in (0, 1)
    assert repair(session, people) == 0


# --- from outside ----------------------------------------------------------------------------------------------------


def test_a_participation_put_over_rest_counts_in_the_very_next_preview(
    client: Any, runtime: Runtime, session: ScopedSession
) -> None:
    key = create_api_key(session, runtime.keyring, name="all", scopes=["*"])
    session.commit()
    headers = {"Authorization": f"Bearer {key}"}
    rules = [
        {"type": "participation", "at_least": 1, "between": ["P0D", "P1Y"]},
        {"type": "participation", "measure": "tickets", "at_least": 2},
        {"type": "participation", "measure": "spend", "at_least": 10},
        {"type": "first_participation", "between": ["P0D", "P1Y"]},
        {"type": "participation", "at_least": 1, "where": {"genres": ["opera"]}},
    ]

    def put(path: str, **body: Any) -> None:
        answer = client.put(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.get_data(as_text=True)

    def counts() -> list[int]:
        asked = [client.post("/api/v1/segments/preview", json={"rule": rule}, headers=headers) for rule in rules]
        return [answer.get_json()["count"] for answer in asked]

    def activity(genre: str) -> None:
        put(
            "activities",
            source="pos",
            external_id="x",
            title="X",
            genres=[genre],
            starts_at="2026-12-24T20:00:00+01:00",
        )

    def line(status: str) -> None:
        put(
            "participations", source="pos", external_id="1", activity={"source": "pos", "external_id": "x"},
            contact={"source": "pos", "email": "an@example.org"}, quantity=2, amount="25.00", status=status,
            booked_at="2026-11-20T09:00:00+01:00",
        )  # fmt: skip

    activity("opera")
    assert counts() == [0] * 5
    line("booked")
    assert counts() == [1] * 5
    line("cancelled")
    assert counts() == [0] * 5
    line("attended")
    assert counts() == [1] * 5
    activity("jazz")
    assert counts() == [1, 1, 1, 1, 0]
