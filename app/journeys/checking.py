"""What stands in the way of publishing a journey, and what somebody should know before: each at its step, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app import clock
from app.accounts.models import User
from app.audiences.models import Audience
from app.consent.models import Purpose
from app.contacts.forms.models import SignupForm
from app.contacts.own_fields import kind_of_field, takes
from app.db import ScopedSession
from app.journeys import definition as nodes
from app.journeys.problems import InvalidDefinitionError
from app.journeys.route import Route, branch_paths, route_of
from app.journeys.schemas import parse_definition
from app.journeys.spans import Span
from app.mailings.block_segments import asked_segments, those_there
from app.mailings.composing.content import languages_of, marketing_blocks_of
from app.mailings.composing.content_schemas import parse_content
from app.mailings.composing.problems import InvalidContentError
from app.mailings.models import Mailing
from app.segments.compiling.time_limit import within
from app.segments.definitions import complete_rule, read_rule
from app.segments.language.rules import Rule, looks_at_opens
from app.segments.models import Segment
from app.segments.problems import N_, InvalidRuleError, Message, SegmentError, TooSlowError
from integrations.base import Permanent
from integrations.webhooks import check_target

Json = Mapping[str, Any]
Severity = Literal["stops", "warns"]

STOPS: Severity = "stops"
WARNS: Severity = "warns"
MINUTES_A_DAY = 24 * 60
ANSWER_WITHIN_S = 1.0
MOST_QUIET_MINUTES = 20 * 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a journey: at which step (``None``: the journey itself), where in its JSON, and a sentence.

    What ``stops`` must be mended before it can be published; what ``warns`` may be meant so.
    """

    step_id: str | None
    path: str
    severity: Severity
    code: str
    message: Message


def problems_of(session: ScopedSession, data: Json, *, allows_loopback: bool = False) -> list[Finding]:
    """Everything that stops a journey from being published, or that somebody should know, in reading order.

    ``data`` is the JSON, however unfinished. Nothing is changed. ``allows_loopback``: web addresses on this machine are
    allowed (the operator's setting).
    """
    try:
        route = route_of(parse_definition(data))
    except InvalidDefinitionError as invalid:
        return [
            Finding(step_at(data, problem.path), problem.path, STOPS, invalid.code, problem.message)
            for problem in invalid.problems
        ]
    check = _Check(session, data, route, allows_loopback=allows_loopback)
    return [*check.whole(), *(finding for step_id in route.order for finding in check.step(route.steps[step_id]))]


def step_at(data: object, path: str) -> str | None:
    """The id of the innermost step that ``path`` of a definition's JSON lies in."""
    found: str | None = None
    here: Any = data
    for key in path.split("."):
        if isinstance(here, Mapping):
            here = here.get(key)
        elif isinstance(here, list) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        else:
            return found
        if isinstance(here, Mapping) and isinstance(here.get("id"), str):
            found = here["id"]
    return found


def value_at(data: object, path: str) -> Any:
    """What stands at ``path`` of a definition's JSON; ``None`` where nothing does."""
    here: Any = data
    for key in path.split("."):
        here = here.get(key) if isinstance(here, Mapping) else here[int(key)]
    return here


