"""What the codes of this room are called. English, marked for translation; pages translate it."""

from __future__ import annotations


def N_(text: str) -> str:  # noqa: N802  the name that translation tools look for
    """Mark a text for the catalogue."""
    return text


KINDS = {
    "access": N_("What do you hold about me?"),
    "portability": N_("Give me my data to take along."),
    "rectification": N_("This is wrong about me."),
    "erasure": N_("Forget me."),
    "restriction": N_("Keep my data, but do not use it."),
    "objection": N_("Stop using my data for this."),
}
KIND_NAMES = {
    "access": N_("Access"),
    "portability": N_("Portability"),
    "rectification": N_("Correction"),
    "erasure": N_("Erasure"),
    "restriction": N_("Restriction"),
    "objection": N_("Objection"),
}
CHANNELS = {
    "mail": N_("by mail"),
    "phone": N_("by phone"),
    "counter": N_("at the counter"),
    "letter": N_("by letter"),
    "page": N_("on the preference page"),
}
IDENTITY_CHECKS = {
    "link": N_("Came through a link mailed to the address"),
    "known": N_("Known in person"),
    "callback": N_("Called back or answered at the address we hold"),
    "document": N_("Showed a document"),
    "account": N_("Asked from the account at the box office"),
}
EXTENSION_REASONS = {
    "complex": N_("The request is complex"),
    "many": N_("There are many requests of this person"),
}
OUTCOMES = {
    "handed_over": N_("The data was handed over"),
    "corrected": N_("The data was corrected"),
    "erased": N_("The person was erased"),
    "restricted": N_("Processing was restricted"),
    "objected": N_("The objection was noted"),
    "not_found": N_("We hold nothing about this person"),
    "not_proven": N_("The person did not show who they are"),
    "unfounded": N_("The request was manifestly unfounded or excessive"),
    "kept_by_law": N_("A law obliges us to keep the data"),
    "withdrawn": N_("The person took the request back"),
}
REFUSALS = ("not_found", "not_proven", "unfounded", "kept_by_law")
LIFTED_BECAUSE = {
    "settled": N_("What was in dispute is settled"),
    "asked": N_("The person asked for it"),
    "mistake": N_("It was set by mistake"),
}

# The answer to the person, by what became of the request. ``%(name)s`` is the house.
ANSWERS = {
    "handed_over": N_(
        "You asked us what we hold about you. You find everything in the attachment: what we know, where it comes from,"
        " what we use it for, who received it, and how long we keep it."
    ),
    "corrected": N_("You told us that something we hold about you is wrong. We have corrected it."),
    "erased": N_(
        "You asked us to forget you. We have erased your name, your addresses and everything else that says who you "
        "are, and we have asked every system we work with to do the same. Your address is kept as an unreadable code "
        "only, so that nobody writes to you by mistake. What you attended is counted without your name."
    ),
    "restricted": N_(
        "You asked us not to use your data for the time being. We keep it, and use it for nothing. We will tell you "
        "before that changes."
    ),
    "objected": N_("You objected to the use of your data. We have stopped it."),
    "not_found": N_("We looked everywhere, and hold nothing under the name and addresses you gave us."),
    "not_proven": N_(
        "We could not be sure that the request came from you, and may not hand over or erase anybody's data without "
        "that. Please write to us again from the address we know, or come by."
    ),
    "unfounded": N_("We cannot follow your request, because it is manifestly unfounded or excessive."),
    "kept_by_law": N_("We cannot follow your request in full, because a law obliges us to keep this data for years."),
    "withdrawn": N_("You told us that you take your request back. We have closed it."),
    "open": N_("We received your request and are working on it. You hear from us by %(day)s at the latest."),
    "extended": N_(
        "We need more time for your request than the month the law gives us: %(reason)s. You hear from us by %(day)s at"
        " the latest."
    ),
}
CLOSING = N_(
    "Do you not agree? You can complain to the supervisory authority: in Belgium the Data Protection Authority, in the "
    "Netherlands the Autoriteit Persoonsgegevens."
)

FILES = N_("Files that were imported")
MESSAGES = N_("Messages of connected systems, as they arrived")

