"""What sending says about itself, English and marked for translation."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_

REASONS: Mapping[str, str] = {
    "excluded": N_("Also in a segment that does not get it"),
    "no_address": N_("No e-mail address is known"),
    "no_permission": N_("May not be mailed about this"),
    "undeliverable": N_("Mail to their address comes back"),
    "shared_address": N_("Shares a mailbox with somebody who gets it"),
    "held_out": N_("In the control group"),
    "withdrawn": N_("Said no before it left"),
    "capped": N_("Had enough mails lately"),
    "template_error": N_("The words could not be made for this person"),
    "bad_header": N_("The words could not be made for this person"),
    "given_up": N_("Waited since the house was brought back, and somebody chose not to send it"),
    "mailing_cancelled": N_("The mailing was cancelled before"),
}
OTHER_REASON = N_("Could not be sent to this person")

PAUSED: Mapping[str, str] = {
    "person": N_("Somebody paused it. Nobody more gets it until somebody resumes."),
    "overdue": N_("It should have left more than six hours ago. Is it still true? Then send it; else cancel it."),
    "many_more_people": N_("It would go to many more people than were shown when it was confirmed. Look who they are."),
    "cannot_plan": N_("One of its segments cannot be worked out. Mend the segment, then resume."),
    "cannot_repeat": N_("The mailing of this time could not be made. Look at its settings, then resume."),
    "block_segment": N_(
        "A block is for a segment that cannot be worked out, so nobody can say who would see it. Mend the segment, then"
        " resume."
    ),
    "block_segment_gone": N_(
        "A block is for a segment that is not there any more, so nobody can say who would see it. Copy the mailing,"
        " choose another segment in the copy, and send that."
    ),
    "content_invalid": N_("Its words cannot be read. Copy the mailing, look at the words, and send the copy."),
    "restored": N_(
        "The house was moved or brought back from a backup. Some may have got this mailing already. Look before you"
        " resume."
    ),
    "complaints": N_("Too many people marked it as spam. Look at who gets it and why before you resume."),
    "bounces": N_("Too many addresses do not exist. Look at who gets it and where they come from before you resume."),
}
PAUSED_OTHERWISE = N_("It waits for a person.")

CANNOT_SEND: Mapping[str, str] = {
    "nobody_meant": N_("Choose at least one segment that gets it."),
    "nothing_written": N_("Nothing is written yet. Write it first."),
    "not_frozen": N_("Nothing is ready to be sent yet."),
}
CANNOT_SEND_OTHERWISE = N_("It cannot be sent as it is. Look at the checks.")

FIELDS: Mapping[tuple[str, str], str] = {
    ("send_at", "in_the_past"): N_("This moment is over. Choose a later one, or send it now."),
    ("send_at", "too_far"): N_("That is more than a year and a half ahead. Choose an earlier day."),
    ("send_at", "no_such_time"): N_("The clocks skip this hour on that day. Choose another time."),
    ("send_at", "required"): N_("Choose a day and a time."),
    ("repeats", "not_understood"): N_("This is no time that comes again. Example: 0 10 * * 1 is every Monday at ten."),
    ("repeats", "never"): N_("This time never comes. Choose another one."),
    ("without", "also_to"): N_("A segment cannot get it and not get it."),
    ("to", "unknown"): N_("One of these segments is not there any more. Choose again."),
    ("without", "unknown"): N_("One of these segments is not there any more. Choose again."),
    ("to", "too_many"): N_("These are too many segments. Make one segment of them."),
    ("without", "too_many"): N_("These are too many segments. Make one segment of them."),
    ("purpose", "unknown"): N_("This purpose is not in use. Choose another one."),
    ("holdout_percent", "out_of_range"): N_("A control group is at most half of the people."),
    ("effect_days", "out_of_range"): N_("Choose a number of days from 1 to 365."),
    ("priority", "out_of_range"): N_("Choose a number from 0 to 100."),
    ("ab_test", "out_of_range"): N_("Choose from 1 to 100 per cent, and from 1 to 336 hours."),
    ("name", "required"): N_("Give the mailing a name."),
    ("name", "too_long"): N_("This name is too long."),
    ("name", "not_printable"): N_("A name is one line of letters, digits and signs."),
    ("name", "taken"): N_("Another mailing has this name. Choose another one."),
}
FIELD_OTHERWISE = N_("This cannot be used here.")


def field_problem(field: str, code: str) -> str:
    """Return what is wrong with a field, in English and to be translated."""
    return FIELDS.get((field, code), FIELD_OTHERWISE)


def paused_because(code: str | None) -> str:
    """Return why a mailing waits, in English and to be translated."""
    return PAUSED.get(code or "", PAUSED_OTHERWISE)


def reason_of(code: str) -> str:
    """Return why somebody did not get a mailing, in English and to be translated."""
    return REASONS.get(code, OTHER_REASON)
