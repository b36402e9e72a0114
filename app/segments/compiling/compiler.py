"""Rules to SQL: total, as of a date, one statement, one pass over participation however many conditions there are.

A rule becomes one SELECT over the living contacts of an organisation, joined to the grouped history of participations
(``history.py``) and, for permission, to the gate's own view. Segments a rule refers to are put in by their rules first.
Nothing here reads or writes: the caller executes what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, assert_never

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from app.contacts.models import Contact
from app.segments.compiling.aggregates import (
    Candidates,
    Reach,
    reach_of,
    within_reach,
)
from app.segments.compiling.likeness_sql import Alike, came_since, columns_compared
from app.segments.compiling.mail_sql import MailHistory
from app.segments.compiling.participation_sql import ParticipationConditions, bounded, is_packed, needs_scan
from app.segments.compiling.permission_sql import select_permitted
from app.segments.compiling.profile_sql import Person, columns_of
from app.segments.compiling.scope import Scope
from app.segments.compiling.standing_sql import (
    stands_in_journey,
    stands_with_mailbox,
    stands_with_pass,
)
from app.segments.language import rules
from app.segments.models import AlikeVisit
from app.segments.problems import SegmentCycleError, SegmentMissingError

Condition = ColumnElement[bool]
Resolve = Callable[[int], rules.Rule | None]


def inline(rule: rules.Rule, resolve: Resolve, *, path: tuple[int, ...] = ()) -> rules.Rule:
    """``rule`` with every reference to a segment replaced by that segment's rule.

    ``path`` holds the segments being defined. Raises SegmentMissingError where ``resolve`` gives ``None``, and
    SegmentCycleError where a segment would refer to itself.
    """
    match rule:
        case rules.All(inner):
            return rules.All(tuple(inline(one, resolve, path=path) for one in inner))
        case rules.AnyOf(inner):
            return rules.AnyOf(tuple(inline(one, resolve, path=path) for one in inner))
        case rules.Not(one):
            return rules.Not(inline(one, resolve, path=path))
        case rules.InSegment(segment_id, is_member):
            if segment_id in path:
                raise SegmentCycleError((*path, segment_id))
            referred = resolve(segment_id)
            if referred is None:
                raise SegmentMissingError(segment_id)
            inlined = inline(referred, resolve, path=(*path, segment_id))
            return inlined if is_member else rules.Not(inlined)
        case rules.LikelySame(one, who):
            return rules.LikelySame(inline(one, resolve, path=path), who)
        case _:
            return rule


def select_members(
    rule: rules.Rule, scope: Scope, *, only: Candidates | None = None, also: tuple[str, ...] = ()
) -> sa.Select[Any]:
    """One SELECT of ``contact_id``: the living contacts for whom ``rule`` holds as of ``scope.as_of``.

    ``rule`` holds no references any more (``inline``). ``only`` evaluates it for these contacts alone: their ids, or a
    select of one column that gives them. ``also`` names columns of the contact to come along. No order.
    """
    compiled = _Compiled([rule], scope, reach=reach_of(only), has_only_members=True, also=also)
    columns = [compiled.contact.c.id.label("contact_id"), *(compiled.contact.c[name] for name in also)]
    return compiled.select(*columns).where(compiled.condition(rule))


def select_truths(
    wanted: Iterable[rules.Rule],
    scope: Scope,
    *,
    only: Candidates | None = None,
    of: rules.Rule | None = None,
    also: tuple[str, ...] = (),
) -> sa.Select[Any]:
    """One SELECT that answers many rules at once, reading every table once for all of them.

    A row for each living contact (of ``only``, as in ``select_members``): ``contact_id``, then the columns of the
    contact that ``also`` names, then a boolean for each of ``wanted`` in their order, ``holds_0``, ``holds_1`` and so
    on, never NULL. The rules hold no references any more. With ``of``, only people for whom that rule holds, who are
    found first. No order.
    """
    asked = list(wanted)
    if of is None or any(looks_beside(leaf, scope) for rule in asked for leaf in rules.leaves(rule)):
        compiled = _Compiled(asked, scope, reach=reach_of(only), of=of, also=also)
        first: tuple[Condition, ...] = ()
    else:
        # Nothing is read for the few that would not be read anyhow, and finding them first keeps other cores out.
        compiled = _Compiled([of, *asked], scope, reach=reach_of(only), has_only_members=True, also=also)
        first = (compiled.condition(of),)
    columns = [
        sa.func.coalesce(compiled.condition(rule), sa.false()).label(f"holds_{n}") for n, rule in enumerate(asked)
    ]
    people = compiled.contact.c
    return compiled.select(people.id.label("contact_id"), *(people[name] for name in also), *columns).where(*first)


def select_checks(checked: Iterable[rules.Rule], scope: Scope, *, contact_id: int) -> sa.Select[Any]:
    """``select_truths`` for one contact: at most one row."""
    return select_truths(checked, scope, only=[contact_id])


class _Compiled:
    """The joined tables for a set of rules, and the conditions over them.

    Conditions may be NULL where a contact has no history; as the rows of a WHERE that counts as false, and every denial
    is written so that it is never NULL. That lets the planner turn outer joins into inner ones.
    """

    def __init__(
        self,
        wanted: Iterable[rules.Rule],
        scope: Scope,
        *,
        reach: Reach | None,
        inside: str | None = None,
        has_only_members: bool = False,
        of: rules.Rule | None = None,
        also: tuple[str, ...] = (),
    ) -> None:
        """``inside`` names the condition on other people that these rules are asked in, if they are.

        ``has_only_members``: contacts for whom the first rule does not hold are of no interest. ``of``: nor is anybody
        for whom that rule does not hold. ``also`` are columns of the contact that are selected.
        """
        wanted = list(wanted)
        leaves = [leaf for rule in wanted for leaf in rules.leaves(rule)]
        self.scope = scope
        self.only = reach
        self.contact: sa.FromClause = Contact.__table__.alias("c")
        # What is known of everybody who was found first: that a leaf holds or does not, or where it was worked out.
        self.known: dict[rules.Leaf, ColumnElement[bool]] = {}
        settled = dict(_settled(wanted[0])) if has_only_members else {}
        narrow = [leaf for leaf, holds in settled.items() if holds and self._is_narrow(leaf)]
        reads_on = any(looks_beside(leaf, scope) for leaf in leaves)
        self.is_found = of is not None or bool(narrow and reach is None and inside is None and reads_on)
        looked_at = {"id", *also}.union(*(columns_of(leaf) for leaf in leaves))
        if of is not None:
            cheap = [leaf for leaf in dict.fromkeys(leaves) if not looks_beside(leaf, scope)]
            self.contact = self._found(of, looked_at, "core", known=cheap)
            self.known = {leaf: self.contact.c[f"known_{number}"] for number, leaf in enumerate(cheap)}
        elif self.is_found:
            near = {leaf: holds for leaf, holds in settled.items() if not looks_beside(leaf, scope)}
            self.contact = self._found(_all_of(near), looked_at, "near")
            self.known = {leaf: sa.true() if holds else sa.false() for leaf, holds in near.items()}
        self.person = Person(self.contact, scope.as_of, scope.time_zone)
        reach = sa.select(self.contact.c.id) if self.is_found else self.only
        self.participations = ParticipationConditions(
            (leaf for leaf in leaves if leaf not in self.known),
            organisation_id=scope.organisation_id,
            as_of=scope.as_of,
            only=reach,
            is_shared=len(wanted) > 1 and not has_only_members,
            has_history=any(is_packed(leaf, scope.as_of) for leaf in narrow if leaf not in self.known),
        )
        self.gates = {pair: self._gate(*pair, n) for n, pair in enumerate(dict.fromkeys(_asked(leaves)))}
        mails = [leaf for leaf in leaves if isinstance(leaf, rules.Engagement)]
        self.mail = (
            MailHistory(mails, organisation_id=scope.organisation_id, as_of=scope.as_of, only=reach) if mails else None
        )
        likely = dict.fromkeys(leaf for leaf in leaves if isinstance(leaf, rules.LikelySame))
        self.latest = {
            leaf: since
            for leaf in likely
            if scope.visits is not None and (since := came_since(leaf.rule, scope.as_of)) is not None
        }
        self.visits = AlikeVisit.__table__.alias("alike_visit") if self.latest else None
        asked, name = [leaf for leaf in likely if leaf not in self.latest], inside or "others"
        people = self.contact if self.is_found else None
        self.alike = dict(self._alike(asked, name, near=people, only=self.only))
        if self._changing:
            # Of these, what is stored need not be right: whoever is alike to them is found as for any other rule.
            known = list(self.latest)
            self.alike |= self._alike(known, f"{name}_changing", near=None, only=list(self._changing))

    def select(self, *columns: ColumnElement[Any]) -> sa.Select[Any]:
        """The columns for every living contact, with history and gates joined."""
        c = self.contact.c
        source = self.participations.join_to(self.contact, c.id)
        beside = [*self.gates.values(), *([self.mail.subquery] if self.mail is not None else [])]
        for each in beside:
            source = source.outerjoin(each, each.c.contact_id == c.id)
        if self.visits is not None:
            theirs = self.visits.c
            source = source.outerjoin(
                self.visits,
                sa.and_(theirs.organisation_id == self.scope.organisation_id, theirs.contact_id == c.id),
            )
        query = sa.select(*columns).select_from(source)
        if not self.is_found:
            query = query.where(*self._living(self.contact))
        if self.only is not None:
            query = query.where(within_reach(c.id, self.only))
        return query

    def condition(self, rule: rules.Rule, *, no: bool = False) -> Condition:
        """``rule`` (or its denial) as SQL; denials are drawn inwards, so that only leaves are ever denied."""
        match rule:
            case rules.Not(inner):
                return self.condition(inner, no=not no)
            case rules.All(inner_rules) | rules.AnyOf(inner_rules):
                parts = [self.condition(one, no=no) for one in inner_rules]
                is_all = isinstance(rule, rules.All) is not no
                return sa.and_(sa.true(), *parts) if is_all else sa.or_(sa.false(), *parts)
            case _:
                return self._leaf(rule, no=no)

    def _leaf(self, leaf: rules.Leaf, *, no: bool) -> Condition:
        if leaf in self.known:
            return sa.not_(self.known[leaf]) if no else self.known[leaf]
        match leaf:
            case rules.Participation() | rules.FirstParticipation() | rules.LastParticipation() | rules.Share():
                return self.participations.condition(leaf, no=no)
            case rules.Permission():
                gate = self.gates[leaf.channel, leaf.purpose]
                return gate.c.contact_id.is_not(None) if leaf.is_allowed is not no else gate.c.contact_id.is_(None)
            case rules.Engagement():
                return bounded(self._mails(leaf), leaf.bounds, no=no)
            case rules.Pass() | rules.InJourney() | rules.Deliverability() | rules.LikelySame():
                stands = self._stands(leaf)
                return sa.not_(stands) if no else stands
            case _:
                return _maybe_not(about_person(self.person, leaf), no=no)

    def _stands(self, leaf: rules.Pass | rules.InJourney | rules.Deliverability | rules.LikelySame) -> Condition:
        organisation_id, as_of = self.scope.organisation_id, self.scope.as_of
        match leaf:
            case rules.Pass():
                return stands_with_pass(self.contact, leaf, organisation_id=organisation_id, as_of=as_of)
            case rules.InJourney():
                return stands_in_journey(self.contact, leaf, organisation_id=organisation_id, as_of=as_of)
            case rules.Deliverability():
                return stands_with_mailbox(self.contact, leaf, organisation_id=organisation_id)
            case rules.LikelySame():
                return self._came_as_another(leaf) if leaf in self.latest else self.contact.c.id.in_(self.alike[leaf])

    def _came_as_another(self, leaf: rules.LikelySame) -> Condition:
        """Whether somebody alike came since a day, by what is stored of it; never NULL."""
        if self.visits is None:
            raise AssertionError("what is stored is joined wherever a condition looks at it")
        last_on = self.visits.c.person_on if leaf.who == "person" else self.visits.c.household_on
        came = sa.func.coalesce(last_on >= self.latest[leaf], sa.false())
        if leaf not in self.alike:
            return came
        contact_id = self.contact.c.id
        is_changing = contact_id == sa.any_(sa.literal(list(self._changing), sa.ARRAY(sa.BigInteger)))
        return sa.case((is_changing, contact_id.in_(self.alike[leaf])), else_=came)

    @property
    def _changing(self) -> tuple[int, ...]:
        return self.scope.visits.changing if self.scope.visits is not None else ()

    def _alike(
        self, likely: list[rules.LikelySame], name: str, *, near: sa.FromClause | None, only: Reach | None
    ) -> Iterator[tuple[rules.LikelySame, sa.CompoundSelect[int]]]:
        """For each leaf, the ids of who is alike to somebody that fulfils what is asked of likely-same people.

        Whoever fulfils the same is found once, be it for likely-same people or for households.
        """
        alike = Alike(organisation_id=self.scope.organisation_id, near=near, only=only)
        for number, asked in enumerate(dict.fromkeys(leaf.rule for leaf in likely)):
            kinds = dict.fromkeys(leaf.who for leaf in likely if leaf.rule == asked)
            fulfilling = self._fulfilling(asked, kinds, alike, f"{name}_{number}")
            for leaf in likely:
                if leaf.rule == asked:
                    yield leaf, alike.to(fulfilling, leaf.who)

    def _fulfilling(self, asked: rules.Rule, kinds: Iterable[str], alike: Alike, name: str) -> sa.CTE:
        """Whoever fulfils a rule, with what makes others alike to them."""
        few = alike.in_reach_of(list(kinds))
        theirs = None if few is None else sa.select(*few.cte(f"{name}_reach").c)
        others = _Compiled([asked], self.scope, reach=theirs, inside=name, has_only_members=True)
        compared = dict.fromkeys(column for who in kinds for column in columns_compared(who))
        columns = [others.contact.c[column] for column in ("id", *compared)]
        return others.select(*columns).where(others.condition(asked)).cte(name).prefix_with("MATERIALIZED")

    def _mails(self, leaf: rules.Engagement) -> ColumnElement[Any]:
        if self.mail is None:
            raise AssertionError("mails are counted wherever a condition looks at them")
        return self.mail.count(leaf)

    def _gate(self, channel: str, purpose: str, number: int) -> sa.Subquery:
        permitted = select_permitted(
            channel, purpose, organisation_id=self.scope.organisation_id, stored=self.scope.stored
        )
        query = permitted.with_only_columns(permitted.selected_columns.contact_id)
        if self.only is not None:
            # An outer join tells the planner nothing of whose permissions are within reach.
            query = query.where(within_reach(query.selected_columns.contact_id, self.only))
        return query.subquery(f"gate_{number}")

    def _living(self, contact: sa.FromClause) -> tuple[Condition, ...]:
        return contact.c.organisation_id == self.scope.organisation_id, contact.c.state == "living"

    def _found(
        self, rule: rules.Rule, looked_at: Collection[str], name: str, *, known: Sequence[rules.Leaf] = ()
    ) -> sa.FromClause:
        """The contacts whom a rule leaves, with the columns that leaves look at, and whether the ``known`` hold.

        Participations, the gate and what else must be read are then read for these contacts alone.
        """
        first = _Compiled([rule, *known], self.scope, reach=self.only, inside=name, has_only_members=True)
        columns: list[ColumnElement[Any]] = [column for column in first.contact.c if column.name in looked_at]
        columns += [
            sa.func.coalesce(first.condition(leaf), sa.false()).label(f"known_{number}")
            for number, leaf in enumerate(known)
        ]
        found = first.select(*columns).where(first.condition(rule))
        return found.cte(name).prefix_with("MATERIALIZED").alias("c")

    def _is_narrow(self, leaf: rules.Leaf) -> bool:
        """Whether a leaf that is answered by a contact's own rows can be expected to leave few contacts."""
        match leaf:
            case rules.Profile(op=op):
                return op in (rules.Op.IS, rules.Op.IN, rules.Op.STARTS_WITH, rules.Op.CONTAINS, rules.Op.BETWEEN)
            case rules.Sample(percent=percent):
                return percent <= Decimal(25)
            case rules.Anniversary() | rules.Tag():
                return True
            case rules.Participation(bounds=bounds):
                return bounds.at_least is not None and bounds.at_least > 0 and is_packed(leaf, self.scope.as_of)
            case _:
                return is_packed(leaf, self.scope.as_of)


