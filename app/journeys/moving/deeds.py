"""What steps do in the world: mails planned, tags given, fields set, audiences changed, colleagues and systems told.

Each deed is for many people at once, in the transaction in which they are moved. Nothing is spoken to an outside system
here: a mail is a planned delivery (whether it goes is decided by the gate when it is claimed), a webhook a row that its
own heartbeat delivers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import assert_never
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.accounts.letters import request_letter
from app.accounts.organisations import current_organisation
from app.audiences.by_hand import put_in_audience
from app.contacts.tagging import change_tags, held_for_change, set_attribute
from app.db import ScopedSession, array_text
from app.journeys import definition as nodes
from app.journeys.moving.walkers import Walker, ids_of
from app.journeys.spans import instant_of
from app.keyring import Keyring
from app.mailings.mailings import is_marketing
from app.mailings.planning import plan_journey_mails

Deed = nodes.Send | nodes.Tag | nodes.SetField | nodes.ChangeAudience | nodes.Notify | nodes.CallWebhook

_CALL = text(
    "INSERT INTO journey_call (organisation_id, journey_id, enrolment_id, step_id, contact_id, url, call_key,"
    " next_try_at, made_at) SELECT :organisation_id, :journey_id, given.enrolment_id, :step_id, given.contact_id, :url,"
    " given.call_key, :at, :at FROM unnest(CAST(:ids AS bigint[]), CAST(:contacts AS bigint[]), CAST(:keys AS text[]))"
    " AS given (enrolment_id, contact_id, call_key) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class Deeds:
    """The deeds of one journey. ``is_about_bookings``: what somebody booked is why they may be mailed."""

    keyring: Keyring
    journey_id: int
    purpose: str
    quiet: nodes.Quiet | None
    zone: ZoneInfo
    is_about_bookings: bool = False

    def free_to_change(self, session: ScopedSession, step: Deed, walkers: Sequence[Walker]) -> set[int]:
        """Whose row may be changed by this step now, and stays so; who is being merged or erased waits a moment."""
        if isinstance(step, nodes.Tag | nodes.SetField | nodes.ChangeAudience):
            return held_for_change(session, ids_of(walkers))
        return set(ids_of(walkers))

    def do(self, session: ScopedSession, step: Deed, walkers: Sequence[Walker], *, at: datetime) -> None:
        """Do what the step says, for people for whom it was not done before."""
        match step:
            case nodes.Send():
                self._send(session, step, walkers, at=at)
            case nodes.Tag(add=add, remove=remove):
                change_tags(session, ids_of(walkers), add=add, remove=remove, at=at)
            case nodes.SetField(value=value):
                set_attribute(session, ids_of(walkers), key=step.attribute, value=_as_json(value), at=at)
            case nodes.ChangeAudience(audience_id=audience_id, do=do):
                put_in_audience(session, audience_id, ids_of(walkers), is_in=do == "add", journey_id=self.journey_id)
            case nodes.Notify():
                self._notify(session, step, walkers)
            case nodes.CallWebhook():
                self._call(session, step, walkers, at=at)
            case _:
                assert_never(step)

    def _send(self, session: ScopedSession, step: nodes.Send, walkers: Sequence[Walker], *, at: datetime) -> None:
        not_before = self._not_before(session, at)
        for as_draft in (False, True):
            rows = [(one.id, one.contact_id) for one in walkers if one.is_rehearsal is as_draft]
            if rows:
                plan_journey_mails(
                    session,
                    mailing_id=step.mailing_id,
                    step_id=step.id,
                    rows=rows,
                    as_draft=as_draft,
                    not_before=not_before,
                )

    def _not_before(self, session: ScopedSession, at: datetime) -> datetime | None:
        """When the quiet hours of the journey end, for marketing that falls in them."""
        if self.quiet is None or not is_marketing(session, self.purpose):
            return None
        return quiet_until(self.quiet, at, self.zone)

    def _notify(self, session: ScopedSession, step: nodes.Notify, walkers: Sequence[Walker]) -> None:
        """One letter for all who came together: it leads to the person, or to the journey, and names nobody."""
        came = ",".join(str(one) for one in sorted(walker.id for walker in walkers))
        only = walkers[0].contact_id if len(walkers) == 1 else None
        request_letter(
            session,
            self.keyring,
            kind="journey_note",
            to_address=step.to,
            language=current_organisation(session).language,
            facts={
                "note": step.text,
                "people": len(walkers),
                "path": f"/contacts/{only}" if only is not None else f"/journeys/{self.journey_id}",
            },
            about=sha256(f"{self.journey_id}:{step.id}:{came}".encode()).hexdigest(),
        )

    def _call(
        self, session: ScopedSession, step: nodes.CallWebhook, walkers: Sequence[Walker], *, at: datetime
    ) -> None:
        keys = (sha256(f"{session.organisation_id}:{one.id}:{step.id}".encode()).hexdigest()[:32] for one in walkers)
        session.execute(
            _CALL,
            {
                "organisation_id": session.organisation_id,
                "journey_id": self.journey_id,
                "step_id": step.id,
                "url": step.url,
                "at": at,
                "ids": array_text(one.id for one in walkers),
                "contacts": array_text(one.contact_id for one in walkers),
                "keys": array_text(f"msg_{key}" for key in keys),
            },
        )


def _as_json(value: nodes.Value) -> str | int | float | bool | None:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def quiet_until(quiet: nodes.Quiet, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours in which ``at`` falls end; ``None`` where it is not quiet then."""
    local = at.astimezone(zone)
    if not quiet.holds(local.time()):
        return None
    ends = instant_of(local.date(), quiet.until, zone)
    return ends if ends > at else instant_of(local.date() + timedelta(days=1), quiet.until, zone).astimezone(UTC)
