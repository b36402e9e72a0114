"""A whole report: the figures, what they prove, how they compare with earlier mailings, and what was said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.db import ScopedSession
from app.mailings.effect.ab_tests import Rule, rule_of, verdict_of
from app.mailings.effect.comparison import Comparison, compared
from app.mailings.effect.figures import Figures, share
from app.mailings.effect.keeping import Average, average_before, remark_of, report_of
from app.mailings.effect.models import MailingTest
from app.mailings.effect.results import measure
from app.mailings.models import Mailing
from app.mailings.problems import UnknownMailing

COMPARE_MAX = 5
DAYS_MAX = 365


@dataclass(frozen=True, slots=True)
class Report:
    """One mailing as its report shows it. ``comparison``: who was to get it against the control group."""

    mailing: Mailing
    figures: Figures
    comparison: Comparison
    average: Average | None
    rule: Rule | None
    test: MailingTest | None
    remark: str | None

    @property
    def click_rate(self) -> float | None:
        """Of those who let us see clicks, the share who clicked."""
        return share(self.figures.funnel.clicked, self.figures.funnel.measured)

    @property
    def booking_rate(self) -> float | None:
        """Of those who got it, the share who booked afterwards."""
        return share(self.figures.funnel.booked, self.figures.funnel.got)

    @property
    def amount_each(self) -> float | None:
        """What those who got it spent afterwards, each on average."""
        return share(self.figures.funnel.amount, self.figures.funnel.got)

    @property
    def stop_rate(self) -> float | None:
        """Of those who got it, the share who stopped because of it."""
        return share(self.figures.funnel.stopped, self.figures.funnel.got)


def read_report(session: ScopedSession, mailing_id: int, *, at: datetime, days: int | None = None) -> Report:
    """Return the report of a mailing; with ``days`` over another window than its own. Raises UnknownMailing."""
    mailing = session.get(Mailing, (session.organisation_id, mailing_id))
    if mailing is None:
        raise UnknownMailing(mailing_id)
    own = days is None or days == mailing.effect_days
    figures = report_of(session, mailing_id, at=at) if own else measure(session, mailing_id, at=at, days=days)
    held = remark_of(session, mailing_id)
    return Report(
        mailing,
        figures,
        comparison=compared(figures.treated, figures.control, is_watched=not figures.is_closed),
        average=average_before(session, mailing),
        rule=rule_of(mailing.ab_test),
        test=verdict_of(session, mailing_id),
        remark=held.remark if held else None,
    )


def read_reports(session: ScopedSession, mailing_ids: Sequence[int], *, at: datetime) -> list[Report]:
    """Return the reports of up to five mailings, in the order asked for; those that are not there are passed over."""
    found: list[Report] = []
    for mailing_id in dict.fromkeys(mailing_ids):
        if len(found) < COMPARE_MAX and session.get(Mailing, (session.organisation_id, mailing_id)) is not None:
            found.append(read_report(session, mailing_id, at=at))
    return found
