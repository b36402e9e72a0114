"""Audiences as files: the suite of destinations as far as files reach, and what is special about them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from integrations.base import (
    MemberPush,
    MemberStatus,
    Permanent,
    PushOutcome,
    Transient,
    UnknownOutcome,
)
from integrations.files import destination
from integrations.files.destination import FileDestination, capabilities
from integrations.files.folder import MemoryFolder
from integrations.files.tables import Dialect, addresses_in, write_rows
from tests.integrations.esp.conformance import AN, BO, CAS, DestinationConformance

LIST, OTHER = "lezers", "genodigden"
TAG = "Zaallicht: lezers"
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


class Folder(MemoryFolder):
    """A folder that counts what is asked of it and can misbehave."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.busy, self.broken, self.silent = 0, 0, 0
        self.before_write: list[tuple[str, bytes]] = []

    def _asked(self) -> None:
        self.asked += 1
        if self.busy or self.broken:
            self.busy, self.broken = max(self.busy - 1, 0), max(self.broken - 1, 0)
            raise Transient("connection_lost")

    def read(self, name: str) -> bytes | None:
        self._asked()
        return super().read(name)

    def write(self, name: str, content: bytes) -> None:
        self._asked()
        super().write(name, content)
        if self.before_write and name.endswith("lezers.csv"):
            super().write(*self.before_write.pop())
        if self.silent:
            self.silent -= 1
            raise UnknownOutcome("no_answer")

    def lines(self, name: str) -> list[str]:
        return self.files[name].decode("utf-8-sig").splitlines() if name in self.files else []


class FileRig:
    """Files in memory, in the suite's words."""

    statuses = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED})
    has_forgotten = False
    upserts_at_once = 1
    filter_grain = timedelta(days=3650)

    def __init__(self) -> None:
        self.folder = Folder()
        self.list_id, self.confirming_list_id, self.account_name = LIST, OTHER, "CSV"
        self.destination = self.open()
        self.stranger = self.open()
        self.secrets: Collection[str] = []

    def open(self, **changes: object) -> FileDestination:
        given: dict[str, object] = {
            "lists": (LIST, OTHER),
            "columns": ("FNAME", "LNAME"),
            "dialect": Dialect(),
        }
        return FileDestination(self.folder, capabilities("files", ""), **(given | changes))  # type: ignore[arg-type]

    def add(self, email: str, status: MemberStatus) -> None:
        """In the file, in an audience that is not ours; or among the opt-outs."""
        if status is MemberStatus.UNSUBSCRIBED:
            self.opt_out_by_admin(email)
            return
        list(self.destination.upsert(LIST, [MemberPush(email)], double_opt_in=False))
        self.destination.tag(LIST, "Van een ander", add=[email], remove=[])

    def opt_out_by_admin(self, email: str) -> None:
        known = addresses_in(self.folder.files.get(f"{LIST}-opt-outs-in.csv", b""))
        self.folder.files[f"{LIST}-opt-outs-in.csv"] = "\n".join(["E-mail", *known, email]).encode()

    def forget(self, email: str) -> None:
        raise AssertionError("files forget nobody for good")

    def status(self, email: str, *, list_id: str | None = None) -> MemberStatus:
        self.recover()
        return self.destination.member(list_id or LIST, email).status

    def calls_to_tag(self, people: int) -> int:
        return 5

    def be_busy(self, times: int) -> None:
        self.folder.busy = times

    def break_down(self, times: int) -> None:
        self.folder.broken = times

    def go_silent_after_effect(self) -> None:
        self.folder.silent = 1

    def recover(self) -> None:
        self.folder.busy = self.folder.broken = self.folder.silent = 0

    def requests_made(self) -> int:
        return self.folder.asked

    def peak(self) -> int:
        return 1

    def wait_for_company(self, size: int) -> None:
        return


@pytest.fixture
def rig() -> FileRig:
    return FileRig()


