"""The codes of journeys in words, English and marked for translation: why somebody was passed over, held, or left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.segments.problems import N_

REASONS: Mapping[str, str] = {
    "": N_("no reason was recorded"),
    "held_out": N_("in the control group, so they get nothing"),
    "rehearsed": N_("a rehearsal: nothing was carried out"),
    "no_permission": N_("they may not be mailed for this purpose"),
    "denied": N_("they may not be mailed for this purpose"),
    "no_address": N_("no e-mail address is known"),
    "bouncing": N_("mail to them does not arrive"),
    "shared_address": N_("somebody else at this address got the mail"),
    "capped": N_("they had enough mails this week"),
    "moment_passed": N_("that moment had passed already"),
    "goal_reached": N_("they reached the goal"),
    "exit": N_("a step let them leave"),
    "erased": N_("they were erased or removed"),
    "merged": N_("they turned out to be the same person as somebody else"),
    "booking_cancelled": N_("their booking was cancelled"),
    "activity_cancelled": N_("the activity does not go on"),
    "passed_on": N_("the ticket was passed on to somebody else"),
    "activity_without_date": N_("the activity has no date"),
    "no_activity": N_("it is not known which activity this is about"),
    "ended_by_publishing": N_("somebody ended it for them when a new version was published"),
    "ended_by_hand": N_("somebody ended it for them"),
    "archived": N_("the journey was archived"),
    "mailing_gone": N_("the mailing was removed, or cannot be sent"),
    "segment_gone": N_("a segment was removed"),
    "audience_gone": N_("the audience was removed"),
    "step_gone": N_("this step is not there any more"),
    "step_failed": N_("the step could not be done; it is tried again"),
    "timed_out": N_("it did not happen in time"),
    "happened": N_("it happened"),
    "paused": N_("the journey was paused"),
    "chosen_by_hand": N_("chosen by hand"),
    "discarded": N_("the mail of a rehearsal was thrown away"),
    "withdrawn": N_("they withdrew their permission"),
    "no_record": N_("they never gave permission"),
    "suppressed": N_("their address is blocked"),
    "unknown_contact": N_("they were erased or removed"),
    "purpose_inactive": N_("the house does not write for this purpose any more"),
    "incomplete": N_("their permission lacks proof"),
    "lapsed": N_("their permission has run out"),
    "child": N_("a guardian has not confirmed"),
    "reentered": N_("they entered again"),
}


def told_reason(code: str | None, gettext: Callable[[str], str]) -> str:
    """Return a reason in words; a code that has none is shown as it is."""
    known = REASONS.get(code or "")
    return gettext(known) if known else str(code)
