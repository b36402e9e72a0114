"""Random houses and random rules about them, for the property tests: small vocabularies, so that things meet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.segments.evaluator import Activity, Contact, Enrolment, Mail, Participation, Pass, World

Json = dict[str, Any]

GENRES = ["Dans", "circus", "Théâtre", "opéra, opérette", "null"]
SERIES = ["Abo A", "abo b"]
VENUES = ["Grote Zaal", "kelder"]
KINDS = ["performance", "workshop", "loan"]
AUDIENCES = ["families", "Scholen"]
CHANNELS = ["web", "Counter"]
SOURCES = ["pretix", "Csv"]
STATUSES = ["booked", "attended", "cancelled", "refunded", "pending"]
TAGS = ["VIP", "pers", 'met "komma", en']
NAMES = ["An", "an ", "Éva", "Jan-Piet", "zoë", "10", "9"]
POSTCODES = ["9000", "9050", "1012 AB", "2000"]
ZONES = ["Europe/Brussels", "America/St_Johns", "Pacific/Apia", "UTC"]
DAYS = [
    date(2026, 11, 20), date(2024, 2, 29), date(2025, 2, 28), date(2025, 3, 31), date(2025, 12, 31), date(2026, 1, 1),
    date(2026, 3, 29), date(2026, 10, 25), date(2025, 3, 1),
]  # fmt: skip
DURATIONS = [
    "-P48M", "-P18M", "-P1Y", "-P6M", "-P1M", "-P1M1D", "-P2W", "-P7D", "-P1D", "P0D", "P1D", "P7D", "P1M", "P1Y2M",
]  # fmt: skip
FIXED_DAYS = ["2024-02-29", "2025-03-31", "2025-09-01", "2026-11-20", "2027-01-01"]
PHONES = ["+32470123456", "0470 12 34 56", "0032 (0)470 12.34.56", "+31 20 123 45 67", "112"]
STREETS = ["Kerkstraat 12", "kerkstraat  12", "Kerkstraat 12 bus 3", "Kerkstraat 14", "Kerkstraat"]
PROGRAMMES = ["uitpas", "museumpas"]
JOURNEYS = [1, 2]
MAILINGS = [7, 8]
CAMPAIGNS = ["Zomer", "zomer ", "Winter"]
ATTRIBUTES = ["score", "since", "memo"]
LISTS: list[list[Any]] = [[], ["Abc", "10"], ["dans", None, ""], [9, "abc"], [True]]
ATTRIBUTE_VALUES = [5, 5.5, 10, -3, "10", "9", "Abc", " abc ", "", "2024-02-29", "2025-03-01", "2025-02-30", True, None]


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def some(values: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


# --- data -------------------------------------------------------------------------------------------------------------


def instants(day: date) -> st.SearchStrategy[datetime]:
    """Instants near ``day``, mostly near the edges of windows and around midnight."""
    anchors = [0, 1, -1, 7, -7, -14, 28, -28, -30, -31, 31, -181, -184, -365, -366, -548, -1461, 400]
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    return st.builds(
        lambda days, hours, minutes: noon + timedelta(days=days, hours=hours, minutes=minutes),
        st.sampled_from(anchors) | st.integers(-1500, 500),
        st.integers(-24, 24),
        st.sampled_from([0, 29, 30, 31, 59]),
    )


@st.composite
def activities(draw: st.DrawFn, day: date) -> list[Activity]:
    count = draw(st.integers(1, 4))
    return [
        Activity(
            id=number + 1,
            kind=draw(st.sampled_from(KINDS)),
            genres=tuple(draw(st.lists(st.sampled_from(GENRES), max_size=2, unique=True))),
            series=draw(maybe(st.sampled_from(SERIES))),
            venue=draw(maybe(st.sampled_from(VENUES))),
            audiences=tuple(draw(st.lists(st.sampled_from(AUDIENCES), max_size=2, unique=True))),
            starts_at=draw(maybe(instants(day))),
        )
        for number in range(count)
    ]


@st.composite
def contacts(draw: st.DrawFn, number: int, day: date, on_offer: list[Activity]) -> Contact:
    email = draw(maybe(st.sampled_from([f"p{number}@example.org", f"P{number}@Sub.Example.ORG"])))
    fields = {
        "given_name": draw(maybe(st.sampled_from(NAMES))),
        "family_name": draw(maybe(st.sampled_from(NAMES))),
        "email": email,
        "language": draw(maybe(st.sampled_from(["nl", "FR"]))),
        "postcode": draw(maybe(st.sampled_from(POSTCODES))),
        "phone": draw(maybe(st.sampled_from(PHONES))),
        "street": draw(maybe(st.sampled_from(STREETS))),
        "source": draw(st.sampled_from(SOURCES)),
        "birth_date": draw(
            maybe(st.sampled_from([date(2000, 2, 29), date(1960, 2, 28), date(1999, 12, 31), day, date(2004, 3, 1)]))
        ),
    }
    # A child needs a guardian's confirmation, which these worlds do not have.
    is_allowed = email is not None and fields["birth_date"] != day and draw(st.booleans())
    return Contact(
        id=number,
        created_at=draw(instants(day)),
        state=draw(st.sampled_from(["living"] * 6 + ["erased"])),
        fields=fields,
        attributes=draw(
            st.dictionaries(
                st.sampled_from(ATTRIBUTES), st.sampled_from(ATTRIBUTE_VALUES) | st.sampled_from(LISTS), max_size=3
            )
        ),
        tags=tuple(draw(st.lists(st.sampled_from(TAGS), max_size=2, unique=True))),
        allowed=frozenset({("email", "newsletter")} if is_allowed else ()),
        participations=tuple(draw(st.lists(participations(day, on_offer), max_size=6))),
        mails=tuple(draw(st.lists(mails(day), max_size=4))),
        passes=tuple(draw(st.lists(passes(day), max_size=2))),
        enrolments=tuple(draw(st.lists(enrolments(day), max_size=2))),
        mailbox=draw(st.sampled_from(["unknown", "working", "soft_bouncing", "bouncing"])),
    )


def mails(day: date) -> st.SearchStrategy[Mail]:
    return st.builds(
        Mail,
        event=st.sampled_from(["delivered", "opened", "clicked", "bounced"]),
        occurred_at=instants(day),
        mailing=maybe(st.sampled_from(MAILINGS)),
        campaign=maybe(st.sampled_from(CAMPAIGNS)),
        is_machine=st.sampled_from([False, False, True]),
    )


def days_near(day: date) -> st.SearchStrategy[date]:
    return st.sampled_from([-400, -31, -28, -7, -1, 0, 1, 7, 28, 30, 31]).map(lambda ago: day + timedelta(days=ago))


@st.composite
def passes(draw: st.DrawFn, day: date) -> Pass:
    begins, ends = draw(maybe(days_near(day))), draw(maybe(days_near(day)))
    if begins and ends and begins > ends:
        begins, ends = ends, begins
    return Pass(
        programme=draw(st.sampled_from(PROGRAMMES)),
        status=draw(st.sampled_from(["valid", "valid", "stopped"])),
        valid_from=begins,
        expires_on=ends,
        points=draw(maybe(st.sampled_from([0, 1, 10]))),
    )


@st.composite
def enrolments(draw: st.DrawFn, day: date) -> Enrolment:
    entered, left = sorted((draw(days_near(day)), draw(days_near(day))))
    state = draw(st.sampled_from(["active", "completed", "exited"]))
    return Enrolment(draw(st.sampled_from(JOURNEYS)), state, entered, None if state == "active" else left)


@st.composite
def closures(draw: st.DrawFn, day: date) -> tuple[tuple[date, date], ...]:
    """Up to three closed periods, around the day and its windows; they may overlap or touch."""
    starts = draw(st.lists(st.sampled_from([-760, -400, -390, -181, -31, -30, -8, -3, 0, 5]), max_size=3))
    lengths = [draw(st.sampled_from([0, 1, 6, 9, 60])) for _ in starts]
    return tuple(
        (day + timedelta(days=start), day + timedelta(days=start + length))
        for start, length in zip(starts, lengths, strict=True)
    )


@st.composite
def participations(draw: st.DrawFn, day: date, on_offer: list[Activity]) -> Participation:
    return Participation(
        activity=draw(st.sampled_from(on_offer)),
        booked_at=draw(instants(day)),
        attended_at=draw(maybe(instants(day))),
        source=draw(st.sampled_from(SOURCES)),
        status=draw(st.sampled_from(STATUSES)),
        quantity=draw(st.integers(0, 4)),
        amount=draw(maybe(st.sampled_from([Decimal("0.00"), Decimal("12.50"), Decimal("20.00"), Decimal("-5.00")]))),
        channel=draw(maybe(st.sampled_from(CHANNELS))),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    day = draw(st.sampled_from(DAYS) | st.dates(date(2023, 1, 1), date(2027, 12, 31)))
    on_offer = draw(activities(day))
    people = tuple(draw(contacts(number + 1, day, on_offer)) for number in range(draw(st.integers(1, 6))))
    segments: dict[int, Json] = {1: draw(rules(depth=1, segments=()))}
    segments[2] = draw(rules(depth=1, segments=(1,)))
    return World(people, day, ZoneInfo(draw(st.sampled_from(ZONES))), segments, draw(closures(day)))


# --- rules ------------------------------------------------------------------------------------------------------------


def windows() -> st.SearchStrategy[list[str | None]]:
    side = maybe(st.sampled_from([*DURATIONS, *FIXED_DAYS]))
    return st.lists(side, min_size=2, max_size=2)


@st.composite
def ranges(draw: st.DrawFn, values: list[float]) -> list[float | None]:
    low, high = draw(maybe(st.sampled_from(values))), draw(maybe(st.sampled_from(values)))
    return [high, low] if low is not None and high is not None and low > high else [low, high]


def wheres(max_keys: int = 3) -> st.SearchStrategy[Json]:
    keys: dict[str, st.SearchStrategy[Any]] = {
        "activities": some([1, 2, "3", 99]),
        "series": some([*SERIES, "ABO A"]),
        "genres": some([*GENRES, "DANS", "zang"]),
        "venues": some([*VENUES, "GROTE zaal "]),
        "kinds": some(KINDS),
        "audiences": some([*AUDIENCES, "FAMILIES"]),
        "channels": some([*CHANNELS, "phone"]),
        "sources": some(SOURCES),
        "statuses": some(STATUSES),
        "price_between": ranges([-5, 0, 12.5, 20]),
        "quantity_between": ranges([0, 1, 2, 4]),
        "weekdays": some([1, 2, 3, 4, 5, 6, 7]),
        "lead_days_between": ranges([-30, 0, 1, 2, 30]),
    }
    chosen = st.lists(st.sampled_from(sorted(keys)), max_size=max_keys, unique=True)
    several = chosen.flatmap(lambda names: st.fixed_dictionaries({name: keys[name] for name in names}))
    # What the packed history of a contact can answer by itself would be rare among these.
    one_genre = st.sampled_from([*GENRES, "DANS"]).map(lambda genre: {"genres": [genre]})
    days = st.fixed_dictionaries({}, optional={name: keys[name] for name in ("weekdays", "lead_days_between")})
    return st.one_of(several, one_genre, days)


@st.composite
def over_participations(draw: st.DrawFn, kind: str) -> Json:
    rule: Json = {"type": kind}
    if draw(st.booleans()):
        rule["between"] = draw(windows())
        if draw(st.integers(0, 3)) == 0:
            rule["skip_closed"] = True
    if draw(st.booleans()):
        rule["date"] = draw(st.sampled_from(["activity", "booking"]))
    if draw(st.booleans()):
        rule["where"] = draw(wheres())
    return rule


@st.composite
def bounds(draw: st.DrawFn, values: list[float]) -> Json:
    low, high = draw(ranges(values))
    given = {"at_least": low, "at_most": high}
    kept = {key: value for key, value in given.items() if value is not None}
    return kept or {"at_least": values[-1]}


@st.composite
def participation_rules(draw: st.DrawFn) -> Json:
    measure = draw(st.sampled_from(["count", "tickets", "spend", "activities", "genres", "venues", "days"]))
    limits = draw(bounds([-5, 0, 12.5, 32.5, 40]) if measure == "spend" else bounds([0, 1, 2, 3]))
    return {**draw(over_participations("participation")), "measure": measure, **limits}


@st.composite
def share_rules(draw: st.DrawFn) -> Json:
    rule = {**draw(over_participations("share")), "of": draw(wheres(2)), **draw(bounds([0, 0.25, 0.4, 0.5, 1]))}
    if draw(st.booleans()):
        rule["min_count"] = draw(st.integers(0, 3))
    return rule


@st.composite
def profile_rules(draw: st.DrawFn) -> Json:
    texts = {"given_name": NAMES, "family_name": NAMES, "language": ["NL", "fr"], "postcode": POSTCODES,
             "email": ["p1@EXAMPLE.org"], "email_domain": ["example.org", "sub.example.org"], "source": SOURCES,
             "gender": ["x"], "municipality": ["Gent"]}  # fmt: skip
    name = draw(
        st.sampled_from([*texts, "birth_date", "created_on", "age", *(f"attributes.{key}" for key in ATTRIBUTES)])
    )
    if name in texts:
        value: st.SearchStrategy[Any] = st.sampled_from([one for one in texts[name] if one.strip()])
    elif name == "age":
        value = st.sampled_from([24, 25, 26, 64])
    elif name in ("birth_date", "created_on"):
        value = st.sampled_from(["2000-02-29", "1960-02-28", "2024-02-29", "2026-11-20"])
    else:
        value = st.sampled_from([one for one in ATTRIBUTE_VALUES if one is not None and one != ""])
    ops = ["is", "is_not", "in", "not_in", "between", "known", "unknown"]
    if name not in ("birth_date", "created_on", "age"):
        ops += ["contains", "starts_with"]
    op = draw(st.sampled_from(ops))
    rule: Json = {"type": "profile", "field": name, "op": op}
    if op in ("known", "unknown"):
        return rule
    if op in ("contains", "starts_with"):
        value = st.sampled_from(["a", "An", "9", "example", "é"])
    elif op in ("in", "not_in"):
        value = st.lists(value, min_size=1, max_size=3)
    elif op == "between":
        value = st.lists(maybe(value), min_size=2, max_size=2)
    return {**rule, "value": draw(value)}


@st.composite
def engagement_rules(draw: st.DrawFn) -> Json:
    rule: Json = {
        "type": "engagement",
        "event": draw(st.sampled_from(["delivered", "opened", "clicked", "bounced"])),
        **draw(bounds([0, 1, 2])),
    }
    more = {
        "between": windows(),
        "skip_closed": st.just(True),
        "mailing": st.sampled_from([*MAILINGS, "7"]),
        "campaign": st.sampled_from(["ZOMER", "winter"]),
        "measure": st.just("count"),
    }
    for key in draw(st.lists(st.sampled_from(sorted(more)), max_size=2, unique=True)):
        rule[key] = draw(more[key])
    return rule


@st.composite
def pass_rules(draw: st.DrawFn) -> Json:
    standing = draw(st.sampled_from(["active", "expired", "none"]))
    rule: Json = {
        "type": "pass",
        "programme": draw(st.sampled_from(["uitpas", "UITPAS ", "museumpas"])),
        "is": standing,
    }
    if standing != "none" and draw(st.booleans()):
        rule["expires"] = draw(windows())
    if standing != "none" and draw(st.booleans()):
        rule["points_at_least"] = draw(st.sampled_from([0, 1, 5.5]))
    return rule


@st.composite
def likely_same_rules(draw: st.DrawFn, segments: tuple[int, ...]) -> Json:
    """What is asked of the other person has no condition of this kind in it but through a segment."""
    asked = draw(rules(depth=1, segments=segments, with_others=False))
    rule: Json = {"type": "likely_same", "rule": asked}
    return rule | draw(st.sampled_from([{}, {"who": "person"}, {"who": "household"}]))


def leaf_rules(segments: tuple[int, ...], *, with_others: bool = True) -> st.SearchStrategy[Json]:
    simple: list[st.SearchStrategy[Json]] = [
        participation_rules(),
        participation_rules(),
        over_participations("first_participation"),
        over_participations("last_participation"),
        share_rules(),
        profile_rules(),
        st.builds(
            lambda name, between: {"type": "anniversary", "field": name, "between": between},
            st.sampled_from(["birth_date", *(f"attributes.{key}" for key in ATTRIBUTES)]),
            windows(),
        ),
        st.builds(
            lambda channel, purpose, word: {"type": "permission", "channel": channel, "purpose": purpose, "is": word},
            st.sampled_from(["email", "post"]),
            st.sampled_from(["newsletter", "survey"]),
            st.sampled_from(["allowed", "denied"]),
        ),
        engagement_rules(),
        pass_rules(),
        st.builds(
            lambda journey, word: {"type": "journey", "journey": journey, "is": word},
            st.sampled_from(JOURNEYS),
            st.sampled_from(["active", "completed", "never"]),
        ),
        st.builds(
            lambda word: {"type": "deliverability", "is": word},
            st.sampled_from(["unknown", "working", "soft_bouncing", "bouncing"]),
        ),
        st.builds(lambda tag: {"type": "tag", "tag": tag}, st.sampled_from(["vip", "PERS", 'met "komma", en'])),
        st.builds(
            lambda percent, seed: {"type": "sample", "percent": percent, "seed": seed},
            st.sampled_from([0, 10, 33.3, 50, 100]),
            st.sampled_from(["a", "Zomer é"]),
        ),
    ]
    if with_others:
        simple.append(likely_same_rules(segments))
    if segments:
        simple.append(
            st.builds(
                lambda segment, word: {"type": "segment", "segment": segment, "is": word},
                st.sampled_from(segments),
                st.sampled_from(["member", "not_member"]),
            )
        )
    return st.one_of(simple)


def rules(*, depth: int, segments: tuple[int, ...], with_others: bool = True) -> st.SearchStrategy[Json]:
    leaf = leaf_rules(segments, with_others=with_others)
    if depth == 0:
        return leaf
    inner = rules(depth=depth - 1, segments=segments, with_others=with_others)
    several = st.lists(inner, max_size=4)
    return (
        leaf
        | st.builds(lambda one: {"type": "all", "rules": one}, several)
        | st.builds(lambda one: {"type": "any", "rules": one}, several)
        | st.builds(lambda one: {"type": "not", "rule": one}, inner)
    )
