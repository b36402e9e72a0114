"""Why a step cannot be done now, though not because of the person: they stay where they are, and it is tried again."""

from __future__ import annotations

from datetime import timedelta

from app.audiences.problems import UnknownAudience
from app.mailings.problems import CannotSend, UnknownMailing
from app.segments.problems import SegmentCycleError, SegmentMissingError

TRY_AGAIN = timedelta(minutes=10)


class Held(Exception):
    """Everybody at a step must wait, for the reason ``code``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def held_by(problem: Exception) -> str:
    """The reason, as a code, that keeps people at a step when it raised ``problem``."""
    match problem:
        case UnknownMailing() | CannotSend():
            return "mailing_gone"
        case SegmentMissingError() | SegmentCycleError():
            return "segment_gone"
        case UnknownAudience():
            return "audience_gone"
        case _:
            return "step_failed"
