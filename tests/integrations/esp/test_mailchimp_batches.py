"""Thousands of people at once: MailChimp's batches, read back one by one whatever becomes of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from integrations.base import MemberPush, MemberStatus, Permanent, PushOutcome, Transient, UnknownOutcome
from integrations.esp.mailchimp_batches import FILE_BYTES_MAX, PEOPLE_PER_BATCH, read_archive
from tests.integrations.esp.mailchimp_rig import MailChimpRig
from tests.standins.mailchimp import Fault, MailChimpStandIn

AN, BO, CIS, DO, EL = (f"{name}@example.org" for name in ("an", "bo", "cis", "do", "el"))


@pytest.fixture
def rig(mailchimp_standin: MailChimpStandIn) -> Iterator[MailChimpRig]:
    made = MailChimpRig(mailchimp_standin)
    yield made
    made.close()


def whole_batch(rig: MailChimpRig, *emails: str, double_opt_in: bool = False) -> dict[str, tuple[str, str | None]]:
    list_id = rig.confirming_list_id if double_opt_in else rig.list_id
    people = [MemberPush(email, {"FNAME": "Ån 🎭", "NOFIELD": "x"}, "nl") for email in emails]
    batch_id = rig.destination.begin_batch(list_id, people, double_opt_in=double_opt_in)
    assert rig.destination.batch_progress(batch_id, patience_s=60).is_finished
    results = rig.destination.batch_results(batch_id, list_id, emails)
    return {result.email: (result.outcome.value, result.code) for result in results}


def test_a_batch_says_what_single_pushes_say_and_brings_nobody_back(rig: MailChimpRig) -> None:
    rig.add(BO, MemberStatus.UNSUBSCRIBED)
    rig.opt_out_by_admin(BO)
    rig.add(CIS, MemberStatus.CLEANED)
    rig.add(DO, MemberStatus.SUBSCRIBED)
    rig.forget(DO)
    rig.standin.put_under_review(EL, list_id=rig.list_id)
    done = whole_batch(rig, AN, BO, CIS, DO, EL, "no address")
    assert done == {
        AN: ("done", None),
        BO: ("refused", "stays_unsubscribed"),
        CIS: ("refused", "stays_cleaned"),
        DO: ("refused", "forgotten"),
        EL: ("refused", "compliance_state"),
        "no address": ("invalid", "invalid_address"),
    }
    assert rig.status(BO) is MemberStatus.UNSUBSCRIBED
    assert rig.standin.fields(AN, list_id=rig.list_id) == {"FNAME": "Ån 🎭"}
    assert whole_batch(rig, AN, double_opt_in=True) == {AN: ("done", None)}
    assert rig.status(AN, list_id=rig.confirming_list_id) is MemberStatus.PENDING


def test_a_thousand_people_are_one_call_and_their_results_fit_several_files(rig: MailChimpRig) -> None:
    emails = [f"p{number}@example.org" for number in range(PEOPLE_PER_BATCH)]
    done = whole_batch(rig, *emails)
    assert len(done) == PEOPLE_PER_BATCH == rig.destination.capabilities.people_per_batch
    counts = rig.standin.counts()
    assert (counts["post_batch"], counts["put_member"], counts["get_batch_results"]) == (1, 0, 1)


def test_progress_is_told_and_patience_ends(rig: MailChimpRig) -> None:
    rig.standin.behave(batch_looks=4)
    emails = [f"p{number}@example.org" for number in range(8)]
    batch_id = rig.destination.begin_batch(rig.list_id, [MemberPush(one) for one in emails], double_opt_in=False)
    first = rig.destination.batch_progress(batch_id, patience_s=0)
    assert (first.is_finished, first.done, first.total) == (False, 2, 8)
    assert rig.destination.batch_progress(batch_id, patience_s=60).is_finished
    assert rig.destination.batch_progress("strange", patience_s=60).is_gone


def test_whoever_was_throttled_or_is_missing_has_no_result(rig: MailChimpRig) -> None:
    rig.standin.in_a_batch(throttled=1, lost=2)
    done = whole_batch(rig, AN, BO, CIS)
    assert len(done) == 1
    assert {outcome for outcome, _ in done.values()} == {PushOutcome.DONE.value}


def test_a_batch_without_an_answer_is_unknown_and_can_be_found(rig: MailChimpRig) -> None:
    began_at = datetime.now(UTC)
    assert rig.destination.find_batch(1, since=began_at) is None
    rig.hang(Fault.HANG_AFTER, kind="post_batch")
    with pytest.raises(UnknownOutcome):
        rig.destination.begin_batch(rig.list_id, [MemberPush(AN)], double_opt_in=False)
    rig.recover()
    batch_id = rig.destination.find_batch(1, since=began_at)
    assert batch_id is not None
    assert rig.destination.find_batch(2, since=began_at) is None
    assert rig.destination.find_batch(1, since=began_at + timedelta(hours=1)) is None
    assert rig.destination.batch_progress(batch_id, patience_s=9).is_finished


def test_throttling_is_waited_out_and_does_not_make_two_jobs(rig: MailChimpRig) -> None:
    rig.standin.fail_next(Fault.THROTTLED, times=2, kind="post_batch")
    assert whole_batch(rig, AN) == {AN: ("done", None)}
    rig.standin.fail_next(Fault.SERVER_ERROR_AFTER, kind="post_batch")
    with pytest.raises(UnknownOutcome):
        rig.destination.begin_batch(rig.list_id, [MemberPush(BO)], double_opt_in=False)


@pytest.mark.parametrize(
    "address",
    [
        "http://mailchimp-api-batch.s3.amazonaws.com/x.tar.gz",
        "https://evil.example/x.tar.gz",
        "https://amazonaws.com.evil.example/x.tar.gz",
        "https://user@mailchimp-api-batch.s3.amazonaws.com/x",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
    ],
)
def test_results_are_fetched_from_nobody_else(rig: MailChimpRig, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = rig.destination._batches
    monkeypatch.setattr(batches, "_status", lambda _id: {"response_body_url": address})
    with pytest.raises(Permanent) as caught:
        list(batches.results("x"))
    assert caught.value.code == "foreign_next_page"


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_an_archive_nobody_can_read_is_asked_for_again(content: bytes | None) -> None:
    with pytest.raises(Transient):
        list(read_archive(io.BytesIO(content if content is not None else _enormous())))


def _enormous() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as files:
        entry = tarfile.TarInfo("big.json")
        entry.size = FILE_BYTES_MAX + 1
        files.addfile(entry, io.BytesIO(b" " * entry.size))
    return out.getvalue()