class TestFiles(DestinationConformance):
    """What files cannot do is skipped here, and said."""

    def test_a_wrong_key_is_permanent_and_says_so(self) -> None:  # type: ignore[override]
        pytest.skip("there is no key; that of SFTP is tested with its folder")

    def test_lists_tell_which_want_a_confirmation(self, rig: FileRig) -> None:  # type: ignore[override]
        assert {one.external_id: one.double_opt_in for one in rig.destination.lists()} == {LIST: False, OTHER: False}

    def test_a_stranger_to_a_double_opt_in_list_must_confirm_first(self) -> None:  # type: ignore[override]
        pytest.skip("a file asks nobody to confirm")

    @pytest.mark.parametrize("double_opt_in", [False, True])
    def test_a_push_brings_nobody_back(self, rig: FileRig, double_opt_in: bool) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        (result,) = rig.destination.upsert(LIST, [MemberPush(AN)], double_opt_in=double_opt_in)
        assert (result.outcome, result.code) == (PushOutcome.REFUSED, "stays_unsubscribed")

    def test_every_list_that_knows_somebody_is_told_and_how(self, rig: FileRig) -> None:  # type: ignore[override]
        assert list(rig.destination.lists_holding(AN)) == []
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        list(rig.destination.upsert(OTHER, [MemberPush(AN)], double_opt_in=False))
        held = {one.list_id: one.status for one in rig.destination.lists_holding(AN.title())}
        assert held == {LIST: MemberStatus.UNSUBSCRIBED, OTHER: MemberStatus.SUBSCRIBED}

    @pytest.mark.parametrize("status", [MemberStatus.SUBSCRIBED, MemberStatus.UNSUBSCRIBED])
    def test_the_erased_are_gone_and_no_push_brings_them_back(  # type: ignore[override]
        self, rig: FileRig, status: MemberStatus
    ) -> None:
        """Files remember nobody who was erased, not even to refuse them: the gate holds them."""
        rig.destination.upsert(LIST, [MemberPush(AN)], double_opt_in=False)
        if status is MemberStatus.UNSUBSCRIBED:
            rig.destination.unsubscribe(LIST, AN)
        else:
            rig.add(AN, status)
        for _ in range(2):
            assert rig.destination.erase(LIST, AN).outcome is PushOutcome.DONE
        assert rig.status(AN) is MemberStatus.ABSENT
        assert not [name for name, content in rig.folder.files.items() if AN.encode() in content]

    def test_tagging_changes_no_status(self, rig: FileRig) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.UNSUBSCRIBED)
        (result,) = rig.destination.tag(LIST, TAG, add=[AN], remove=[])
        assert (result.outcome, result.code) == (PushOutcome.REFUSED, "not_on_list")
        assert rig.status(AN) is MemberStatus.UNSUBSCRIBED

    def test_tagging_takes_as_many_calls_as_the_difference_needs(self, rig: FileRig) -> None:  # type: ignore[override]
        people = [f"p{number}@example.org" for number in range(12_000)]
        list(rig.destination.upsert(LIST, [MemberPush(email) for email in people], double_opt_in=False))
        before = rig.requests_made()
        results = rig.destination.tag(LIST, TAG, add=people, remove=[])
        assert rig.requests_made() - before <= 8
        assert {result.outcome for result in results} == {PushOutcome.DONE}

    def test_reading_changes_leaves_out_who_did_not_change(self, rig: FileRig) -> None:  # type: ignore[override]
        """Nobody but us changes the file: between two whole readings only the opt-outs are news."""
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.add(BO, MemberStatus.UNSUBSCRIBED)
        assert [one.email for one in rig.destination.changed_members(LIST, AT)] == [BO]
        assert {one.email for one in rig.destination.changed_members(LIST, None)} == {AN, BO}

    def test_a_busy_vendor_is_asked_again(self) -> None:  # type: ignore[override]
        pytest.skip("a folder answers or does not; the next run asks again")

    def test_a_broken_vendor_leaves_a_write_unknown_and_a_read_transient(self, rig: FileRig) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.SUBSCRIBED)
        rig.folder.silent = 100
        with pytest.raises(UnknownOutcome):
            rig.destination.unsubscribe(LIST, AN)
        rig.break_down(times=100)
        with pytest.raises(Transient):
            rig.destination.member(LIST, AN)

    def test_a_failure_half_way_keeps_the_results_that_came(self) -> None:  # type: ignore[override]
        pytest.skip("making known writes nothing; the write is the tag's, for all at once or for nobody")

    def test_a_webhook_is_made_once_and_its_secret_told_once(self) -> None:  # type: ignore[override]
        pytest.skip("files announce nothing")

    def test_no_error_holds_an_address_or_a_secret(self, rig: FileRig) -> None:  # type: ignore[override]
        rig.add(AN, MemberStatus.SUBSCRIBED)
        for call in (rig.destination.unsubscribe, rig.destination.member, rig.destination.erase):
            rig.be_busy(100)
            with pytest.raises(Transient) as caught:
                call(LIST, AN)
            assert "@" not in str(caught.value)
            rig.recover()


def test_a_file_holds_who_is_in_an_audience_and_what_the_columns_ask_and_no_formula(rig: FileRig) -> None:
    people = [
        MemberPush(AN, {"FNAME": "=cmd|' /C calc'!A0", "LNAME": "Peeters; de\nOude 🎭", "NOT": "x"}, language="nl"),
        MemberPush("=bo@example.org", {"FNAME": "Bo"}),
        MemberPush(CAS),
    ]
    results = list(rig.destination.upsert(LIST, people, double_opt_in=False))
    assert [(one.outcome, one.code) for one in results][1] == (PushOutcome.INVALID, "invalid_address")
    assert f"{LIST}.csv" not in rig.folder.files, "nobody is in an audience yet"
    rig.destination.tag(LIST, TAG, add=[AN], remove=[])
    assert rig.folder.lines(f"{LIST}.csv") == [
        "EMAIL;FNAME;LNAME;LANGUAGE;AUDIENCES",
        f"{AN};'=cmd|' /C calc'!A0;\"Peeters; de Oude 🎭\";nl;{TAG}",
    ]
    rig.destination.close()
    assert rig.folder.lines(f"{LIST}-changes-0001.csv")[1].startswith(f"add;{AN};")


