"""Telling apart what comes back: bounces (RFC 3464), complaints (RFC 5965), automatic answers (RFC 3834), people.

Pure: octets in, a ``Returned`` out, for any octets. It says what a mail claims to be and where it names one of ours;
whether that name is signed by us is asked by whoever acts on it (``processing``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from app.mailings.returns.reading import (
    Mail,
    Unreadable,
    address_in,
    blocks_of,
    decoded,
    header,
    headers_of,
    own_parts,
    parts_of,
    read_mail,
    text_of,
)
from app.mailings.returns.statuses import Verdict, status_in, verdict_of

Kind = Literal["bounce", "delay", "notice", "complaint", "auto_reply", "unsubscribe", "reply", "unknown"]

NAMED_MAX = 64 * 1024
_CARRY_A_NUMBER = (
    "To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Forwarded-To",
    "In-Reply-To", "References", "X-Original-Message-ID", "Original-Envelope-Id", "Original-Rcpt-To",
    "Removal-Recipient",
)  # fmt: skip
_OF_OUR_MAIL = ("Message-ID", "Return-Path", "X-Return-Path", "List-Unsubscribe", "Original-Mail-From")

_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "dmarc"})
_UNSUBSCRIBE = re.compile(
    r"(?:re: *)?(?:unsubscribe|remove|opt-?out|uitschrijven|afmelden|désabonner|désinscrire|désinscription"
    r"|desinscription|se désabonner|stop)\.?\Z",
    re.IGNORECASE,
)
_AUTOMATIC_SUBJECT = re.compile(
    r"(?:automatic(?:al)? (?:reply|response)|auto(?:matic)?[- ]?(?:reply|response|antwort)|out of (?:the )?office|ooo\b"
    r"|automatisch(?:e)? (?:antwoord|reactie|beantwoording)|afwezig|vakantie|réponse automatique|absence|absent\b"
    r"|abwesenheit)",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|delivery (?:status|failure|failed|has failed|incomplete)|returned mail|mail delivery|failure notice"
    r"|delivery notification|message not delivered|onbestelbaar|niet bezorgd|non remis|non distribu|échec|unzustellbar",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"\A(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon)@", re.IGNORECASE)
# How qmail and Exim begin a bounce that holds no report for programs.
_TEXT_BOUNCE = re.compile(
    r"this is the (?:qmail-send|mail delivery) (?:program|agent)|i'm afraid i wasn't able to deliver your message"
    r"|a message that you (?:have )?sent could not be delivered"
    r"|this message was created automatically by mail delivery",
    re.IGNORECASE,
)
_STILL_TRYING = re.compile(r"delay|warning|still being retried|no action is required", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back. ``named`` is every text in which one of our numbers may stand. ``recipient`` is the address a
    report is about, in its words; ``text`` is what a person would read first, short."""

    kind: Kind
    named: str = ""
    verdict: Verdict | None = None
    status: str | None = None
    recipient: str | None = None
    sender: str = ""
    subject: str = ""
    text: str = ""


def classify(raw: bytes) -> Returned:
    """Return what a mail is. Never raises, whatever the octets are."""
    try:
        mail = read_mail(raw)
        return _classified(mail)
    except (Unreadable, RecursionError):
        return Returned("unknown")


def _classified(mail: Mail) -> Returned:
    subject, sender = decoded(header(mail, "Subject")), address_in(header(mail, "From"))
    told = Returned("unknown", named=_named(mail), subject=subject, sender=sender, text=text_of(mail))
    types = {part.get_content_type(): part for part in reversed(own_parts(mail))}
    if "message/feedback-report" in types:
        return _complaint(types["message/feedback-report"], told)
    for name in _REPORTS:
        if name in types:
            return _report(types[name], told)
    if "message/disposition-notification" in types:
        return replace(told, kind="auto_reply")
    if _is_text_bounce(mail, told):
        return _text_bounce(mail, told)
    if _UNSUBSCRIBE.match(subject):
        return replace(told, kind="unsubscribe")
    return replace(told, kind="auto_reply" if _is_automatic(mail, subject) else "reply")


