"""I10: whoever was erased after a backup was made is erased again when it comes back, and stays blocked."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app import backup
from app.accounts.models import Organisation
from app.consent.gate import contactable
from app.consent.models import Suppression
from app.consent.rebuild import differences
from app.contacts.erasing import erase_contact
from app.contacts.erasure import journal
from app.contacts.models import Contact
from app.db import transaction
from app.keyring import load_keyring
from app.postgres import Database
from app.runtime import Runtime
from tests.conftest import NOW
from tests.contacts.erasure.test_nothing_is_left import back_again, scan, somebody

LATER = NOW + timedelta(hours=1)


def erased_after_a_backup(runtime: Runtime, organisation: Organisation, database: Database, file: Path) -> int:
    with transaction(runtime.engine, organisation.id) as session:
        contact_id, _ = somebody(session, runtime)
    backup.back_up(database, file)
    with transaction(runtime.engine, organisation.id) as session:
        erase_contact(session, runtime.keyring, contact_id, at=LATER)
    return contact_id


@pytest.mark.parametrize("is_old_database_lost", [False, True])
def test_an_older_backup_brings_nobody_back_who_was_erased(
    runtime: Runtime, organisation: Organisation, database: Database, tmp_path: Path, is_old_database_lost: bool
) -> None:
    file, listed = tmp_path / "house.backup", tmp_path / journal.FILE_NAME
    contact_id = erased_after_a_backup(runtime, organisation, database, file)
    if is_old_database_lost:
        assert (journal.keep_list(runtime, organisation.id), journal.keep_list(runtime, organisation.id)) == (1, 0)
        assert stat.S_IMODE(listed.stat().st_mode) == 0o600
        assert b"steen" not in listed.read_bytes().lower()
        with transaction(runtime.engine, organisation.id) as session:
            session.execute(journal.Erasure.__table__.delete())  # type: ignore[attr-defined]
    runtime.engine.dispose()

    restored = backup.restore(database, runtime.keyring, file, may_replace=True, erasures=listed)

    assert restored == backup.Restored(organisations=1, is_keyring_right=True, erased_again=1)
    assert scan(database) == {}
    assert [entry.contact_ids for entry in journal.read_list(listed)] == [(contact_id,)]
    with transaction(runtime.engine, organisation.id) as session:
        assert session.scalars(select(Contact.state)).all() == ["erased"]
        assert session.scalars(select(Suppression.reason)).all() == ["erased"]
        assert session.scalar(select(func.count()).select_from(contactable)) == 0
        assert differences(session) == []
    runtime.engine.dispose()
    again = backup.restore(database, runtime.keyring, file, may_replace=True, erasures=listed)
    assert again.erased_again == 1, "and as often as the same backup comes back"


def test_whoever_came_back_themselves_before_the_backup_stays(
    runtime: Runtime, organisation: Organisation, database: Database, tmp_path: Path
) -> None:
    file, listed = tmp_path / "house.backup", tmp_path / journal.FILE_NAME
    with transaction(runtime.engine, organisation.id) as session:
        contact_id, _ = somebody(session, runtime)
        erase_contact(session, runtime.keyring, contact_id, at=LATER)
    with transaction(runtime.engine, organisation.id) as session:
        back_again(session, runtime, at=LATER + timedelta(hours=1))
    backup.back_up(database, file)
    runtime.engine.dispose()
    restored = backup.restore(database, runtime.keyring, file, may_replace=True, erasures=listed)
    assert restored.erased_again == 0
    with transaction(runtime.engine, organisation.id) as session:
        assert sorted(session.scalars(select(Contact.state))) == ["erased", "living"]
        assert session.scalars(select(Suppression.reason)).all() == ["erased"]


def test_with_another_keyring_nobody_is_taken_for_somebody_else(
    runtime: Runtime, organisation: Organisation, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "house.backup"
    erased_after_a_backup(runtime, organisation, database, file)
    runtime.engine.dispose()
    stranger = load_keyring(tmp_path / "other" / "keyring.json")
    restored = backup.restore(database, stranger, file, may_replace=True, erasures=tmp_path / journal.FILE_NAME)
    assert restored == backup.Restored(organisations=1, is_keyring_right=False)
    assert len(journal.read_list(tmp_path / journal.FILE_NAME)) == 1, "the list is kept for when the right one is there"


def test_a_line_that_was_cut_off_swallows_no_other(tmp_path: Path) -> None:
    listed = tmp_path / journal.FILE_NAME
    first = journal.Entry(1, "a", (1,), (b"k",), (b"k", b"l"), NOW)
    second = journal.Entry(1, "b", (2,), (), (), LATER)
    journal.add_missing(listed, [first])
    with listed.open("a") as file:
        file.write('{"organisation": 1, "refer')
    assert journal.add_missing(listed, [first, second]) == 1
    assert journal.read_list(listed) == [first, second]