class _Check:
    def __init__(self, session: ScopedSession, data: Json, route: Route, *, allows_loopback: bool) -> None:
        self.session = session
        self.data = data
        self.route = route
        self.definition = route.definition
        self.allows_loopback = allows_loopback
        self.purposes = {row.code: row for row in session.scalars(sa.select(Purpose))}

    def whole(self) -> Iterator[Finding]:
        """About the journey itself."""
        definition = self.definition
        if not definition.steps:
            yield self._found("steps", "no_steps", N_("There are no steps yet. Add one."))
        if self._purpose_is_gone(definition.purpose):
            yield self._found("purpose", "purpose_unknown", N_("Choose a purpose of your house for this journey."))
        yield from self._trigger(definition.trigger, "trigger")
        if definition.only is not None:
            yield from self._rule("only")
        if definition.goal is not None:
            yield from self._rule("goal.rule")
        yield from self._quiet()
        yield from self._order(definition.steps, "steps")

    def step(self, step: nodes.Step) -> Iterator[Finding]:
        """About one step."""
        path = self.route.paths[step.id]
        match step:
            case nodes.Send():
                yield from self._send(step, path)
            case nodes.Wait():
                if step.span.is_zero and step.at is None and not step.weekdays:
                    yield self._found(f"{path}.for", "waits_for_nothing", N_("This wait takes no time."), WARNS)
            case nodes.WaitUntil():
                if not self._knows_activity(step):
                    said = N_("Nobody here came for an activity, so there is no moment to wait until.")
                    yield self._found(path, "no_activity", said)
            case nodes.WaitFor():
                yield from self._trigger(step.trigger, f"{path}.trigger")
                yield from self._branches(step, path)
            case nodes.Choose():
                for place in range(len(step.branches)):
                    yield from self._rule(f"{path}.branches.{place}.when")
                yield from self._branches(step, path)
            case nodes.Split():
                yield from self._weights(step, path)
                yield from self._branches(step, path)
            case _:
                yield from self._deed(step, path)

    def _deed(
        self,
        step: nodes.Tag | nodes.SetField | nodes.ChangeAudience | nodes.Notify | nodes.CallWebhook | nodes.Exit,
        path: str,
    ) -> Iterator[Finding]:
        match step:
            case nodes.ChangeAudience():
                yield from self._audience(step, path)
            case nodes.Notify():
                yield from self._notify(step, path)
            case nodes.CallWebhook():
                yield from self._webhook(step, path)
            case nodes.SetField():
                yield from self._field(step, path)
            case nodes.Tag() | nodes.Exit():
                return

    # --- the journey itself ---

    def _trigger(self, trigger: nodes.Trigger, path: str) -> Iterator[Finding]:
        match trigger:
            case nodes.OnSegment(segment_id=segment_id):
                if not self._is_there(Segment, segment_id):
                    yield self._found(
                        f"{path}.segment", "segment_gone", N_("This segment was removed. Choose another.")
                    )
                else:
                    yield from self._opens_in_segment(segment_id, f"{path}.segment")
            case nodes.OnForm(form_id=form_id):
                if not self._is_there(SignupForm, form_id):
                    yield self._found(f"{path}.form", "form_gone", N_("This form was removed. Choose another."))
            case nodes.OnConsent(purpose=purpose):
                if self._purpose_is_gone(purpose):
                    yield self._found(
                        f"{path}.purpose", "purpose_unknown", N_("Your house has no such purpose. Choose another.")
                    )
            case _:
                return

    def _quiet(self) -> Iterator[Finding]:
        quiet = self.definition.quiet
        if quiet is None:
            return
        if (_minutes(quiet.until) - _minutes(quiet.since)) % MINUTES_A_DAY > MOST_QUIET_MINUTES:
            yield self._found(
                "quiet", "quiet_all_day", N_("These quiet hours leave little of the day. Is that right?"), WARNS
            )

    def _order(self, steps: tuple[nodes.Step, ...], path: str) -> Iterator[Finding]:
        """Steps that nobody can reach, and moments that are past before they come."""
        moment: datetime | None = self._trigger_moment() if path == "steps" else None
        for place, step in enumerate(steps):
            here = f"{path}.{place}"
            if isinstance(step, nodes.Exit) and place + 1 < len(steps):
                said = N_("The journey ends here, so nobody reaches what follows.")
                yield self._found(here, "ends_too_early", said, WARNS)
            if isinstance(step, nodes.WaitUntil):
                planned = self._around(step.offset)
                if moment is not None and planned < moment:
                    said = N_("This moment lies before the one above it, so it has always passed.")
                    yield self._found(f"{here}.offset", "always_past", said, WARNS)
                moment = max(planned, moment) if moment is not None else planned
            for inner, name in zip(nodes.branches_of(step), branch_paths(step), strict=True):
                yield from self._order(inner, f"{here}.{name}")

    def _trigger_moment(self) -> datetime | None:
        trigger = self.definition.trigger
        return self._around(trigger.offset) if isinstance(trigger, nodes.OnActivity) else None

    @staticmethod
    def _around(offset: Span) -> datetime:
        return offset.after(clock.now(), ZoneInfo("UTC"))

    # --- steps ---

    def _send(self, step: nodes.Send, path: str) -> Iterator[Finding]:
        mailing = self.session.get(Mailing, (self.session.organisation_id, step.mailing_id))
        here = f"{path}.mailing"
        if mailing is None:
            yield self._found(here, "mailing_gone", N_("This mailing was removed. Choose another."))
        elif mailing.kind != "journey":
            yield self._found(
                here, "mailing_is_campaign", N_("This mailing is sent to many at once. Copy it for journeys.")
            )
        elif mailing.purpose != self.definition.purpose:
            said = N_("This mailing is for another purpose than the journey. Change one of the two.")
            yield self._found(here, "mailing_other_purpose", said)
        else:
            yield from self._words(mailing, here)

    def _words(self, mailing: Mailing, path: str) -> Iterator[Finding]:
        """What is written in a mailing can be frozen."""
        try:
            content = parse_content(mailing.content)
        except InvalidContentError:
            said = N_("This mailing cannot be sent as it is. Open it, and mend what it says there.")
            yield self._found(path, "mailing_broken", said)
            return
        if not any(languages_of(content, variant=variant.name) for variant in content.variants):
            yield self._found(path, "mailing_empty", N_("Nothing is written in this mailing yet."))
        elif marketing_blocks_of(content) and not self.purposes[mailing.purpose].is_marketing:
            said = N_("This is a service mailing, and it holds advertising. Take that out, or change the purpose.")
            yield self._found(path, "mailing_holds_marketing", said)
        asked = asked_segments(content)
        if asked - those_there(self.session, asked):
            said = N_("A block of this mailing is for a segment that is gone. Open it, and choose another segment.")
            yield self._found(path, "mailing_segment_gone", said)

    def _branches(self, step: nodes.WaitFor | nodes.Choose | nodes.Split, path: str) -> Iterator[Finding]:
        inner = nodes.branches_of(step)
        if not any(inner):
            yield self._found(path, "empty_branches", N_("Nothing happens in any branch. Add a step to one."))
            return
        required = inner[:-1] if isinstance(step, nodes.Choose) else () if isinstance(step, nodes.WaitFor) else inner
        for steps, name in zip(required, branch_paths(step), strict=False):
            if not steps:
                said = N_("This branch is empty: whoever comes here goes straight on.")
                yield self._found(f"{path}.{name}", "empty_branch", said, WARNS)

    def _weights(self, step: nodes.Split, path: str) -> Iterator[Finding]:
        for place, portion in enumerate(step.portions):
            if not portion.weight:
                said = N_("This branch weighs nothing, so nobody comes here.")
                yield self._found(f"{path}.branches.{place}.weight", "weightless_branch", said, WARNS)

    def _audience(self, step: nodes.ChangeAudience, path: str) -> Iterator[Finding]:
        audience = self.session.get(Audience, (self.session.organisation_id, step.audience_id))
        if audience is None or audience.state == "removed":
            yield self._found(f"{path}.audience", "audience_gone", N_("This audience was removed. Choose another."))

    def _field(self, step: nodes.SetField, path: str) -> Iterator[Finding]:
        """A field that nobody has may be misspelled, and one that holds dates takes no words."""
        try:
            with within(self.session, ANSWER_WITHIN_S):
                kind = kind_of_field(self.session, step.attribute)
        except TooSlowError:
            return
        if kind is None:
            said = N_("Nobody has this field yet: this step makes it. Is it spelled right?")
            yield self._found(f"{path}.field", "field_unknown", said, WARNS)
        elif step.value is not None and not takes(kind, step.value):
            said = {
                "number": N_("Everybody else has a number in this field. Fill in a number."),
                "yes_no": N_("Everybody else has yes or no in this field. Fill in true or false."),
                "date": N_("Everybody else has a date in this field. Fill in a date such as 2026-11-20."),
            }[kind]
            yield self._found(f"{path}.value", "value_of_another_kind", said)

    def _notify(self, step: nodes.Notify, path: str) -> Iterator[Finding]:
        user = sa.select(User.id).where(sa.func.lower(User.email) == step.to.strip().lower())
        if self.session.scalar(user.limit(1)) is None:
            said = N_("Nobody who works here logs in with this address. Is it a colleague's?")
            yield self._found(f"{path}.to", "not_a_colleague", said, WARNS)

    def _webhook(self, step: nodes.CallWebhook, path: str) -> Iterator[Finding]:
        try:
            check_target(step.url, allows_loopback=self.allows_loopback)
        except Permanent as refused:
            said = {
                "private_address": N_("This web address points inside a private network. Choose a public one."),
                "insecure_address": N_("This web address is not secure. Begin it with https://."),
            }.get(refused.code, N_("This is not a web address that can be called."))
            yield self._found(f"{path}.url", refused.code, said)

    def _knows_activity(self, step: nodes.WaitUntil) -> bool:
        if isinstance(self.definition.trigger, nodes.OnParticipation | nodes.OnActivity):
            return True
        before = self.route.order[: self.route.order.index(step.id)]
        waits = (self.route.steps[one] for one in before)
        return any(isinstance(one, nodes.WaitFor) and isinstance(one.trigger, nodes.OnParticipation) for one in waits)

    # --- rules ---

    def _rule(self, path: str) -> Iterator[Finding]:
        try:
            rule = read_rule(self.session, value_at(self.data, path))
        except InvalidRuleError as invalid:
            for problem in invalid.problems:
                inside = f"{path}.{problem.path}" if problem.path else path
                yield Finding(step_at(self.data, path), inside, STOPS, "rule_invalid", problem.message)
            return
        yield from self._opens(rule, path)

    def _opens_in_segment(self, segment_id: int, path: str) -> Iterator[Finding]:
        stored = self.session.scalar(sa.select(Segment.rule).where(Segment.id == segment_id))
        try:
            yield from self._opens(read_rule(self.session, stored), path)
        except InvalidRuleError:
            said = N_("The rule of this segment cannot be worked out. Mend the segment first.")
            yield self._found(path, "segment_broken", said)

    def _opens(self, rule: Rule, path: str) -> Iterator[Finding]:
        try:
            whole = complete_rule(self.session, rule)
        except SegmentError:
            return
        if looks_at_opens(whole):
            said = N_("Opened mails say too little to decide on: machines open them too. Ask for clicks instead.")
            yield self._found(path, "looks_at_opens", said)

    # --- words ---

    def _purpose_is_gone(self, code: str) -> bool:
        return code not in self.purposes or not self.purposes[code].is_active

    def _is_there(self, model: type[Any], row_id: int) -> bool:
        return self.session.get(model, (self.session.organisation_id, row_id)) is not None

    def _found(self, path: str, code: str, said: str, severity: Severity = STOPS) -> Finding:
        return Finding(step_at(self.data, path), path, severity, code, Message(said))


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
