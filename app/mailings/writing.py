"""Writing mailings: a mail is built once per version, variant and language, and filled for each person of a batch.

What differs per person (fields, links, the way out) is read for the whole batch at once. Where blocks are for some
people only, a mail is built once for each combination of them that occurs, up to ``COMBINATIONS_MAX``. Where a person's
words do not fit the skeleton (a text that differs from person to person, an address of other letters), their mail is
built by itself. A text that fails for one person stops that person's mail, and no other.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, any_, select

from app import clock
from app.consent.subjects import identity, ids
from app.consent.tokens import Claims, make_token
from app.db import ScopedSession
from app.mailings.composing.conditions import Condition
from app.mailings.composing.fields import Row, read_fields
from app.mailings.composing.mail_template import MailTemplate
from app.mailings.composing.problems import BracesError, ComposingError
from app.mailings.composing.rendering import template_of
from app.mailings.composing.viewing import view_url
from app.mailings.deliveries import Reserved, release
from app.mailings.mail_settings import Sender
from app.mailings.mailings import find_mailing, held_mailing, is_marketing, version_content
from app.mailings.mime import Content, Unwritable, envelope_sender, message_of, one_click_headers, unsubscribe_mail
from app.mailings.outgoing import Refused, Written
from app.mailings.return_paths import delivery_number
from app.mailings.skeleton import Skeleton, filled, hole, skeleton_of
from app.mailings.tracking.links import Link, following_of, link_words, links_of, with_pixel
from app.runtime import Runtime
from app.segments.problems import SegmentError, SegmentMissingError
from integrations.esp.smtp import Envelope

# The words of a version never change; the logo, colours and addresses of the house around them may.
KEPT_S, KEPT_MAX = 300.0, 64
COMBINATIONS_MAX = 64
# How long mails of a journey wait that ask for a segment which cannot be worked out.
SEGMENT_AGAIN = timedelta(minutes=10)


class _Kind(NamedTuple):
    """What all mails of one template have in common."""

    mailing_id: int
    version: int
    variant: str | None
    language: str


@dataclass(frozen=True, slots=True)
class _Ready:
    """A template with its links and its skeletons: by what was answered to its conditions, and with a pixel or not."""

    template: MailTemplate
    conditions: Sequence[Condition]
    segments: Sequence[int]
    links: Sequence[Link]
    headers: Mapping[str, str]
    sender: Sender
    made_at_s: float
    skeletons: dict[tuple[bool, ...], Skeleton | None] = field(default_factory=dict)

    def skeleton_for(self, fields: Mapping[str, str], *, has_pixel: bool) -> Skeleton | None:
        """Return what the mail of a person with these fields is filled from; None where it is built by itself."""
        key = (has_pixel, *(condition.holds(fields) for condition in self.conditions))
        if key not in self.skeletons and len(self.skeletons) < 2 * COMBINATIONS_MAX:
            template = self.template.seen_by(fields)
            content = template.content(headers=self.headers) if template.is_simple else None
            if content is not None and has_pixel:
                content = _followed(content)
            self.skeletons[key] = None if content is None else skeleton_of(self.sender, content)
        return self.skeletons.get(key)


@dataclass(frozen=True, slots=True)
class _Person:
    """To whom: the primary address, and the keyed hash by which consent knows it."""

    address: str
    subject_key: bytes


def write_mailings(
    session: ScopedSession, runtime: Runtime, sender: Sender, reserved: Sequence[Reserved]
) -> list[Written | Refused]:
    """Write the mails of mailings, or say of each why it cannot be written.

    A mailing whose words cannot be read at all, or whose blocks are for a segment that cannot be worked out, waits, and
    its mails are not among the answers.
    """
    people = _people(session, reserved)
    batches: dict[_Kind, list[Reserved]] = {}
    results: list[Written | Refused] = []
    for each in reserved:
        if each.contact_id not in people:
            results.append(Refused(each, "no_address"))
        else:
            kind = _Kind(each.mailing_id or 0, each.mailing_version or 0, each.variant, each.language or "")
            batches.setdefault(kind, []).append(each)
    for kind, batch in batches.items():
        try:
            ready = _ready(session, runtime, sender, kind)
        except (ComposingError, KeyError):
            results += _stopped(session, kind, batch)
            continue
        try:
            results += _Batch(session, runtime, sender, ready).written(batch, people)
        except SegmentError as problem:
            _hold(session, kind, batch, problem)
    return results


class _Batch:
    """The mails of one template to some people."""

    def __init__(self, session: ScopedSession, runtime: Runtime, sender: Sender, ready: _Ready) -> None:
        self._session, self._runtime, self._sender, self._ready = session, runtime, sender, ready

    def written(self, batch: Sequence[Reserved], people: Mapping[int, _Person]) -> list[Written | Refused]:
        """Write them, one answer each."""
        session, ready = self._session, self._ready
        rows = [Row(each.id, each.contact_id or 0, each.enrolment_id, each.mailing_id) for each in batch]
        fields = read_fields(session, rows, language=ready.template.language, segments=ready.segments)
        following = following_of(session, self._runtime.keyring, base_url=self._sender.base_url)
        links = link_words(session, following, ready.links, batch)
        return [self._one(each, people[each.contact_id or 0], fields[each.id], links[each.id]) for each in batch]

    def _one(
        self, each: Reserved, person: _Person, fields: Mapping[str, str], links: Mapping[str, str]
    ) -> Written | Refused:
        number = delivery_number(self._runtime.keyring, self._sender.organisation_id, each.id)
        try:
            words = {**links, **self._ready.template.words_of(fields), **self._frame(each, person)}
            words["unsubscribe_mail"] = unsubscribe_mail(self._sender, number=number) or ""
            message, has_good_lines = self._message(person, words, fields, number)
        except (BracesError, KeyError):
            return Refused(each, "template_error")
        except Unwritable as problem:
            return Refused(each, problem.code)
        sender = envelope_sender(self._sender, number=number)
        envelope = Envelope(sender, person.address, message, has_good_lines)
        return Written(each, envelope, person.subject_key)

    def _message(
        self, person: _Person, words: Mapping[str, str], fields: Mapping[str, str], number: str
    ) -> tuple[bytes, bool]:
        """Return the mail, and whether its lines are known to be such as SMTP carries."""
        at, ready = clock.now(), self._ready
        skeleton = ready.skeleton_for(fields, has_pixel="pixel" in words)
        if skeleton is not None:
            made = skeleton.fill(words, to_address=person.address, number=number, at=at)
            if made is not None:
                return made, True
        content = ready.template.rendered(fields, headers=ready.headers)
        if "pixel" in words:
            content = _followed(content)
        built = message_of(self._sender, filled(content, words), to_address=person.address, number=number, at=at)
        return built, False

    def _frame(self, each: Reserved, person: _Person) -> dict[str, str]:
        """Return the links of every mail: the way out, the preferences, and the mail in the browser."""
        sender, keyring = self._sender, self._runtime.keyring

        def claims(kind: str) -> Claims:
            return Claims(
                kind="unsubscribe" if kind == "unsubscribe" else "preferences",
                organisation_id=sender.organisation_id,
                subject_key=person.subject_key,
                purpose=each.purpose if kind == "unsubscribe" else None,
            )

        shown = view_url(keyring, base_url=sender.base_url, organisation_id=sender.organisation_id, delivery_id=each.id)
        return {
            "unsubscribe_url": f"{sender.base_url}/u/{make_token(keyring, claims('unsubscribe'))}",
            "preferences_url": f"{sender.base_url}/p/{make_token(keyring, claims('preferences'))}",
            "view_url": shown,
        }


def _people(session: ScopedSession, reserved: Sequence[Reserved]) -> dict[int, _Person]:
    row = identity.c
    found = session.execute(
        select(row.contact_id, row.value, row.subject_key).where(
            row.organisation_id == session.organisation_id,
            row.contact_id == any_(ids(each.contact_id for each in reserved if each.contact_id is not None)),
            row.kind == "email",
            row.is_primary,
        )
    )
    return {contact_id: _Person(value, bytes(key)) for contact_id, value, key in found}


def _stopped(session: ScopedSession, kind: _Kind, batch: Sequence[Reserved]) -> list[Written | Refused]:
    """Have a campaign wait for a person whose words cannot be read; a mail of a journey is given up."""
    mailing = held_mailing(session, kind.mailing_id)
    if mailing.kind == "journey":
        return [Refused(each, "template_error") for each in batch]
    if mailing.state == "sending":
        mailing.state, mailing.paused_because = "paused", "content_invalid"
    return []


def _hold(session: ScopedSession, kind: _Kind, batch: Sequence[Reserved], problem: SegmentError) -> None:
    """Have mails wait of which nobody can say who sees what: a campaign for a person, a mail of a journey a while."""
    because = "block_segment_gone" if isinstance(problem, SegmentMissingError) else "block_segment"
    mailing = held_mailing(session, kind.mailing_id)
    if mailing.kind == "journey":
        release(session, batch, next_try_at=clock.now() + SEGMENT_AGAIN, problem_code=because)
    elif mailing.state == "sending":
        mailing.state, mailing.paused_because = "paused", because


# One for each engine, so that what was made from one database is never used with another.
_made: WeakKeyDictionary[Engine, OrderedDict[tuple[int, _Kind], _Ready]] = WeakKeyDictionary()
_lock = Lock()


def _ready(session: ScopedSession, runtime: Runtime, sender: Sender, kind: _Kind) -> _Ready:
    """Return what mails of this kind are made from, as it was made or made now."""
    key, now_s = (session.organisation_id, kind), time.monotonic()
    with _lock:
        made = _made.setdefault(runtime.engine, OrderedDict())
        ready = made.get(key)
        if ready is not None and ready.sender == sender and now_s - ready.made_at_s < KEPT_S:
            made.move_to_end(key)
            return ready
    ready = _make(session, runtime, sender, kind)
    if any(link.is_new for link in ready.links):
        return ready  # they are not committed yet, and may never be
    with _lock:
        made[key] = ready
        while len(made) > KEPT_MAX:
            made.popitem(last=False)
    return ready


def _make(session: ScopedSession, runtime: Runtime, sender: Sender, kind: _Kind) -> _Ready:
    """Build the template and its skeletons. Raises ComposingError or KeyError where the words cannot be read."""
    is_for_marketing = is_marketing(session, find_mailing(session, kind.mailing_id).purpose)
    template = template_of(
        session,
        runtime,
        version_content(session, kind.mailing_id, kind.version),
        variant=kind.variant,
        language=kind.language,
        is_service=not is_for_marketing,
    )
    links = links_of(
        session, mailing_id=kind.mailing_id, version=kind.version, urls=[link.url for link in template.links]
    )
    mail_to = hole("unsubscribe_mail") if unsubscribe_mail(sender, number="") else None
    headers = one_click_headers(hole("unsubscribe_url"), mail_to=mail_to) if is_for_marketing else {}
    return _Ready(
        template=template,
        conditions=template.conditions,
        segments=template.segments,
        links=links,
        headers=headers,
        sender=sender,
        made_at_s=time.monotonic(),
    )


def _followed(content: Content) -> Content:
    return Content(content.subject, content.text, with_pixel(content.html), content.headers)
