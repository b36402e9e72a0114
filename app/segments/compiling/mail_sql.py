"""What happened to mails, counted in one pass however many conditions look at it; what machines did is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts.models import MailEvent
from app.segments.compiling.aggregates import Reach, within_reach
from app.segments.language import rules
from app.segments.language.lowering import lowered

Condition = ColumnElement[bool]


class MailHistory:
    """A subquery with a row per contact with such events, and a count for each of ``wanted``.

    A contact without a row counts 0 everywhere. ``only`` narrows the scan to these contacts.
    """

    def __init__(
        self, wanted: Iterable[rules.Engagement], *, organisation_id: int, as_of: date, only: Reach | None
    ) -> None:
        self._leaves = list(dict.fromkeys(wanted))
        self._names = {leaf: f"e{number}" for number, leaf in enumerate(self._leaves)}
        self._e = MailEvent.__table__.alias("e")
        self._as_of = as_of
        self.subquery = self._build(organisation_id, only)

    def count(self, leaf: rules.Engagement) -> ColumnElement[int]:
        """How often it happened; NULL for contacts without a row."""
        return self.subquery.c[self._names[leaf]]

    def _build(self, organisation_id: int, only: Reach | None) -> sa.Subquery:
        e = self._e.c
        counts = [
            sa.func.count().filter(*self._filters(leaf)).label(self._names[leaf])
            if len(self._leaves) > 1
            else sa.func.count().label(self._names[leaf])
            for leaf in self._leaves
        ]
        events = list(dict.fromkeys(leaf.event for leaf in self._leaves))
        query = (
            sa.select(e.contact_id, *counts)
            .where(e.organisation_id == organisation_id, ~e.is_machine, e.event.in_(events))
            .group_by(e.contact_id)
        )
        if len(self._leaves) == 1:
            query = query.where(*self._filters(self._leaves[0]))
        if only is not None:
            query = query.where(within_reach(e.contact_id, only))
        return query.subquery("mail")

    def _filters(self, leaf: rules.Engagement) -> Iterator[Condition]:
        e = self._e.c
        if len(self._leaves) > 1:
            yield e.event == leaf.event
        days = leaf.window.around(self._as_of)
        if days.since is not None:
            yield e.occurred_on >= days.since
        if days.before is not None:
            yield e.occurred_on < days.before
        if leaf.mailing_id is not None:
            yield e.mailing_id == leaf.mailing_id
        if leaf.campaign is not None:
            yield _plain(e.campaign) == lowered(leaf.campaign)


def _plain(text: ColumnElement[Any]) -> ColumnElement[Any]:
    return sa.func.lower(sa.func.btrim(text))