def looks_beside(leaf: rules.Leaf, scope: Scope) -> bool:
    """Whether a leaf reads more than a contact's row, their packed history, and what is kept as small as these."""
    match leaf:
        case rules.Permission() | rules.Engagement() | rules.Pass() | rules.InJourney():
            return True
        case rules.Deliverability(standing):
            # An index knows those few.
            return standing != "bouncing"
        case rules.LikelySame(rule=asked):
            visits = scope.visits
            return visits is None or bool(visits.changing) or came_since(asked, scope.as_of) is None
        case _:
            return needs_scan(leaf, scope.as_of)


def about_person(person: Person, leaf: rules.Leaf) -> Condition:
    """A leaf that only looks at the contact's own row."""
    match leaf:
        case rules.Profile():
            return person.profile(leaf)
        case rules.Anniversary():
            return person.anniversary(leaf)
        case rules.Tag():
            return person.tag(leaf)
        case rules.Sample():
            return person.sample(leaf)
        case rules.InSegment(segment_id):
            raise SegmentMissingError(segment_id)
        case (
            rules.Participation()
            | rules.FirstParticipation()
            | rules.LastParticipation()
            | rules.Share()
            | rules.Permission()
            | rules.Engagement()
            | rules.Pass()
            | rules.InJourney()
            | rules.Deliverability()
            | rules.LikelySame()
        ):
            raise TypeError(f"{type(leaf).__name__} looks further than the contact")
        case _:
            assert_never(leaf)


def _asked(leaves: Iterable[rules.Leaf]) -> Iterable[tuple[str, str]]:
    return ((leaf.channel, leaf.purpose) for leaf in leaves if isinstance(leaf, rules.Permission))


def _settled(rule: rules.Rule, *, holds: bool = True) -> Iterator[tuple[rules.Leaf, bool]]:
    """The leaves without which, or with which, ``rule`` cannot hold, and whether they must hold."""
    match rule:
        case rules.Not(inner):
            yield from _settled(inner, holds=not holds)
        case rules.All(inner_rules) | rules.AnyOf(inner_rules):
            if isinstance(rule, rules.All) is holds:
                for one in inner_rules:
                    yield from _settled(one, holds=holds)
        case leaf:
            yield leaf, holds


def _all_of(settled: Mapping[rules.Leaf, bool]) -> rules.Rule:
    return rules.All(tuple(leaf if holds else rules.Not(leaf) for leaf, holds in settled.items()))


def _maybe_not(condition: Condition, *, no: bool) -> Condition:
    return condition.is_not(sa.true()) if no else condition
