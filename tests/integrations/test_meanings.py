"""Every code that can reach a person has a sentence that tells them what to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import integrations
from integrations import json_api
from integrations.base import MemberStatus
from integrations.esp import campaign_monitor_client, mailchimp_client, mailchimp_members
from integrations.meanings import (
    ERRORS,
    MAIL,
    MAILBOX,
    OTHERWISE,
    RESULTS,
    meaning_for_mail,
    meaning_for_mailbox,
    meaning_of,
)

RAISED = {"Permanent", "Transient", "UnknownOutcome"}


MAIL_RELAY = sorted((Path(integrations.__file__).parent / "esp").glob("smtp*.py"))
MAILBOX_READER = Path(integrations.__file__).parent / "imap.py"


def literal_codes(*paths: Path) -> Iterator[tuple[str, bool]]:
    """The codes written out in calls: in an error (True), or in the ``code=`` of a result (False)."""
    for path in paths or sorted(set(Path(integrations.__file__).parent.rglob("*.py")) - {*MAIL_RELAY, MAILBOX_READER}):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                is_error = node.func.id in RAISED
                given = node.args[:1] if is_error else [k.value for k in node.keywords if k.arg == "code"]
                yield from ((one.value, is_error) for one in given if _is_text(one))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_error_has_a_meaning_and_every_meaning_an_error() -> None:
    tables = [mailchimp_client.STATUSES, mailchimp_client.TITLES, json_api.PERMANENT]
    tables += [campaign_monitor_client.STATUSES, campaign_monitor_client.CODES]
    used = {code for code, is_error in literal_codes() if is_error}
    used |= {code for table in tables for code in table.values()} | {"moved", "refused"}
    assert used - RESULTS.keys() == ERRORS.keys()


def test_every_result_has_a_meaning_and_every_meaning_a_result() -> None:
    kept = {status for status in MemberStatus if status not in mailchimp_members.MAILABLE}
    unfinished = {status for status in MemberStatus if status not in mailchimp_members.SILENT}
    used = {code for code, is_error in literal_codes() if not is_error}
    used |= {f"stays_{status.value}" for status in (kept | unfinished) - {MemberStatus.ABSENT}}
    used |= {"invalid_address", "invalid_field", "not_on_list", "still_tagged"}
    assert used == RESULTS.keys()


def test_whatever_a_mail_relay_says_has_a_meaning_of_its_own() -> None:
    written = {code for code, _is_error in literal_codes(*MAIL_RELAY)}
    refusals = {"refused_sender", "refused_recipient", "refused_mail", "unauthorised", "bad_relay", "no_encryption"}
    assert written | refusals == MAIL.keys()
    assert all(meaning_for_mail(code).endswith(".") for code in MAIL)
    assert meaning_for_mail("quite_new") == OTHERWISE


def test_whatever_a_mailbox_says_has_a_meaning_of_its_own() -> None:
    written = {code for code, _is_error in literal_codes(MAILBOX_READER)}
    assert written <= MAILBOX.keys()
    assert all(meaning_for_mailbox(code).endswith(".") for code in MAILBOX)
    assert meaning_for_mailbox("quite_new") == OTHERWISE


@pytest.mark.parametrize("code", [*ERRORS, *RESULTS])
def test_a_meaning_is_a_sentence(code: str) -> None:
    assert meaning_of(code)[0].isupper()
    assert meaning_of(code).endswith(".")


def test_an_unknown_code_still_says_something() -> None:
    assert meaning_of("quite_new") == OTHERWISE
