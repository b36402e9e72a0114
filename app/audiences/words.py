"""What the codes of this room say to people; those of connectors are in ``integrations.meanings``.

English, marked for translation; pages and the API translate them.
"""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_, meaning_of

# What is wrong with something that was filled in.
FIELDS: Mapping[str, str] = {
    "required": N_("Fill this in."),
    "too_long": N_("This is too long."),
    "taken": N_("There is already an audience with this name or tag. Choose another one."),
    "unknown": N_("Choose one from the list."),
    "unknown_field": N_("This is no field of a contact. Choose one from the list."),
    "out_of_range": N_("Choose a number from 1 to 100."),
    "cannot_move": N_("An audience stays on its list. Make another audience for another list."),
    "cannot_change": N_("The tag of an audience stays what it is. Make another audience for another tag."),
}

# Why a run did not finish, where it was not the other system.
FAILURES: Mapping[str, str] = {
    "list_missing": N_(
        "The list is not there any more. Choose another list: make a new audience, and remove this one."
    ),
    "field_missing": N_("A field of the list was renamed or removed there. Look at the fields of this audience."),
    "segment_missing": N_("The segment is not there any more. Choose another segment for this audience."),
    "rule_invalid": N_("The rule of the segment is not right. Open the segment and mend it."),
    "segment_cycle": N_("The segment refers to itself through others. Open it and mend it."),
    "connection_removed": N_("The connection was removed. Connect the mail system again and make a new audience."),
    "forbidden": N_(
        "The mail system does not allow this. Look there whether your plan has room for more people, and whether the"
        " key has enough rights."
    ),
    "not_a_destination": N_("This connection is no mail system that holds lists."),
    "unexpected": N_(
        "Something went wrong on our side. It has been noted, and the next run goes on where this one was."
    ),
}

# Why a run waits for a person.
BRAKES: Mapping[str, str] = {
    "first_push": N_("This is the first push. Look at the numbers, and confirm when they are right."),
    "large_change": N_("This would change more of the audience at once than you allowed."),
    "empty_segment": N_("The segment holds nobody any more, so everybody would be taken off. Is its rule still right?"),
    "everybody": N_("The segment has come to hold every contact of the house. Is its rule still right?"),
}

RUN_STATES: Mapping[str, str] = {
    "queued": N_("Starts in a moment"),
    "running": N_("Busy"),
    "planned": N_("Only looked"),
    "braked": N_("Waits for you"),
    "done": N_("Done"),
    "failed": N_("Stopped"),
    "abandoned": N_("Broken off"),
}
RUN_TONES: Mapping[str, str] = {"done": "good", "failed": "bad", "braked": "warn", "running": "info", "queued": "info"}

AUDIENCE_STATES: Mapping[str, str] = {
    "draft": N_("Not pushed yet"),
    "active": N_("In step"),
    "paused": N_("Paused"),
    "removed": N_("Being taken off"),
}
AUDIENCE_TONES: Mapping[str, str] = {"draft": "light", "active": "good", "paused": "warn", "removed": "light"}

TRIGGERS: Mapping[str, str] = {
    "schedule": N_("By itself"),
    "person": N_("Asked by somebody"),
    "api": N_("Asked over the API"),
    "confirmed": N_("Confirmed by somebody"),
    "removal": N_("The audience was removed"),
}

# What was found when a list was read whole: what it is, how it came, and what was done about it.
DRIFT: Mapping[str, tuple[str, str, str]] = {
    "subscribed_again": (
        N_("Subscribed there in spite of a no"),
        N_("Somebody or something subscribed them there after they said no."),
        N_("They are taken off once more. The page Opt-outs shows it."),
    ),
    "missed_opt_out": (
        N_("Opted out there, and we had not heard"),
        N_("The message about it was lost, or the list told nobody."),
        N_("Recorded here: nobody mails them for this any more."),
    ),
    "vanished": (
        N_("Not on the list any more"),
        N_("They were deleted there, or changed their address there."),
        N_("Left alone: to add them again would be a subscription nobody asked for."),
    ),
    "tag_missing": (
        N_("Had lost our tag"),
        N_("A colleague or a program took it off there."),
        N_("The next run puts it on again, for whoever still belongs here."),
    ),
    "tag_extra": (
        N_("Carries our tag, but not from us"),
        N_("A colleague or a program put it on there."),
        N_("Left alone: we only take off what we put on. A mail to the tag reaches them too."),
    ),
}

ACTIONS: Mapping[str, str] = {
    "add": N_("Add"),
    "update": N_("Bring up to date"),
    "remove": N_("Take our tag off"),
    "unsubscribe": N_("Unsubscribe there"),
    "opt_out": N_("Said no there"),
}
MEMBER_STATES: Mapping[str, str] = {
    "claimed": N_("On the way"),
    "in": N_("There"),
    "uncertain": N_("No answer yet"),
    "refused": N_("Refused there"),
}
RESULTS: Mapping[str, str] = {
    "unsubscribed": N_("Unsubscribed there. Nobody pushes them again."),
    "complained": N_("Called a mail spam there. They get no direct marketing any more."),
    "refused": N_("Refused there."),
    "invalid": N_("A value does not fit there."),
}

# Why somebody is on the list of an audience, or the first thing that keeps them off it.
WHY_THERE: Mapping[str, str] = {
    "there": N_("They are in the segment, they allowed it, and the mail system has them."),
    "shared": N_("Their address is there, for somebody else with the same address: everybody gets one mail."),
    "waits": N_("They belong there, and are added at the next run."),
    "segment_unknown": N_("The segment is not there any more, or its rule is not right."),
    "not_in_segment": N_("The segment does not hold them."),
    "not_permitted": N_("They may not be mailed for this."),
    "bouncing": N_("Mail to their address comes back."),
    "held_out": N_("The list itself keeps them out."),
    "refused": N_("The mail system refused them."),
}
HELD_OUT: Mapping[str, str] = {
    "unsubscribing": N_("They said no here, and that is on its way to the list."),
    "unsubscribed": N_("They are unsubscribed there. Only they can sign up to that list again."),
    "cleaned": N_("The mail system stopped their address after bounces."),
    "archived": N_("A colleague archived them there."),
    "transactional": N_("They only get service mails there."),
    "forgotten": N_("They were deleted there for good. Only they can sign up to that list again."),
    "moved": N_("They go by another address there now."),
}

FIELD_NAMES: Mapping[str, str] = {
    "full_name": N_("First and family name"),
    "given_name": N_("First name"),
    "family_name": N_("Family name"),
    "language": N_("Language"),
    "gender": N_("Gender"),
    "birth_date": N_("Date of birth"),
    "phone": N_("Phone"),
    "street": N_("Street and number"),
    "postcode": N_("Postcode"),
    "municipality": N_("Municipality"),
    "country": N_("Country"),
}

OTHERWISE = N_("This value cannot be used here.")


def field_wording(code: str) -> str:
    """Return the English sentence about a field, to be translated."""
    return FIELDS.get(code, OTHERWISE)


def failure_wording(code: str) -> str:
    """Return the English sentence about why a run stopped, to be translated."""
    return FAILURES.get(code) or meaning_of(code)


def result_wording(code: str) -> str:
    """Return the English sentence about what became of one person, to be translated."""
    return RESULTS.get(code) or meaning_of(code)