def test_the_file_of_changes_tells_what_changed_since_the_one_before_and_is_mended_after_a_kill(
    rig: FileRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.add(BO, MemberStatus.SUBSCRIBED)
    rig.destination.close()
    rig.destination = rig.open()
    list(rig.destination.upsert(LIST, [MemberPush(AN, {"FNAME": "An"})], double_opt_in=False))
    rig.destination.tag(LIST, "Van een ander", add=[], remove=[BO])
    # Killed here: nothing was closed. Whoever looks next writes what was missed.
    rig.destination = rig.open()
    list(rig.destination.changed_members(LIST, AT))
    rig.destination.close()
    assert rig.folder.lines(f"{LIST}-changes-0002.csv") == [
        "ACTION;EMAIL;FNAME;LNAME;LANGUAGE;AUDIENCES",
        f"change;{AN};An;;;Van een ander",
        f"remove;{BO};;;;",
    ]
    monkeypatch.setattr(destination, "CHANGES_KEPT", 2)
    rig.destination = rig.open()
    rig.add(CAS, MemberStatus.SUBSCRIBED)
    rig.destination.close()
    changes = [name for name in rig.folder.files if "-changes-" in name]
    assert changes == [f"{LIST}-changes-0002.csv", f"{LIST}-changes-0003.csv"], "the oldest go"


def test_an_opt_out_that_arrives_while_a_file_is_written_wins(rig: FileRig) -> None:
    rig.add(BO, MemberStatus.SUBSCRIBED)
    list(rig.destination.upsert(LIST, [MemberPush(AN)], double_opt_in=False))
    rig.folder.before_write = [(f"{LIST}-opt-outs-in.csv", f"email\n{AN}\n".encode())]
    rig.destination.tag(LIST, TAG, add=[AN], remove=[])
    assert not [line for line in rig.folder.lines(f"{LIST}.csv") if AN in line]
    assert rig.status(AN) is MemberStatus.UNSUBSCRIBED


def test_the_erased_are_told_as_removed_once_and_then_nowhere(rig: FileRig) -> None:
    rig.add(AN, MemberStatus.SUBSCRIBED)
    rig.destination.close()
    rig.destination = rig.open()
    rig.destination.erase(LIST, AN)
    rig.destination.close()
    assert rig.folder.lines(f"{LIST}-changes-0002.csv")[1] == f"remove;{AN};;;;"
    assert {name for name, content in rig.folder.files.items() if AN.encode() in content} == {
        f"{LIST}-changes-0002.csv"
    }


@pytest.mark.parametrize("separator", ["semicolon", "comma", "tab"])
@pytest.mark.parametrize("encoding", ["excel", "utf8", "windows"])
def test_whatever_dialect_is_chosen_what_was_written_is_read_back(separator: str, encoding: str) -> None:
    rig = FileRig()
    rig.destination = rig.open(dialect=Dialect(separator, encoding))
    list(rig.destination.upsert(LIST, [MemberPush(AN, {"FNAME": 'Zoë, \'n; "naam"'})], double_opt_in=False))
    rig.destination.tag(LIST, TAG, add=[AN], remove=[])
    before = dict(rig.folder.files)
    list(rig.destination.upsert(LIST, [MemberPush(AN, {"FNAME": 'Zoë, \'n; "naam"'})], double_opt_in=False))
    assert rig.folder.files == before, "nothing changed, so nothing is written"


@pytest.mark.parametrize(
    "content",
    [
        b"an@example.org\nbo@example.org\n",
        b"Naam;E-mail;Datum\nAn;an@example.org;2026-01-01\nBo;bo@example.org;\n",
        "naam,email\nZoë,an@example.org\n,bo@example.org\n".encode("cp1252"),
        "E-mail\tReden\nan@example.org\tvia x@example.org\nbo@example.org\t\n".encode("utf-16"),
    ],
)
def test_anybodys_file_of_opt_outs_is_read(content: bytes) -> None:
    assert addresses_in(content) == [AN, BO]


def test_settings_no_file_can_have_are_said() -> None:
    for changes, hint in (
        ({"lists": ("../x",)}, "lists"),
        ({"lists": ()}, "lists"),
        ({"columns": ("email",)}, "columns"),
    ):
        with pytest.raises(Permanent) as caught:
            FileRig().open(**changes)
        assert caught.value.hint == hint


def test_a_letter_an_old_encoding_does_not_have_is_a_question_mark() -> None:
    assert write_rows(["A"], [["🎭"]], Dialect("comma", "windows")) == b"A\r\n?\r\n"