def _complaint(part: Mail, told: Returned) -> Returned:
    fields = blocks_of(part)
    said = next((header(block, "Feedback-Type") for block in fields if header(block, "Feedback-Type")), "abuse").lower()
    kind: Kind = "notice" if said in _NO_COMPLAINT else "unsubscribe" if said.startswith("opt-out") else "complaint"
    recipient = next((address_in(header(block, "Original-Rcpt-To")) for block in fields), "")
    return replace(told, kind=kind, recipient=recipient or None)


def _report(part: Mail, told: Returned) -> Returned:
    """Read the report of the recipient that failed; ours have one recipient, other systems may report several."""
    blocks = [block for block in blocks_of(part) if header(block, "Final-Recipient") or header(block, "Status")]
    failed = next((block for block in blocks if header(block, "Action").lower().startswith("failed")), None)
    block = failed or next(iter(blocks), None)
    if block is None:
        return replace(told, kind="bounce", verdict="unknown")
    action = header(block, "Action").lower()
    said = f"{header(block, 'Diagnostic-Code')} {header(block, 'Status').partition(' ')[2]}"
    status = status_in(said, instead_of=status_in(header(block, "Status")))
    about = replace(told, status=status, recipient=_recipient_in(block))
    if action.startswith("delayed"):
        return replace(about, kind="delay", verdict="soft")
    if action.startswith(("delivered", "relayed", "expanded")):
        return replace(about, kind="notice")
    return replace(about, kind="bounce", verdict=verdict_of(status, said))


def _recipient_in(block: Mail) -> str | None:
    """Return the address a report gives (``rfc822; an@example.org``), the original one where it knows it."""
    for name in ("Original-Recipient", "Final-Recipient"):
        found = address_in(header(block, name).rpartition(";")[2])
        if found:
            return found
    return None


def _is_text_bounce(mail: Mail, told: Returned) -> bool:
    if header(mail, "X-Failed-Recipients") or _TEXT_BOUNCE.search(told.text[:600]):
        return True
    is_from_daemon = bool(_DAEMON.match(told.sender)) or header(mail, "Return-Path") == "<>"
    return is_from_daemon and bool(_BOUNCE_SUBJECT.search(told.subject))


def _text_bounce(mail: Mail, told: Returned) -> Returned:
    said = text_of(mail, limit=4000)
    status, failed = status_in(said), address_in(header(mail, "X-Failed-Recipients").partition(",")[0])
    about = replace(told, named=f"{told.named} {said}"[:NAMED_MAX], status=status, recipient=failed or None)
    if _STILL_TRYING.search(told.subject):
        return replace(about, kind="delay", verdict="soft")
    return replace(about, kind="bounce", verdict=verdict_of(status, said))


def _is_automatic(mail: Mail, subject: str) -> bool:
    """Whether nobody wrote this: RFC 3834 section 5, and what was there before it."""
    submitted = header(mail, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if any(
        header(mail, name) for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response-Suppress")
    ):
        return True
    if header(mail, "Precedence").lower() in ("auto_reply", "auto-reply", "bulk", "junk", "list"):
        return True
    return header(mail, "Return-Path") == "<>" or bool(_AUTOMATIC_SUBJECT.match(subject))


def _named(mail: Mail) -> str:
    """Return every text that may hold the number of one of our mails: where it was sent to, and what it answers or
    encloses."""
    texts = list(headers_of(mail, _CARRY_A_NUMBER))
    both = (*_CARRY_A_NUMBER, *_OF_OUR_MAIL)
    for part in parts_of(mail)[1:]:
        kind, inside = part.get_content_type(), part.get_payload()
        texts += headers_of(part, both)
        if kind in ("text/rfc822-headers", "message/rfc822-headers") and isinstance(inside, str):
            texts.append(inside)
        elif kind in (*_REPORTS, "message/feedback-report"):
            texts += [value for block in blocks_of(part) for value in headers_of(block, both)]
    return " ".join(texts)[:NAMED_MAX]
