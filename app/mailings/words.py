"""The codes of this room in words, English and marked for translation."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import MAIL, N_, meaning_for_mail

MISSING: Mapping[str, str] = {
    "other_keyring": N_(
        "The relay's password was kept with another keyring. Fill it in again, or restore that keyring."
    ),
    "no_relay": N_(
        "No mail relay is set, so mails wait here. Fill one in under Mail, or ask whoever looks after the server."
    ),
    "no_from_address": N_("No sender's address is set, so mails wait here. Fill one in under Mail."),
    "no_postal_address": N_(
        "The postal address of the house is not filled in. The law asks for it under every mail, so mails wait here."
    ),
    "not_confirmed_here": N_(
        "This looks like a copy of the house, or one from a backup, so no mail is sent. Say so if it is the real one."
    ),
}

WHATS: Mapping[str, str] = {
    "confirmation": N_("Confirmation of a subscription"),
    "unsubscribe_receipt": N_("Receipt of an opt-out"),
    "address_change": N_("Confirmation of an address"),
    "data_ready": N_("Data that was asked for"),
    "preferences_link": N_("Link to the preference page"),
    "invitation": N_("Invitation of a colleague"),
    "password_reset": N_("Link to a new password"),
    "mailing": N_("Mailing"),
}

DELIVERY_STATES: Mapping[str, str] = {
    "planned": N_("Planned"),
    "claimed": N_("About to leave"),
    "handed_over": N_("On its way"),
    "accepted": N_("Sent"),
    "failed": N_("Not accepted"),
    "uncertain": N_("Perhaps sent"),
    "cancelled": N_("Held back"),
}
DELIVERY_TONES: Mapping[str, str] = {
    "planned": "light",
    "claimed": "info",
    "handed_over": "info",
    "accepted": "good",
    "failed": "bad",
    "uncertain": "warn",
    "cancelled": "warn",
}
HELD_BACK: Mapping[str, str] = {
    "denied": N_("What is known is below."),
    "changing": N_("They were being changed at that moment."),
    "bouncing": N_("Mail to their address comes back."),
}

PROBLEMS: Mapping[str, str] = {
    "interrupted": N_("The server stopped while it handed over this mail. It may have arrived."),
    "never_known": N_("Nobody ever knew whether this mail arrived."),
    "set_aside": N_("Set aside by a colleague."),
}

FINDINGS: Mapping[str, tuple[str, str]] = {
    "spf_good": (
        N_("SPF: who may send for your domain"),
        N_("There is a rule, and your relay is in it."),
    ),
    "spf_cannot_tell": (
        N_("SPF: who may send for your domain"),
        N_("There is a rule. From here nobody can see whether your relay is in it: ask your IT person to check."),
    ),
    "spf_without_relay": (
        N_("SPF: who may send for your domain"),
        N_(
            "There is a rule, and your relay is not in it. Ask your IT person to replace the record by this one, after"
            " asking the keeper of the relay whether the text is right."
        ),
    ),
    "spf_too_many": (
        N_("SPF: who may send for your domain"),
        N_(
            "The rule sends receivers to more than ten other places, and then it counts for nothing. Ask your IT person"
            " to take out what is not used any more."
        ),
    ),
    "spf_broken": (
        N_("SPF: who may send for your domain"),
        N_(
            "The rule has a mistake in it, or leads to a rule that is gone, so that it counts for nothing."
            " Ask your IT person to mend it."
        ),
    ),
    "spf_missing": (
        N_("SPF: who may send for your domain"),
        N_("There is no rule. Ask your IT person for an SPF record that names your relay; its keeper knows the text."),
    ),
    "spf_twice": (
        N_("SPF: who may send for your domain"),
        N_("There are two rules, so that none counts. Ask your IT person to make one of them."),
    ),
    "spf_everybody": (
        N_("SPF: who may send for your domain"),
        N_("The rule lets the whole world send in your name. Ask your IT person to end it with ~all or -all."),
    ),
    "spf_open_end": (
        N_("SPF: who may send for your domain"),
        N_("The rule does not say what to do with others. Ask your IT person to end it with ~all or -all."),
    ),
    "dkim_good": (N_("DKIM: a signature on every mail"), N_("Your mails are signed, and others can check it.")),
    "dkim_no_key": (
        N_("DKIM: a signature on every mail"),
        N_("We do not sign yet. Make keys here, unless your relay signs for you."),
    ),
    "dkim_missing": (
        N_("DKIM: a signature on every mail"),
        N_("The key is made, but not in DNS yet. Ask your IT person to add this record; from then on we sign with it."),
    ),
    "dkim_other_key": (
        N_("DKIM: a signature on every mail"),
        N_("DNS holds another key than ours. Ask your IT person to replace it by this record."),
    ),
    "dmarc_good": (N_("DMARC: what to do with forgeries"), N_("There is a rule, and it protects you.")),
    "dmarc_watching": (
        N_("DMARC: what to do with forgeries"),
        N_("There is a rule that only watches. That is enough to be believed."),
    ),
    "dmarc_missing": (
        N_("DMARC: what to do with forgeries"),
        N_("There is no rule, and large mailbox providers ask for one. Ask your IT person to add this record."),
    ),
    "dmarc_twice": (
        N_("DMARC: what to do with forgeries"),
        N_("There are two rules, so that none counts. Ask your IT person to keep one."),
    ),
    "alignment_dkim": (
        N_("Does it all point to you?"),
        N_("The signature is of the domain that readers see as the sender: that is what DMARC asks."),
    ),
    "alignment_spf": (
        N_("Does it all point to you?"),
        N_("Mail that is passed on may still be doubted: a signature (DKIM) would see to that too."),
    ),
    "alignment_none": (
        N_("Does it all point to you?"),
        N_(
            "Nothing yet proves that mail in your name is yours. A signature (DKIM) for the sender's domain does, or an"
            " SPF rule of the domain that bounces come back to, where that is the same domain."
        ),
    ),
    "answers_good": (N_("Answers"), N_("Mail to your domain arrives somewhere.")),
    "answers_nowhere": (
        N_("Answers"),
        N_(
            "Nothing receives mail for this domain, so that answers and bounces are lost. Use another sender's address."
        ),
    ),
}


def problem_in_words(code: str) -> str:
    """Return the English sentence for why a mail did not go, to be translated."""
    return PROBLEMS.get(code) or (meaning_for_mail(code) if code in MAIL else N_("Something unexpected went wrong."))
