"""What consent.md promises, seen from outside: nothing a program does lifts a no, and the erased stay out."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.models import Organisation
from app.contacts.importing import jobs
from app.db import transaction
from app.runtime import Runtime
from tests.conftest import NOW
from tests.outside.conftest import Program

GRANT = {
    "channel": "email", "purpose": "newsletter", "action": "grant", "basis": "consent", "source": "form",
    "occurred_at": "2026-01-02T10:00:00+01:00", "wording": "Ja, graag", "language": "nl",
}  # fmt: skip
NO = {"channel": "email", "purpose": "newsletter", "action": "withdraw", "source": "form"}


def person(program: Program, email: str) -> int:
    """Make somebody who wants the newsletter; returns the id of the contact."""
    answer = program("POST", "/consents", {"contact": {"email": email}} | GRANT)
    assert (answer.status_code, answer.json["recorded_as"]) == (201, "granted")
    return int(answer.json["contact_id"])


def may_be_mailed(program: Program, contact_id: int) -> bool:
    """What /permissions says, after checking that a segment says the same."""
    said = program("GET", f"/contacts/{contact_id}/permissions").json
    allowed = next(bool(one["allowed"]) for one in said if one["purpose"] == "newsletter")
    rule = {"type": "permission", "channel": "email", "purpose": "newsletter", "is": "allowed"}
    sample = program("POST", "/segments/preview", {"rule": rule}).json["sample"]
    assert (contact_id in {one["id"] for one in sample}) == allowed
    return allowed


def test_a_merge_keeps_a_withdrawal_of_either_and_unmerging_restores_both(program: Program) -> None:
    an, ann = person(program, "an@example.org"), person(program, "ann@example.org")
    assert program("POST", "/consents", {"contact": {"email": "ann@example.org"}} | NO).status_code == 201
    assert may_be_mailed(program, an)
    assert program("POST", f"/contacts/{ann}/merge", {"into": an}).status_code == 200
    assert not may_be_mailed(program, an)
    assert program("POST", f"/contacts/{ann}/unmerge").status_code == 200
    assert (may_be_mailed(program, an), may_be_mailed(program, ann)) == (True, False)


@pytest.mark.parametrize(
    "after",
    [
        {"source": "shop"},
        {"occurred_at": "2026-11-20T08:59:00Z"},
        {"occurred_at": "2030-01-01T00:00:00Z"},
        {"evidence": {"actor": "person", "method": "preference_page"}},
        {"external_id": "later"},
    ],
    ids=["other source", "later", "in the future", "evidence that says person", "external id"],
)
def test_no_grant_of_a_program_lifts_a_withdrawal(program: Program, after: dict[str, Any]) -> None:
    an = person(program, "an@example.org")
    assert program("POST", "/consents", {"contact": {"email": "AN@example.org "}} | NO).status_code == 201
    assert program("POST", "/consents", {"contact": {"email": "an@example.org"}} | GRANT | after).status_code == 201
    assert (
        program("PUT", "/contacts", {"email": "an@example.org", "attributes": {"newsletter": True}}).status_code == 200
    )
    assert not may_be_mailed(program, an)


def test_whoever_was_erased_comes_back_unmailable_from_a_batch(program: Program) -> None:
    an = person(program, "an@example.org")
    assert program("DELETE", f"/contacts/{an}").status_code == 204
    (row,) = program("POST", "/contacts/batch", [{"email": "AN@example.org"}]).json
    assert program("POST", "/consents", {"contact": {"id": row["id"]}} | GRANT).status_code == 201
    assert not may_be_mailed(program, row["id"])


def test_an_erasure_empties_the_files_that_were_imported(
    program: Program, runtime: Runtime, organisation: Organisation
) -> None:
    an = person(program, "an@example.org")
    with transaction(runtime.engine, organisation.id) as session:
        for name in ("done.csv", "waiting.csv"):
            jobs.upload(session, b"email\nan@example.org\n", file_name=name, kind="contacts", preset="generic")
        session.execute(
            text("UPDATE import_job SET state = 'done', finished_at = :at WHERE file_name = 'done.csv'"), {"at": NOW}
        )
    assert program("DELETE", f"/contacts/{an}").status_code == 204
    with transaction(runtime.engine, organisation.id) as session:
        kept = session.execute(text("SELECT file_name FROM import_job WHERE content IS NOT NULL")).scalars().all()
        stopped = session.execute(text("SELECT problem FROM import_job WHERE file_name = 'waiting.csv'")).scalar_one()
    assert (kept, stopped) == ([], "erased_inside"), "a file that waits with the person inside is stopped, and says so"


def test_a_statement_sent_again_is_the_same_and_another_one_under_its_id_is_refused(program: Program) -> None:
    grant = {"contact": {"email": "an@example.org"}, "external_id": "1"} | GRANT
    first, again = program("POST", "/consents", grant), program("POST", "/consents", grant)
    assert (first.json["is_new"], again.json["is_new"], again.json["id"]) == (True, False, first.json["id"])
    for other in (
        {"contact": {"email": "an@example.org"}, "external_id": "1"} | NO,
        grant | {"contact": {"email": "bo@example.org"}},
        grant | {"purpose": "survey"},
    ):
        answer = program("POST", "/consents", other)
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["external_id"])
