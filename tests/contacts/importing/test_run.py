"""Files on their way into the store: tried out, stored, killed half-way, resumed."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from app import worker
from app.accounts.models import Organisation
from app.activities.models import Activity, Participation
from app.consent.ledger import NewEvent, record_event, record_opt_outs
from app.consent.models import ConsentEvent, Permission
from app.contacts.importing import jobs, run
from app.contacts.importing.command import import_file
from app.contacts.importing.mapping import MEANINGS, ConsentMeaning, Mapping
from app.contacts.importing.problems import problem_header, problem_rows
from app.contacts.models import Contact, ContactIdentity, ImportJob
from app.db import transaction
from app.runtime import Runtime
from tests import needs
from tests.contacts.importing.files import csv_file, workbook

PEOPLE = csv_file(
    "Klantnummer;E-mail;Voornaam;Tussenvoegsel;Naam;Geboortedatum;Postcode;Land;Taal;Nieuwsbrief",
    "1;an@example.org;An;;Peeters;29/02/1980;9000;België;Nederlands;ja",
    "2;bo@example.org;Bo;van der;Berg;1-3-1975;1012ab;Nederland;NL;nee",
    "3;geen adres;Cy;;Claes;12/13/1999;9000;BE;nl;",
    ";;Niemand;;;;;;;",
)


def imported(
    runtime: Runtime, house: Organisation, content: bytes, *, kind: str = "contacts", **more: Any
) -> ImportJob:
    """Upload a file, map it as guessed (with ``more`` about consent), try it out and store it."""
    job_id = tried(runtime, house, content, kind=kind, **more)
    with transaction(runtime.engine, house.id) as session:
        assert jobs.start(session, job_id)
    worker.tick(runtime, only="imports")
    return found(runtime, house, job_id)


def tried(
    runtime: Runtime, house: Organisation, content: bytes, *, kind: str = "contacts", consents: Any = None
) -> int:
    """Upload a file, map it and try it out."""
    with transaction(runtime.engine, house.id) as session:
        job = jobs.upload(session, content, file_name="klanten.csv", kind=kind, preset="generic")
        guessed = Mapping.from_json(job.mapping)
        columns = [
            "ignore" if code == "consent" and place not in (consents or {}) else code
            for place, code in enumerate(guessed.columns)
        ]
        jobs.choose_mapping(
            session, job, Mapping(guessed.source, tuple(columns), guessed.attribute_names, consents or {}, guessed.tags)
        )
    worker.tick(runtime, only="imports")
    return job.id


def found(runtime: Runtime, house: Organisation, job_id: int) -> ImportJob:
    """Return a job as it is now."""
    with transaction(runtime.engine, house.id) as session:
        job = jobs.find_job(session, job_id, with_content=True)
        assert job is not None
        session.expunge(job)
        return job


def outcomes(job: ImportJob) -> dict[str, int]:
    """Return how many rows came to what."""
    return {name: job.counts[name] for name in ("created", "updated", "unchanged", "error") if job.counts.get(name)}


def test_a_file_of_people_is_stored_and_bad_rows_are_named(runtime: Runtime, organisation: Organisation) -> None:
    job = imported(runtime, organisation, PEOPLE)
    assert (job.state, job.rows_total, outcomes(job)) == ("done", 4, {"created": 3, "error": 1})
    with transaction(runtime.engine, organisation.id) as session:
        people = {each.given_name: each for each in session.scalars(select(Contact))}
        assert set(people) == {"An", "Bo", "Cy"}
        assert (people["An"].birth_date, people["An"].country) == (date(1980, 2, 29), "BE")
        assert (people["Bo"].family_name, people["Bo"].postcode, people["Bo"].language) == (
            "van der Berg", "1012 AB", "nl",
        )  # fmt: skip
        assert people["Cy"].email is None
        lines = list(problem_rows(session, job, str))
        assert [(line[0], line[1], line[4]) for line in lines] == [
            (4, "E-mail", "only this value"),
            (4, "Geboortedatum", "only this value"),
            (5, "", "the row"),
        ]
        assert lines[0][5:] == ["3", "geen adres", "Cy", "", "Claes", "12/13/1999", "9000", "BE", "nl", ""]
        assert len(problem_header(job, str)) == len(lines[0])


def test_a_dry_run_changes_nothing_and_shows_what_would(runtime: Runtime, organisation: Organisation) -> None:
    imported(runtime, organisation, csv_file("E-mail;Voornaam", "an@example.org;Anna"))
    job_id = tried(runtime, organisation, PEOPLE)
    job = found(runtime, organisation, job_id)
    assert (job.state, outcomes(job)) == ("checked", {"created": 2, "updated": 1, "error": 1})
    shown = {row["row_number"]: row for row in (job.preview or {})["rows"]}
    assert shown[2]["outcome"] == "updated"
    assert ["given_name", "Anna", "An"] in shown[2]["differences"]
    assert ["email", "", "bo@example.org"] in shown[3]["differences"]
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Contact.given_name)).all() == ["Anna"]
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 0


def test_the_same_file_twice_changes_nothing(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_ROWS", 2)
    repeated = csv_file(
        "Klantnummer;E-mail;Voornaam;Gemeente",
        "1;an@example.org;An;",
        "2;bo@example.org;Bo;Gent",
        "3;an@example.org;Anneke;Aalst",
        "4;cy@example.org;Cy;",
    )
    first = imported(runtime, organisation, repeated)
    assert outcomes(first) == {"created": 3, "updated": 1}
    with transaction(runtime.engine, organisation.id) as session:
        before = session.execute(select(Contact.id, Contact.given_name, Contact.municipality, Contact.updated_at)).all()
    again = imported(runtime, organisation, repeated)
    assert outcomes(again) == {"unchanged": 4}
    with transaction(runtime.engine, organisation.id) as session:
        after = session.execute(select(Contact.id, Contact.given_name, Contact.municipality, Contact.updated_at)).all()
    assert sorted(after) == sorted(before)
    assert {(row.given_name, row.municipality) for row in after} == {("An", "Aalst"), ("Bo", "Gent"), ("Cy", None)}


def test_a_killed_import_goes_on_after_the_last_committed_row(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_ROWS", 10)
    content = csv_file("E-mail;Voornaam", *(f"p{n}@example.org;P{n}" for n in range(95)), "geen adres;X")
    job_id = tried(runtime, organisation, content)
    with transaction(runtime.engine, organisation.id) as session:
        jobs.start(session, job_id)

    class Killed(BaseException):
        pass

    checkpoint, seen = run._checkpoint, []

    def killed_at_the_fourth(*arguments: Any) -> bool:
        seen.append(arguments)
        if len(seen) == 4:
            raise Killed  # after the rows were written, before they were committed
        return checkpoint(*arguments)

    monkeypatch.setattr(run, "_checkpoint", killed_at_the_fourth)
    with pytest.raises(Killed):
        worker.tick(runtime, only="imports")
    job = found(runtime, organisation, job_id)
    assert (job.state, job.rows_done, outcomes(job)) == ("running", 30, {"created": 30})
    worker.tick(runtime, only="imports")
    assert found(runtime, organisation, job_id).rows_done == 30, "the lease of the dead worker still stands"
    with transaction(runtime.engine, organisation.id) as session:
        session.execute(ImportJob.__table__.update().values(lease_until=None))
    worker.tick(runtime, only="imports")
    job = found(runtime, organisation, job_id)
    assert (job.state, job.rows_done, outcomes(job)) == ("done", 96, {"created": 95, "error": 1})
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 95
        assert [line[0] for line in problem_rows(session, job, str)] == [97]


def test_a_cancelled_import_stops_after_its_batch_and_keeps_what_was_stored(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_ROWS", 10)
    content = csv_file("E-mail;Voornaam", *(f"p{n}@example.org;P{n}" for n in range(50)))
    job_id = tried(runtime, organisation, content)
    with transaction(runtime.engine, organisation.id) as session:
        jobs.start(session, job_id)
        job = jobs.claim_waiting(session, at=session.info.get("at") or found(runtime, organisation, job_id).created_at)
        assert job is not None
        work = run.work_of(session, job)

    def cancel_after_two(done: int, _total: int | None) -> None:
        if done == 20:
            with transaction(runtime.engine, organisation.id) as session:
                assert jobs.cancel(session, job_id)

    run.run(runtime, work, progress=cancel_after_two)
    job = found(runtime, organisation, job_id)
    assert (job.state, outcomes(job)) == ("cancelled", {"created": 20})


def test_a_file_that_keeps_failing_is_given_up_after_five_times(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = tried(runtime, organisation, PEOPLE)

    def broken(*_arguments: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(run, "_stored", broken)
    with transaction(runtime.engine, organisation.id) as session:
        jobs.start(session, job_id)
    for _ in range(5):
        worker.tick(runtime, only="imports")
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(ImportJob.__table__.update().values(lease_until=None))
    job = found(runtime, organisation, job_id)
    assert (job.state, job.problem) == ("failed", "interrupted")


def test_one_row_the_database_refuses_costs_no_other_row(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.contacts.normalise.TEXT_LENGTH_MAX", 100_000)
    # Longer than an index entry may be, and too random to be compressed into one.
    noise = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))
    content = csv_file("E-mail,Naam", *(f"p{n}@example.org,P" for n in range(5)), f"q@example.org,{noise}")
    job = imported(runtime, organisation, content)
    assert outcomes(job) == {"created": 5, "error": 1}


GRANTED = ConsentMeaning("granted", "newsletter", "Ja, stuur mij de nieuwsbrief.", "nl", date(2025, 3, 1))


def permissions(runtime: Runtime, house: Organisation) -> dict[str, tuple[bool, bool]]:
    """Return per address whether the newsletter is allowed and whether there is a spoken no."""
    with transaction(runtime.engine, house.id) as session:
        rows = session.execute(
            select(ContactIdentity.value_key, Permission.is_allowed, Permission.is_negative)
            .join(Permission, Permission.subject_key == ContactIdentity.subject_key)
            .where(Permission.purpose == "newsletter", Permission.channel == "email")
        )
        return {row.value_key: (row.is_allowed, row.is_negative) for row in rows}


def test_a_ticked_box_with_date_and_wording_is_consent_and_a_no_is_a_no(
    runtime: Runtime, organisation: Organisation
) -> None:
    imported(runtime, organisation, PEOPLE, consents={9: GRANTED})
    assert permissions(runtime, organisation) == {"an@example.org": (True, False), "bo@example.org": (False, True)}
    with transaction(runtime.engine, organisation.id) as session:
        before = session.scalar(select(func.count()).select_from(ConsentEvent))
    imported(runtime, organisation, PEOPLE, consents={9: GRANTED})
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == before


@pytest.mark.parametrize(
    "meaning",
    [
        ConsentMeaning("granted", "newsletter", None, None, date(2025, 3, 1)),
        ConsentMeaning("granted", "newsletter", "Ja, graag.", "nl", None),
        ConsentMeaning("unknown", "newsletter"),
    ],
)
def test_a_yes_that_cannot_be_shown_allows_nothing(
    runtime: Runtime, organisation: Organisation, meaning: ConsentMeaning
) -> None:
    imported(runtime, organisation, PEOPLE, consents={9: meaning})
    assert permissions(runtime, organisation).get("an@example.org", (False, False))[0] is False
    with transaction(runtime.engine, organisation.id) as session:
        assert "noted" in session.scalars(select(ConsentEvent.action)).all()


WORDS = ("ja", "nee", "1", "0", "x", "onbekend", "misschien", "01/02/2030", "2030-02-01", "opt-in")


def test_no_file_in_any_sense_brings_back_somebody_who_opted_out(runtime: Runtime, organisation: Organisation) -> None:
    """I6: whatever the column is said to mean, whatever the cell says, and however complete the proof is."""
    columns = [(meaning, word) for meaning in MEANINGS for word in WORDS]
    consents = {
        place: ConsentMeaning(meaning, "newsletter", "Ja, graag.", "nl", date(2030, 1, 1), "Huis")
        for place, (meaning, _word) in enumerate(columns, start=1)
    }
    header = ";".join(["E-mail", *(f"Nieuwsbrief {place}" for place in consents), "Ordernummer"])
    content = csv_file(header, ";".join(["an@example.org", *(word for _meaning, word in columns), "A-1"]))
    imported(runtime, organisation, PEOPLE, consents={9: GRANTED})
    with transaction(runtime.engine, organisation.id) as session:
        record_opt_outs(
            session, runtime.keyring, ["an@example.org"], channel="email", purpose=None, source="mailchimp",
            method="webhook", at=None, reason="withdrawn",
        )  # fmt: skip
        job = jobs.upload(session, content, file_name="alles.csv", kind="contacts", preset="generic")
        jobs.choose_mapping(
            session, job, Mapping("kassa", ("email", *["consent"] * len(columns), "order_id"), {}, consents)
        )
    worker.tick(runtime, only="imports")
    with transaction(runtime.engine, organisation.id) as session:
        assert jobs.start(session, job.id)
    worker.tick(runtime, only="imports")
    assert found(runtime, organisation, job.id).counts.get("error", 0) == 0
    assert permissions(runtime, organisation)["an@example.org"] == (False, True)


def test_no_import_raises_a_permission_somebody_took_away(runtime: Runtime, organisation: Organisation) -> None:
    """I6: the same file again, with a later date."""
    imported(runtime, organisation, PEOPLE, consents={9: GRANTED})
    with transaction(runtime.engine, organisation.id) as session:
        record_event(
            session,
            runtime.keyring,
            NewEvent(
                channel="email", purpose="newsletter", action="withdrawn", actor="contact", method="one_click",
                source="mail", address="an@example.org",
            ),
        )  # fmt: skip
    later = ConsentMeaning("granted", "newsletter", "Ja, stuur mij de nieuwsbrief.", "nl", date(2026, 11, 20))
    imported(runtime, organisation, PEOPLE + b"\r\n", consents={9: later})
    assert permissions(runtime, organisation)["an@example.org"] == (False, True)


def test_the_same_file_read_in_another_sense_says_something_else(runtime: Runtime, organisation: Organisation) -> None:
    imported(runtime, organisation, PEOPLE, consents={9: ConsentMeaning("unknown", "newsletter")})
    assert permissions(runtime, organisation).get("an@example.org", (False, False)) == (False, False)
    imported(runtime, organisation, PEOPLE, consents={9: GRANTED})
    assert permissions(runtime, organisation) == {"an@example.org": (True, False), "bo@example.org": (False, True)}


def test_an_opt_out_column_always_works_even_with_a_word_nobody_knows(
    runtime: Runtime, organisation: Organisation
) -> None:
    content = csv_file(
        "E-mail;Uitgeschreven", "an@example.org;ja", "bo@example.org;", "cy@example.org;bounced", "di@example.org;nee",
        "el@example.org;20/11/2024",
    )  # fmt: skip
    imported(runtime, organisation, content, consents={1: ConsentMeaning("opt_out", None)})
    negative = {address for address, (_, is_negative) in permissions(runtime, organisation).items() if is_negative}
    assert negative == {"an@example.org", "cy@example.org", "el@example.org"}


def test_a_box_that_was_ticked_beforehand_is_no_yes_but_unticking_it_is_a_no(
    runtime: Runtime, organisation: Organisation
) -> None:
    job = imported(
        runtime, organisation, PEOPLE,
        consents={9: ConsentMeaning("pre_ticked", "newsletter", "Ja, graag.", "nl", date(2025, 3, 1))},
    )  # fmt: skip
    assert permissions(runtime, organisation) == {"an@example.org": (False, False), "bo@example.org": (False, True)}
    assert (job.counts.get("said_yes", 0), job.counts["said_no"], job.counts["said_note"]) == (0, 1, 1)


CUSTOMERS = csv_file(
    "E-mail;Mailing;Datum opt-in;Ordernummer",
    "an@example.org;ja;01/03/2025;A-1",
    "bo@example.org;nee;01/03/2025;A-2",
    "cy@example.org;ja;01/03/2025;",
    "di@example.org;ja;;A-4",
)
SOFT = ConsentMeaning("soft_opt_in", "newsletter", "Wil je geen mails? Vink dan aan.", "nl", None, "Schouwburg")


def test_a_customer_who_could_say_no_counts_with_purchase_date_words_and_seller(
    runtime: Runtime, organisation: Organisation
) -> None:
    """I29: whatever is missing makes it a note."""
    job = imported(runtime, organisation, CUSTOMERS, consents={1: SOFT})
    assert permissions(runtime, organisation) == {
        "an@example.org": (True, False),
        "bo@example.org": (False, True),
        "cy@example.org": (False, False),
        "di@example.org": (False, False),
    }
    assert (job.counts["said_yes"], job.counts["said_no"], job.counts["said_note"]) == (1, 1, 2)


def test_a_customer_whose_words_or_seller_nobody_gave_counts_for_nothing(
    runtime: Runtime, organisation: Organisation
) -> None:
    imported(runtime, organisation, CUSTOMERS, consents={1: replace(SOFT, wording=None)})
    assert not any(is_allowed for is_allowed, _ in permissions(runtime, organisation).values())
    with transaction(runtime.engine, organisation.id) as session:
        job = jobs.upload(session, CUSTOMERS, file_name="klanten.csv", kind="contacts", preset="generic")
        columns = ("email", "consent", "consent_date", "order_id")
        with pytest.raises(jobs.UnusableMapping) as refused:
            jobs.choose_mapping(session, job, Mapping("kassa", columns, {}, {1: replace(SOFT, seller=None)}))
    assert refused.value.problems == [("consent_without_seller", 1)]


def test_an_opt_out_counts_also_in_a_row_that_is_left_out(runtime: Runtime, organisation: Organisation) -> None:
    imported(runtime, organisation, PEOPLE)
    opt_out = {"consents": {2: ConsentMeaning("opt_out", None)}}
    clashing = csv_file("Klantnummer;E-mail;Uitgeschreven", "2;an@example.org;ja", "7;new@example.org;nee")
    job = imported(runtime, organisation, clashing, **opt_out)
    assert (outcomes(job), job.counts["said_no"]) == ({"created": 1, "error": 1}, 1)
    visits = csv_file("E-mail;Voorstelling;Uitgeschreven;Aantal", "bo@example.org;Het Circus;ja;veel")
    assert outcomes(imported(runtime, organisation, visits, kind="participations", **opt_out)) == {"error": 1}
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).where(ConsentEvent.action == "withdrawn")) == 2
    negative = {address for address, (_, is_negative) in permissions(runtime, organisation).items() if is_negative}
    assert negative == {"an@example.org", "bo@example.org"}


def test_an_import_that_is_killed_before_its_first_batch_has_heard_the_opt_outs_once(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = csv_file("E-mail;Uitgeschreven", "an@example.org;ja", "bo@example.org;ja")
    job_id = tried(runtime, organisation, content, consents={1: ConsentMeaning("opt_out", None)})
    with transaction(runtime.engine, organisation.id) as session:
        assert jobs.start(session, job_id)
    with monkeypatch.context() as broken:
        broken.setattr(run, "_stored", lambda *_: (_ for _ in ()).throw(RuntimeError))
        worker.tick(runtime, only="imports")
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 0
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 2
        job = jobs.find_job(session, job_id)
        assert job is not None
        job.lease_until = None
    worker.tick(runtime, only="imports")
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 2
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 2
    assert set(permissions(runtime, organisation).values()) == {(False, True)}


VISITS = csv_file(
    "E-mail;Voornaam;Voorstelling;Datum;Uur;Genre;Aantal;Prijs;Besteldatum;Status;Gescand",
    "an@example.org;An;Winterreise;04/12/2026;20:00;Dans, Muziek;2;18,50;01/10/2026 09:30;Betaald;",
    "an@example.org;An;Winterreise;04/12/2026;20:00;Dans;1;18,50;01/10/2026 09:30;Betaald;ja",
    "bo@example.org;Bo;Het Circus;10/01/2026;15:00;Circus;4;€ 12;20/12/2025;Geannuleerd;",
    "bo@example.org;Bo;Het Circus;10/01/2026;15:00;Circus;veel;12;20/12/2025;Betaald;",
    "cy@example.org;Cy;;10/01/2026;15:00;Circus;1;12;20/12/2025;Betaald;",
)


def test_two_customers_of_a_file_at_one_address_stay_two_people(runtime: Runtime, organisation: Organisation) -> None:
    together = csv_file(
        "E-mail;Klantnummer;Voornaam;Naam",
        "thuis@example.org;1;An;Peeters",
        "thuis@example.org;2;Bo;Peeters",
        "thuis@example.org;2;Bo;Claes",
    )
    assert outcomes(imported(runtime, organisation, together)) == {"created": 2, "unchanged": 1}
    with transaction(runtime.engine, organisation.id) as session:
        people = session.execute(select(Contact.given_name, Contact.family_name, Contact.email).order_by(Contact.id))
        assert {tuple(each) for each in people} == {
            ("An", "Peeters", "thuis@example.org"), ("Bo", "Peeters", "thuis@example.org"),
        }  # fmt: skip
    assert outcomes(imported(runtime, organisation, together)) == {"unchanged": 3}


def test_a_file_of_visits_brings_people_activities_and_participations(
    runtime: Runtime, organisation: Organisation
) -> None:
    job = imported(runtime, organisation, VISITS, kind="participations")
    assert outcomes(job) == {"created": 3, "error": 2}
    with transaction(runtime.engine, organisation.id) as session:
        lines = session.scalars(
            select(Participation).order_by(Participation.quantity != 2, Participation.quantity)
        ).all()
        assert [(line.quantity, str(line.amount), line.status) for line in lines] == [
            (2, "37.00", "booked"),
            (1, "18.50", "attended"),
            (4, "48.00", "cancelled"),
        ]
        assert (lines[0].activity_on, lines[0].booked_on) == (date(2026, 12, 4), date(2026, 10, 1))
        titles = dict(session.execute(select(Activity.title, Activity.genres)).all())
        assert titles == {"Winterreise": ["dans", "muziek"], "Het Circus": ["circus"]}
    again = imported(runtime, organisation, VISITS, kind="participations")
    assert outcomes(again) == {"unchanged": 3, "error": 2}


def test_a_dry_run_of_visits_counts_them_all_as_new_over_several_batches(
    runtime: Runtime, organisation: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_ROWS", 1)
    job = found(runtime, organisation, tried(runtime, organisation, VISITS, kind="participations"))
    assert outcomes(job) == {"created": 3, "error": 2}
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Activity)) == 0


def test_a_ticket_number_that_stands_twice_in_a_file_is_said(runtime: Runtime, organisation: Organisation) -> None:
    content = csv_file(
        "Ticketnummer;E-mail;Voorstelling;Datum",
        "T1;an@example.org;Dans;04/12/2026",
        "T1;bo@example.org;Dans;04/12/2026",
    )
    job = imported(runtime, organisation, content, kind="participations")
    assert outcomes(job) == {"created": 1, "error": 1}
    with transaction(runtime.engine, organisation.id) as session:
        assert [line[3] for line in problem_rows(session, job, str)] == [
            "This number stood in an earlier row already; only that row is kept."
        ]


def test_the_command_tries_out_or_stores_and_leaves_open_questions_about_consent_out(
    runtime: Runtime, organisation: Organisation
) -> None:
    told: list[int] = []
    how: dict[str, Any] = {"file_name": "klanten.csv", "kind": "contacts", "preset": "sro"}
    tried_out = import_file(
        runtime, organisation.id, PEOPLE, **how, is_dry=True, progress=lambda done, _total: told.append(done)
    )
    assert (tried_out.state, tried_out.counts["created"], told) == ("checked", 3, [4])
    assert tried_out.meanings["Nieuwsbrief"] == "ignore"
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 0
    stored = import_file(runtime, organisation.id, PEOPLE, **how, is_dry=False)
    assert (stored.state, stored.counts["created"]) == ("done", 3)
    with transaction(runtime.engine, organisation.id) as session:
        assert set(session.scalars(select(Contact.source))) == {"sro"}
        assert session.scalar(select(func.count()).select_from(ConsentEvent)) == 0


def test_a_mapping_is_remembered_for_the_same_headers(runtime: Runtime, organisation: Organisation) -> None:
    content = csv_file("Wie;Post", "Peeters;an@example.org")
    with transaction(runtime.engine, organisation.id) as session:
        job = jobs.upload(session, content, file_name="a.csv", kind="contacts", preset="generic")
        assert Mapping.from_json(job.mapping).columns == ("ignore", "email")
        jobs.choose_mapping(session, job, Mapping("kassa", ("family_name", "email")))
        again = jobs.upload(session, content, file_name="b.csv", kind="contacts", preset="generic")
        assert Mapping.from_json(again.mapping) == Mapping("kassa", ("family_name", "email"))
        other = jobs.upload(session, content, file_name="c.csv", kind="contacts", preset="sro")
        assert Mapping.from_json(other.mapping).source == "sro"


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (Mapping("kassa", ("given_name", "ignore")), "no_identity_column"),
        (Mapping("", ("email", "ignore")), "no_source"),
        (Mapping("kassa", ("email", "email")), "field_twice"),
        (Mapping("kassa", ("email", "attribute")), "attribute_without_name"),
        (Mapping("kassa", ("email", "consent")), "consent_without_meaning"),
        (Mapping("kassa", ("email", "consent"), consents={1: ConsentMeaning("granted")}), "consent_without_purpose"),
        (Mapping("kassa", ("email", "shoe_size")), "unknown_field"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(
    runtime: Runtime, organisation: Organisation, mapping: Mapping, code: str
) -> None:
    with transaction(runtime.engine, organisation.id) as session:
        job = jobs.upload(session, csv_file("A;B", "a@example.org;b"), file_name="a", kind="contacts", preset="generic")
        with pytest.raises(jobs.UnusableMapping) as refused:
            jobs.choose_mapping(session, job, mapping)
    assert code in [each for each, _ in refused.value.problems]


def test_a_workbook_of_twenty_thousand_people_is_stored_at_speed(
    runtime: Runtime, organisation: Organisation, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(n, f"p{n}@example.org", f"An{n}", "Peeters", 9000, "nl", date(1980, 1, 1)) for n in range(20_000)]
    csv_rows = (";".join(str(cell) for cell in row) for row in rows)
    content = csv_file("Klantnummer;E-mail;Voornaam;Naam;Postcode;Taal;Geboortedatum", *csv_rows)
    with transaction(runtime.engine, organisation.id) as session:
        job = jobs.upload(session, content, file_name="groot.csv", kind="contacts", preset="generic")
        jobs.choose_mapping(session, job, Mapping.from_json(job.mapping))
        jobs.move(session, job.id, ("checking",), "queued")
    started = time.perf_counter()
    worker.tick(runtime, only="imports")
    took = time.perf_counter() - started
    with capsys.disabled():
        sys.stdout.write(f"\n20,000 contacts imported in {took:.1f} s: {20_000 / took:,.0f} rows per second\n")
    assert outcomes(found(runtime, organisation, job.id)) == {"created": 20_000}
    small = workbook([("E-mail", "Voornaam"), ("p7@example.org", "An7"), ("new@example.org", "Nieuw")])
    assert Counter(outcomes(imported(runtime, organisation, small))) == {"created": 1, "unchanged": 1}


def test_the_public_columns_of_uitpas_balie_are_known_and_who_is_poor_is_not_brought_in(
    runtime: Runtime, organisation: Organisation
) -> None:
    header = (needs.contracts("uitpas") / "balie-export.header.csv").read_text().strip()
    row = "0900000095902;Peeters;An;02/04/1985;V;Grote Markt 1;2000;Antwerpen;03 000;0470 00 00 00;BE;31/12/2026;77"
    how: dict[str, Any] = {"file_name": "balie.csv", "kind": "contacts", "preset": "uitpas_balie", "is_dry": False}
    stored = import_file(runtime, organisation.id, f"{header}\n{row}\n".encode(), **how)
    assert (stored.state, stored.counts["created"]) == ("done", 1)
    assert stored.meanings["Kansenstatuut einddatum"] == stored.meanings["Nationaliteit"] == "ignore"
    with transaction(runtime.engine, organisation.id) as session:
        person = session.scalars(select(Contact)).one()
        assert (person.given_name, person.family_name, person.email) == ("An", "Peeters", None)
        known_as = {(each.kind, each.value) for each in session.scalars(select(ContactIdentity))}
        assert ("uitpas", "0900000095902") in known_as


def test_opt_ins_of_peppered_count_only_where_the_row_is_of_the_one_that_was_meant(
    runtime: Runtime, organisation: Organisation
) -> None:
    header = (needs.contracts("peppered") / "optin-import.header.csv").read_text().strip()
    rows = "an@example.org,nieuwsbrief,2026-03-01,\nbo@example.org,partners,2026-03-02,\n"
    content = f"{header}\n{rows}".encode()
    with transaction(runtime.engine, organisation.id) as session:
        job = jobs.upload(session, content, file_name="o.csv", kind="contacts", preset="peppered")
        guessed = Mapping.from_json(job.mapping)
        assert guessed.columns == ("email", "consent_key", "consent", "ignore")
        meant = ConsentMeaning("granted", "newsletter", wording="Ik wil de nieuwsbrief", language="nl")
        with pytest.raises(jobs.UnusableMapping) as refused:
            jobs.choose_mapping(session, job, replace(guessed, consents={2: meant}))
        assert refused.value.problems == [("consent_without_key", 2)]
        jobs.choose_mapping(session, job, replace(guessed, consents={2: replace(meant, key="Nieuwsbrief")}))
        job_id = job.id
    worker.tick(runtime, only="imports")
    with transaction(runtime.engine, organisation.id) as session:
        assert jobs.start(session, job_id)
    worker.tick(runtime, only="imports")
    with transaction(runtime.engine, organisation.id) as session:
        identity = ContactIdentity
        allowed = select(Permission.purpose, identity.value).join(
            identity, identity.subject_key == Permission.subject_key
        )
        assert session.execute(allowed.where(Permission.is_allowed)).all() == [("newsletter", "an@example.org")]
