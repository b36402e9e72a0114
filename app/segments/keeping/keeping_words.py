"""Why a segment keeps its last people for now, in words for whoever looks at it."""

from __future__ import annotations

from app.segments.models import Segment
from app.segments.problems import N_, Message

NAMES_GONE = N_(
    "No activity is called %(names)s any more. The people stay as they were until you change the rule, or count again."
)
TOO_SLOW = N_("This rule takes too long to work out. The people stay as they were; we try again every ten minutes.")
CANNOT = N_(
    "This rule cannot be worked out. The people stay as they were. Open the rule, look at it, and save it again."
)


def kept_back(segment: Segment) -> list[Message]:
    """A sentence where the segment is not kept up to date now; nothing where it is."""
    state = segment.state
    match state.problem if state else None:
        case None:
            return []
        case "segment_names_gone":
            names = ", ".join(f"“{name}”" for name in (state.problem_about or ())) if state else ""
            return [Message(NAMES_GONE, names=names)]
        case "segment_too_slow":
            return [Message(TOO_SLOW)]
        case _:
            return [Message(CANNOT)]