# What each table holds, for a person; one that is not here is called by its name.
CATEGORIES = {
    "contact": N_("Name, address, telephone number, date of birth, language, tags and fields of your own"),
    "identity": N_("E-mail addresses, card and customer numbers"),
    "participation": N_("What they booked, attended or borrowed, and for how much"),
    "contact_history": N_("Dates of visits, put together for speed"),
    "contact_history_detail": N_("Dates, amounts and genres of visits, put together for speed"),
    "contact_history_leads": N_("Dates of visits, put together for speed"),
    "contact_history_genres": N_("Dates, amounts and genres of visits, put together for speed"),
    "alike_visit": N_("Dates of visits, put together for speed"),
    "source_answer": N_("What they answered to questions of your ticketing, and its own fields"),
    "consent_event": N_("What they allowed or refused, when, how, and the text they saw"),
    "consent_evidence": N_("Proof that came with a permission"),
    "permission": N_("What they may be sent now"),
    "contact_merge": N_("Which contacts were put together"),
    "import_job": FILES,
    "import_problem": N_("Cells of files that could not be read"),
    "inbox_item": MESSAGES,
    "audience_member": N_("Which lists of connected systems they are on"),
    "mail_event": N_("Mails that were delivered, opened or clicked, where they allowed measuring that"),
    "audience_file": N_("Files with the people of audiences, encrypted"),
    "campaign_elsewhere": N_("Mailings that other systems sent"),
    "campaign_link": N_("Links in mailings"),
    "pass": N_("Cards and subscriptions"),
    "letter": N_("Letters on their way, encrypted"),
    "return_mail": N_("Mails that came back or answered, encrypted"),
    "mail_link": N_("Links in mailings"),
    "return_mailbox": N_("The mailbox for mails that come back"),
    "mail_breaker": N_("Domains that refuse our mail"),
    "mailing_alarm": N_("Mailings that drew too many complaints or bounces"),
    "mailing": N_("Mailings and what they say"),
    "mailing_template": N_("Templates of mailings"),
    "pace": N_("How fast mail leaves for each receiver"),
    "season_side": N_("Whether they are in the control group of a season, who get no mailings"),
    "season_control": N_("Which share of the people the control group of a season is"),
    "mailing_report": N_("Figures of mailings, and what colleagues say of them"),
    "mailing_test": N_("How tests of two versions of a mailing ended"),
    "mailing_left_out": N_("Mailings that were not sent to them, and why"),
    "mailing_version": N_("Mailings as they were sent"),
    "delivery": N_("Which mails were sent, and why that was allowed"),
    "rights_request": N_("What they asked about their own data"),
    "segment": N_("Rules of segments, which may name somebody"),
    "segment_membership": N_("Which segments they were in, from when until when"),
    "user_account": N_("People who log in: name, address, role"),
    "pull_progress": N_("How far a connection has been read"),
    "enrolment": N_("Where they are in a journey"),
    "journey_visit": N_("Which steps of a journey they went through, and what decided that"),
    "journey_call": N_("What other systems were told because of a journey"),
    "audience_by_hand": N_("Which lists of connected systems a journey put them on, or keeps them off"),
    "journey_arrival": N_("Which journeys they are about to enter"),
    "journey": N_("Rules of journeys, which may name somebody"),
    "journey_version": N_("Rules of journeys, which may name somebody"),
    "address_change": N_("A new address that waits for confirmation"),
    "signup": N_("What they filled in on a sign-up form, until it is stored"),
}
SECURITY = (
    N_("Rows of one house cannot be seen by another: the database itself refuses it (row-level security)."),
    N_("Consent is kept under a keyed hash of the address, with the key outside the database."),
    N_("Passwords are hashed (Argon2), secrets of connected systems are encrypted."),
    N_("Everybody who logs in has a role, and what they do is in the audit trail."),
    N_("A check in the database decides at the moment of sending whether somebody may be contacted."),
    N_("Who was erased is erased again when an older backup comes back."),
)
BASES = {
    "consent": N_("Consent (article 6(1)(a))"),
    "soft_opt_in": N_("Legitimate interest: own customers, own similar offer (article 6(1)(f))"),
    "impersonal_address": N_("Impersonal address of an organisation (no personal data)"),
    "service": N_("Contract: something that was booked (article 6(1)(b))"),
}
