"""What is measured, in sentences: honest about chance, and short enough to read aloud."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from flask_babel import gettext as _
from flask_babel import ngettext

from app.mailings.effect.ab_tests import DecideBy, Rule
from app.mailings.effect.comparison import Comparison
from app.mailings.effect.models import MailingTest
from app.mailings.effect.proof import PEOPLE_MANY, Difference
from app.ui.formats import show_money, show_number
from integrations.meanings import N_

REASONS: Mapping[str, str] = {
    "held_out": N_("In the control group"),
    "no_permission": N_("No permission for this purpose"),
    "no_address": N_("No e-mail address known"),
    "undeliverable": N_("Mail to their address comes back"),
    "shared_address": N_("Somebody at the same address got it"),
    "excluded": N_("In a segment that was left out"),
    "capped": N_("Had enough mails that week"),
    "withdrawn": N_("Stopped before it went"),
    "not_accepted": N_("Refused by their mail provider"),
    "mailing_cancelled": N_("The mailing was cancelled"),
    "changing": N_("Their permission was being changed at that moment"),
    "too_late": N_("It would have come too late"),
}
STEPS: Mapping[str, str] = {
    "meant": N_("Meant for"),
    "left_out": N_("Left out"),
    "planned": N_("Planned"),
    "waiting": N_("Still to go"),
    "handed_over": N_("Handed over"),
    "accepted": N_("Accepted"),
    "uncertain": N_("Perhaps sent"),
    "failed": N_("Refused"),
    "cancelled": N_("Held back"),
    "bounced": N_("Came back"),
    "got": N_("Got it"),
    "clicked": N_("Clicked"),
    "link": N_("Followed a link"),
    "booked": N_("Booked afterwards"),
    "activity": N_("Booked"),
    "series": N_("Booked in the series"),
    "variant": N_("Got version"),
    "language": N_("Got it in"),
    "stopped": N_("Unsubscribed"),
    "complained": N_("Complained"),
    "reason": N_("Did not get it"),
}
LANGUAGES: Mapping[str, str] = {"nl": N_("Dutch"), "fr": N_("French"), "en": N_("English"), "de": N_("German")}


def reason_told(code: str) -> str:
    """Return why somebody did not get a mailing, in words; for a code without words that it was a technical reason."""
    return str(_(REASONS[code])) if code in REASONS else str(_("A technical reason (%(code)s)", code=code))


def language_told(code: str) -> str:
    """Return the name of a language; its code where it has none here."""
    return str(_(LANGUAGES[code])) if code in LANGUAGES else code


HEADLINES: Mapping[tuple[str, str], str] = {
    ("mail", "more"): N_("People who were to get this mail booked more than the control group."),
    ("mail", "less"): N_("People who were to get this mail booked less than the control group."),
    ("mail", "no_control"): N_("What would have been booked without this mail, nobody can say."),
    ("mail", "nobody_treated"): N_("Nobody got this mail, so there is nothing to compare."),
    ("journey", "more"): N_("People in this journey booked more than the control group."),
    ("journey", "less"): N_("People in this journey booked less than the control group."),
    ("goal", "more"): N_("People in this journey reached its goal more often than the control group."),
    ("goal", "less"): N_("People in this journey reached its goal less often than the control group."),
    ("season", "more"): N_("People whom you mailed this season booked more than the control group."),
    ("season", "less"): N_("People whom you mailed this season booked less than the control group."),
}
OTHERWISE: Mapping[str, str] = {
    "no_proof": N_("No difference with the control group is proven yet."),
    "no_control": N_("What would have happened without it, nobody can say."),
    "nobody_treated": N_("Everybody is in the control group, so there is nothing to compare."),
}


def headline(found: Difference, about: str = "mail") -> str:
    """Return the one sentence that a director should read: what it brought about, as far as anybody knows.

    ``about``: ``mail``, ``journey``, ``goal`` (of a journey) or ``season``.
    """
    return str(_(HEADLINES.get((about, found.verdict)) or OTHERWISE[found.verdict]))


def verdict_told(difference: Difference) -> str:
    """Return a verdict in two words, for a badge."""
    match difference.verdict:
        case "more":
            return str(_("Proven: more"))
        case "less":
            return str(_("Proven: less"))
        case "no_proof":
            return str(_("No proof yet"))
        case _other:
            return str(_("Not compared"))


def needed_told(difference: Difference) -> str:
    """Return how many people more it takes, or why there is nothing to compare; empty where it is proven."""
    match difference.verdict:
        case "no_proof" if difference.more_people is None:
            return ""
        case "no_proof" if (difference.more_people or 0) >= PEOPLE_MANY:
            return str(_("The difference is too small to prove with mailings of this size."))
        case "no_proof":
            people = difference.more_people or 0
            return str(
                ngettext(
                    "About %(number)s more person is needed to know.",
                    "About %(number)s more people are needed to know.",
                    people,
                    number=show_number(people),
                )
            )
        case "no_control":
            return str(_("Hold out a few per cent of the people next time: then the report can tell."))
        case _other:
            return ""


def interval_told(difference: Difference) -> str:
    """Return a difference of rates with its interval, in percentage points; empty where there is none."""
    if difference.low is None or difference.high is None:
        return ""
    low, high = (_points(each) for each in (difference.low, difference.high))
    return str(_("between %(low)s and %(high)s percentage points", low=low, high=high))


def extra_told(comparison: Comparison, about: str = "mail") -> str:
    """Return how many people more or fewer a proven difference stands for; empty where nothing is proven."""
    if comparison.extra is None:
        return ""
    low, high = sorted(abs(each) for each in comparison.extra)
    numbers = {"low": show_number(low), "high": show_number(high)}
    is_more = comparison.rates.verdict == "more"
    if about == "goal":
        said = (
            _("That is between %(low)s and %(high)s people who would not have reached it otherwise.", **numbers)
            if is_more
            else _("That is between %(low)s and %(high)s people who would have reached it otherwise.", **numbers)
        )
    elif is_more:
        said = _("That is between %(low)s and %(high)s people who would not have booked otherwise.", **numbers)
    else:
        said = _("That is between %(low)s and %(high)s people who would have booked otherwise.", **numbers)
    return str(said)


def money_told(comparison: Comparison) -> str:
    """Return what is known of the difference in revenue for each person."""
    found = comparison.money
    if found.estimate is None:
        return ""
    means = {
        "treated": show_money(_cents(comparison.treated.mean)),
        "control": show_money(_cents(comparison.control.mean)),
    }
    if found.low is None or found.high is None:
        return str(
            _(
                "Spent for each person: %(treated)s, against %(control)s in the control group."
                " Too few bought to say more.",
                **means,
            )
        )
    said = _(
        "Spent for each person: %(treated)s, against %(control)s in the control group:"
        " a difference between %(low)s and %(high)s.",
        low=show_money(_cents(found.low)),
        high=show_money(_cents(found.high)),
        **means,
    )
    return str(said)


def rule_told(rule: Rule) -> str:
    """Return how a test is decided, as it was agreed before sending."""
    numbers = {"share": rule.share_percent, "hours": rule.after_hours}
    told: Mapping[DecideBy, str] = {
        "clicks": _(
            "%(share)s %% of the people take part. %(hours)s hours after their mails left, the version that proves to"
            " be clicked by more people goes to the rest.",
            **numbers,
        ),
        "bookings": _(
            "%(share)s %% of the people take part. %(hours)s hours after their mails left, the version that proves to"
            " be followed by more bookings goes to the rest.",
            **numbers,
        ),
    }
    return str(told[rule.decide_by])


def ending_told(test: MailingTest) -> str:
    """Return how a test ended."""
    if test.winner:
        return str(_("Version %(name)s proved better, and went to the rest.", name=test.winner))
    if test.rest:
        return str(_("No difference was proven, so the rest was split evenly between the versions."))
    return str(_("No difference was proven."))


def _points(difference: float) -> str:
    sign = "+" if difference > 0 else ""
    return f"{sign}{show_number(round(difference * 100, 1), digits=1)}"


def _cents(amount: float) -> Decimal:
    return Decimal(str(round(amount, 2)))
