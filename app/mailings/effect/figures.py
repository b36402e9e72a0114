"""The figures of one mailing: plain records, and how they are kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from app.mailings.effect.proof import Side


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many people at each step. None of the steps down to ``accepted``, nor those from ``measured``, ever grows.

    ``meant`` are those it was planned for or left out; ``got`` are those whose mail left and did not come back;
    ``measured`` those of them who let us see clicks. ``booked`` and ``amount`` are of ``got``, in the window.
    """

    meant: int = 0
    left_out: int = 0
    planned: int = 0
    waiting: int = 0
    handed_over: int = 0
    accepted: int = 0
    uncertain: int = 0
    failed: int = 0
    cancelled: int = 0
    bounced: int = 0
    got: int = 0
    measured: int = 0
    clicked: int = 0
    open_measured: int = 0
    opened: int = 0
    booked: int = 0
    bookings: int = 0
    tickets: int = 0
    amount: float = 0.0
    stopped: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What was booked of one activity or series."""

    name: str
    people: int
    tickets: int
    amount: float
    activity_id: int | None = None
    starts_on: str | None = None

    @property
    def on(self) -> date | None:
        """The day of the activity."""
        return date.fromisoformat(self.starts_on) if self.starts_on else None


@dataclass(frozen=True, slots=True)
class Part:
    """One language, variant or segment of those who got it. ``code`` is its name, or the id of a segment."""

    code: str
    got: int
    measured: int
    clicked: int
    booked: int
    amount: float


@dataclass(frozen=True, slots=True)
class Moment:
    """An hour since the start (0 to 47), or a local date: people who clicked first then, and bookings made then."""

    at: str
    clicked: int
    bookings: int
    amount: float


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """A link and how many people followed it."""

    link_id: int
    url: str
    people: int


NOTHING, NOBODY = Funnel(), Side()


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is measured of a mailing, over ``days`` days since it went, as known at ``measured_at``.

    Not ``is_counted``: only how far sending is; what people did is being counted.
    """

    days: int
    measured_at: str
    started_at: str | None
    closes_at: str | None
    funnel: Funnel = NOTHING
    reasons: tuple[tuple[str, int], ...] = ()
    activities: tuple[Offer, ...] = ()
    series: tuple[Offer, ...] = ()
    languages: tuple[Part, ...] = ()
    variants: tuple[Part, ...] = ()
    segments: tuple[Part, ...] = ()
    hours: tuple[Moment, ...] = ()
    dates: tuple[Moment, ...] = ()
    links: tuple[LinkClicks, ...] = ()
    treated: Side = NOBODY
    control: Side = NOBODY
    others_in_window: int = 0
    is_counted: bool = True

    @property
    def is_closed(self) -> bool:
        """Whether the window is over, so that the figures stay what they are but for refunds."""
        return self.closes_at is not None and self.measured_at >= self.closes_at


_ROWS: Mapping[str, type[Any]] = {
    "activities": Offer,
    "series": Offer,
    "languages": Part,
    "variants": Part,
    "segments": Part,
    "hours": Moment,
    "dates": Moment,
    "links": LinkClicks,
}
_RECORDS: Mapping[str, type[Any]] = {"funnel": Funnel, "treated": Side, "control": Side}


def as_json(figures: Figures) -> dict[str, Any]:
    """Return the figures as they are kept and answered."""
    return asdict(figures)


def from_json(kept: Mapping[str, Any]) -> Figures:
    """Return kept figures; what a version before this one did not know is as if there were none."""
    read: dict[str, Any] = {name: kept[name] for name in ("days", "measured_at", "started_at", "closes_at")}
    read["others_in_window"] = kept.get("others_in_window", 0)
    read["reasons"] = tuple((str(code), int(people)) for code, people in kept.get("reasons", ()))
    read |= {name: _record(kind, kept.get(name, {})) for name, kind in _RECORDS.items()}
    read |= {name: tuple(_record(kind, each) for each in kept.get(name, ())) for name, kind in _ROWS.items()}
    return Figures(**read)


def _record(kind: type[Any], kept: Mapping[str, Any]) -> Any:
    known = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in kept.items() if name in known})


def written(at: datetime | None) -> str | None:
    """Return an instant as figures hold it: in UTC, so that two compare as text."""
    return None if at is None else at.isoformat(timespec="seconds")


def share(part: float, whole: float) -> float | None:
    """Return a part as a share, or None where there is no whole to have a share of."""
    return part / whole if whole else None


def every_hour(found: Mapping[int, tuple[int, int, float]], hours: int) -> tuple[Moment, ...]:
    """Return a moment for every hour, also where nothing happened."""
    return tuple(Moment(str(hour), *found.get(hour, (0, 0, 0.0))) for hour in range(hours))


def every_day(found: Mapping[date, tuple[int, int, float]], dates: Sequence[date]) -> tuple[Moment, ...]:
    """Return a moment for every local date, also where nothing happened."""
    return tuple(Moment(day.isoformat(), *found.get(day, (0, 0, 0.0))) for day in dates)
