"""How fast mail leaves: a bucket of tokens for each receiving provider and one for the house's relay, in PostgreSQL.

All worker processes draw from the same buckets, and a restart forgets nothing. A mail that finds no token is told when
its turn is: turns are handed out one after the other, so that a large mailing is put aside once and not again and
again. A receiver that asks for patience (4xx to a mail) gets half as much; that doubles again every ten minutes.

No provider publishes how much it takes from a sender it hardly knows. The rates below are cautious for a house that
mails a few thousand people from an address that is known, and what a provider really thinks is found out by answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from app.db import ScopedSession, array_text
from app.mailings.models import Pace

RELAY = "relay"
# Mails a second, for each provider and for any other domain.
RATES: Mapping[str, float] = {
    "google": 20.0,
    "microsoft": 10.0,
    "yahoo": 5.0,
    "apple": 10.0,
    "telenet": 8.0,
    "proximus": 8.0,
    "orange": 5.0,
    "kpn": 8.0,
    "ziggo": 8.0,
}
OTHER_RATE = 5.0
BURST_S = 4.0
RATE_LEAST = 0.02
RECOVERS = timedelta(minutes=10)
# Fewer mails than this to one small domain in a batch cannot be too fast, and are not counted.
COUNTED_FROM = 5

_DOMAINS = {
    "google": "gmail.com googlemail.com",
    "microsoft": "hotmail.com hotmail.be hotmail.nl hotmail.fr outlook.com outlook.be outlook.fr live.com live.be"
    " live.nl live.fr msn.com",
    "yahoo": "yahoo.com yahoo.fr yahoo.co.uk ymail.com aol.com",
    "apple": "icloud.com me.com mac.com",
    "telenet": "telenet.be pandora.be",
    "proximus": "skynet.be proximus.be belgacom.net",
    "orange": "orange.fr wanadoo.fr orange.be voila.fr",
    "kpn": "kpnmail.nl planet.nl hetnet.nl kpnplanet.nl xs4all.nl",
    "ziggo": "ziggo.nl home.nl upcmail.nl casema.nl quicknet.nl chello.nl",
}
_RECEIVERS = {domain: name for name, domains in _DOMAINS.items() for domain in domains.split()}


@dataclass(slots=True)
class _Bucket:
    receiver: str
    rate: float
    burst: float
    tokens: float
    booked_until: datetime | None


def receiver_of(domain: str) -> str:
    """Return the name of the bucket a domain draws from: a provider's, or a hash of the domain."""
    folded = domain.lower()
    return _RECEIVERS.get(folded) or sha256(folded.encode()).hexdigest()[:16]


def take_turns(
    session: ScopedSession, wanted: Sequence[tuple[int, str]], *, at: datetime, relay_a_minute: int | None = None
) -> dict[int, datetime]:
    """Draw tokens for (delivery, receiving domain) pairs in their order; returns who must wait, and until when.

    Locks the buckets in the order of their names until the transaction ends; keep it short.
    """
    by_receiver: dict[str, list[int]] = defaultdict(list)
    for delivery_id, domain in wanted:
        by_receiver[receiver_of(domain)].append(delivery_id)
    waits: dict[int, datetime] = {}
    counted = {name: ids for name, ids in by_receiver.items() if name in RATES or len(ids) >= COUNTED_FROM}
    rates = {name: RATES.get(name, OTHER_RATE) for name in counted}
    if relay_a_minute is not None:
        rates[RELAY] = relay_a_minute / 60
    if not rates:
        return {}
    buckets = _held(session, rates, at)
    for name, ids in counted.items():
        waits |= _draw(buckets[name], ids, at)
    if relay_a_minute is not None:
        left = [delivery_id for delivery_id, _domain in wanted if delivery_id not in waits]
        waits |= _draw(buckets[RELAY], left, at)
    _keep(session, buckets.values(), at)
    return waits


def slow_down(session: ScopedSession, domains: Collection[str], *, at: datetime) -> None:
    """Halve the pace to the receivers of these domains, which asked for patience."""
    names = {receiver_of(domain) for domain in domains}
    if not names:
        return
    buckets = _held(session, {name: RATES.get(name, OTHER_RATE) for name in names}, at)
    session.execute(
        text(
            "UPDATE pace SET rate = given.rate, tokens = 0, filled_at = :at, slowed_at = :at"
            " FROM unnest(CAST(:names AS text[]), CAST(:rates AS float8[])) AS given (name, rate)"
            " WHERE pace.organisation_id = :organisation AND pace.receiver = given.name"
        ),
        {
            "at": at,
            "organisation": session.organisation_id,
            "names": array_text(buckets),
            "rates": array_text(max(bucket.rate / 2, RATE_LEAST) for bucket in buckets.values()),
        },
    )


def _held(session: ScopedSession, rates: Mapping[str, float], at: datetime) -> dict[str, _Bucket]:
    """Lock the buckets, making those that are missing, and fill them up to now."""
    found = _locked(session, rates)
    missing = sorted(rates.keys() - found.keys())
    if missing:
        rows = [
            {
                "organisation_id": session.organisation_id,
                "receiver": name,
                "rate": rates[name],
                "tokens": _burst(rates[name]),
                "filled_at": at,
            }
            for name in missing
        ]
        session.execute(insert(Pace).on_conflict_do_nothing(), rows)
        found = _locked(session, rates)
    return {name: _filled(row, rates[name], at) for name, row in found.items()}


def _locked(session: ScopedSession, rates: Mapping[str, float]) -> dict[str, Pace]:
    query = (
        select(Pace)
        .where(Pace.receiver.in_(list(rates)))
        .order_by(Pace.receiver)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.receiver: row for row in session.scalars(query)}


def _filled(row: Pace, usual: float, at: datetime) -> _Bucket:
    rate = usual
    if row.slowed_at is not None:
        rate = min(usual, row.rate * 2.0 ** min((at - row.slowed_at) / RECOVERS, 60.0))
    burst = _burst(rate)
    seconds = max((at - row.filled_at).total_seconds(), 0.0)
    return _Bucket(row.receiver, rate, burst, min(burst, row.tokens + seconds * rate), row.booked_until)


def _burst(rate: float) -> float:
    return max(1.0, rate * BURST_S)


def _draw(bucket: _Bucket, ids: Sequence[int], at: datetime) -> dict[int, datetime]:
    """Take a token for as many as there are; the others get a turn, each after the one before."""
    now = min(len(ids), int(bucket.tokens))
    bucket.tokens -= now
    if now == len(ids):
        return {}
    turn = max(bucket.booked_until or at, at)
    waits = {}
    for delivery_id in ids[now:]:
        turn += timedelta(seconds=1 / bucket.rate)
        waits[delivery_id] = turn
    bucket.booked_until = turn
    return waits


def _keep(session: ScopedSession, buckets: Collection[_Bucket], at: datetime) -> None:
    session.execute(
        text(
            "UPDATE pace SET tokens = given.tokens, filled_at = :at, booked_until = given.booked_until"
            " FROM unnest(CAST(:names AS text[]), CAST(:tokens AS float8[]), CAST(:booked AS timestamptz[]))"
            " AS given (name, tokens, booked_until)"
            " WHERE pace.organisation_id = :organisation AND pace.receiver = given.name"
        ),
        {
            "at": at,
            "organisation": session.organisation_id,
            "names": array_text(bucket.receiver for bucket in buckets),
            "tokens": array_text(bucket.tokens for bucket in buckets),
            "booked": array_text(bucket.booked_until for bucket in buckets),
        },
    )
