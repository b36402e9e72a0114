"""What can be wrong with an audience or a run. Ids and codes only, never an address.

AudienceError
├── UnknownAudience     no such audience in this house (or it was removed)
├── UnknownRun          no such run
├── InvalidAudience     ``errors`` maps a field to a code
├── NothingToConfirm    the run does not wait for anybody (any more)
├── AudienceInUse       running journeys put people in it; ``journeys`` are their names
├── NotThatState        the audience is in a state in which this cannot be done
├── LeaseLost           somebody else writes to this list now; the run stops at once
├── HeldBack            somebody paused or removed the audience while it ran
└── RunStopped          the run cannot go on, for ``code``; what it did stays true
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class AudienceError(Exception):
    """Something asked of an audience cannot be done."""


class UnknownAudience(AudienceError):
    """There is no such audience in this house."""


class UnknownRun(AudienceError):
    """There is no such run in this house."""


class InvalidAudience(AudienceError):
    """What was filled in cannot be used; ``errors`` says per field why, as a code."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {code}" for name, code in errors.items()))
        self.errors = dict(errors)


class NothingToConfirm(AudienceError):
    """The run does not wait for anybody; it was confirmed, dismissed or overtaken."""


class AudienceInUse(AudienceError):
    """Journeys that run put people in the audience, or take them out; ``journeys`` are their names."""

    def __init__(self, audience_id: int, journeys: Sequence[str]) -> None:
        super().__init__(f"audience {audience_id} is used by {len(journeys)} journeys")
        self.audience_id, self.journeys = audience_id, tuple(journeys)


class NotThatState(AudienceError):
    """The audience is in a state in which this cannot be done."""


class LeaseLost(AudienceError):
    """Somebody else writes to this list now; whoever holds the old lease must stop at once."""


class HeldBack(AudienceError):
    """Somebody paused or removed the audience while it ran; nobody more is pushed."""


class RunStopped(AudienceError):
    """The run cannot go on; ``code`` is a stable word that pages translate for people."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
