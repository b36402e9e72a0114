"""Segments that blocks are for: a mailing that names one keeps it from being removed, and is not sent without it."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from app.db import ScopedSession
from app.mailings.composing.content import MailContent, conditions_of
from app.segments.models import Segment
from app.segments.problems import SegmentMissingError

# A mail that left is looked at for years, so the frozen words count as well as those that are being written. Whoever
# removes a segment at this moment waits for us, or has removed it already.
_NOTE = """
WITH written AS (
    SELECT content FROM mailing WHERE organisation_id = :organisation_id AND id = :mailing_id
     UNION ALL
    SELECT content FROM mailing_version WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id
), asked AS (
    SELECT CAST(substr(field #>> '{}', 9) AS bigint) AS segment_id
      FROM written CROSS JOIN jsonb_path_query(
           content,
           '$.variants.texts.*.blocks.**.only_if.field ? (@ like_regex "^segment[.][1-9][0-9]{0,17}$")') AS field
), there AS (
    SELECT id FROM segment WHERE organisation_id = :organisation_id AND id IN (SELECT segment_id FROM asked)
       FOR KEY SHARE
)
INSERT INTO mailing_segment (organisation_id, mailing_id, segment_id, part)
SELECT :organisation_id, :mailing_id, id, 'block' FROM there
    ON CONFLICT DO NOTHING
"""


def note_block_segments(session: ScopedSession, mailing_id: int) -> None:
    """Write down which segments the blocks of a mailing ask, so that none of them is removed meanwhile."""
    known = {"organisation_id": session.organisation_id, "mailing_id": mailing_id}
    session.flush()
    session.execute(
        sa.text(
            "DELETE FROM mailing_segment"
            " WHERE organisation_id = :organisation_id AND mailing_id = :mailing_id AND part = 'block'"
        ),
        known,
    )
    session.execute(sa.text(_NOTE), known)


def asked_segments(content: MailContent) -> set[int]:
    """Return the segments that blocks of a content are for or not for."""
    texts = (text for variant in content.variants for text in variant.texts.values())
    asked = (each.segment_id for text in texts for each in conditions_of(text))
    return {each for each in asked if each is not None}


def those_there(session: ScopedSession, segment_ids: Collection[int]) -> set[int]:
    """Return which of these segments there are."""
    return set(session.scalars(sa.select(Segment.id).where(Segment.id.in_(segment_ids)))) if segment_ids else set()


def refuse_gone(session: ScopedSession, content: MailContent) -> None:
    """Raise SegmentMissingError where a block is for a segment that is gone: nobody says who would see it."""
    asked = asked_segments(content)
    gone = asked - those_there(session, asked)
    if gone:
        raise SegmentMissingError(min(gone))
