"""What is looked at before a mailing is sent: its words, as the composer checks them."""

from __future__ import annotations

from app.db import ScopedSession
from app.mailings.composing.checking import Finding, check_content
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.problems import InvalidContentError
from app.mailings.mailings import is_marketing
from app.mailings.models import Mailing
from app.mailings.problems import CannotSend
from app.runtime import Runtime


def findings_of(session: ScopedSession, runtime: Runtime, mailing: Mailing) -> list[Finding]:
    """Return everything found in the words of a mailing, the worst first. Raises CannotSend for unreadable words."""
    try:
        content = parse_content(mailing.content)
    except InvalidContentError as problem:
        raise CannotSend(mailing.id, [problem.code]) from problem
    return check_content(session, runtime, content, is_service=not is_marketing(session, mailing.purpose))


def refuse_stops(session: ScopedSession, runtime: Runtime, mailing: Mailing) -> None:
    """Raise CannotSend with the codes of everything without which it cannot be sent."""
    stops = [each.code for each in findings_of(session, runtime, mailing) if each.severity == "stop"]
    if stops:
        raise CannotSend(mailing.id, list(dict.fromkeys(stops)))
