"""What the code of an error or of a result means to the person who reads it, and what they can do.

English, marked for translation; whoever shows one translates it: ``gettext(meaning_of(error.code))``. A test holds the
table to the codes that connectors really use.
"""

from __future__ import annotations

from collections.abc import Mapping


def N_(text: str) -> str:  # noqa: N802 - the name translation tools look for
    """Mark a text for translation and return it as it is."""
    return text


ERRORS: Mapping[str, str] = {
    "bad_address": N_("This address cannot be used. Copy it again from the system, from https:// on."),
    "bad_certificate": N_("The system could not prove who it is, so nothing was sent. Ask its maker to mend this."),
    "bad_settings": N_("One of the settings cannot be right. Compare them with what the system shows."),
    "connection_lost": N_("The connection broke half-way. It will be tried again."),
    "field_missing": N_("There is no field named zaallicht there. Make it, of the kind text, and try again."),
    "file_too_large": N_("A file there is larger than 200 MB, which no file of addresses should be."),
    "folder_missing": N_("There is no such folder on the server, or this user may not enter it."),
    "host_key_changed": N_(
        "The server shows another fingerprint than the one you entered, so nothing was sent. Ask its keeper whether it"
        " changed, and only then enter the new one."
    ),
    "host_key_unknown": N_(
        "Compare the server's fingerprint with what its keeper says, and enter it below if it is the same."
    ),
    "field_taken": N_("The list has a field named Zaallicht of another kind. Give that field another name there."),
    "forbidden": N_("The key is known but may not do this. Give it more rights in the system, or use another key."),
    "foreign_next_page": N_("The system sent us on to another address, which was not followed. Ask its maker why."),
    "hook_failed": N_("The system could not reach us to announce changes. They are looked up every few minutes."),
    "insecure_address": N_("This address is not secure. Use the one that begins with https://."),
    "invalid": N_("The system found something in what we sent that it cannot take. Our log tells which field."),
    "invalid_key": N_("This does not look like a key of this system. Copy it again, the part after the dash included."),
    "may_not_write": N_(
        "The keys may read, but not change what people said. Ask the system's support for keys that may, or switch off"
        " writing opt-outs back."
    ),
    "list_moves": N_("The list changed faster than it could be read. It will be tried again."),
    "moved": N_("The system has moved to another address. Enter the new one."),
    "no_answer": N_("The system gave no answer in time. What it did is looked up before anything is sent again."),
    "no_dns": N_("The name servers did not answer. Try again in a moment."),
    "not_allowed": N_("The system does not allow this for the list or person concerned."),
    "not_found": N_("What we look for is not there any more, such as a list that was deleted. Choose another one."),
    "not_pretix": N_("There is no pretix at this address, or not this organizer. Compare both with pretix."),
    "other_account": N_("This message is about another account than the one connected here."),
    "private_address": N_("This address lies inside a private network, where we do not go."),
    "rate_limited": N_("The system is too busy with our calls, or with those of others. It will be tried again."),
    "refused": N_("The system refused this without saying why. Look there whether the account is in order."),
    "server_error": N_("The system has a fault on its side. It will be tried again."),
    "unauthorised": N_("The system does not accept this key. Make a new one there, and enter it here."),
    "unexpected_answer": N_("The system answered something we cannot read. It will be tried again."),
    "unknown_optin": N_("There is no opt-in of that name or number. Compare it with your box office."),
    "unknown_stream": N_("The system has no such kind of data."),
    "unknown_system": N_("We do not know this system."),
    "unreachable": N_("The system could not be reached. It will be tried again."),
    "unreadable_hook": N_("A message came in that could not be read. Nothing was changed by it."),
}

RESULTS: Mapping[str, str] = {
    "compliance_state": N_("The mail system holds this address back, after an opt-out, a bounce or a review."),
    "forgotten": N_("Deleted for good in the mail system: only the person can come back, through its own form."),
    "invalid_address": N_("The mail system says that this is no address one can mail."),
    "invalid_field": N_("A value does not fit its field in the mail system."),
    "not_on_list": N_("Not on the list, so it could not be tagged."),
    "not_taken": N_("The mail system did not take this person, for a reason we do not know. Look there."),
    "still_tagged": N_("The tag could not be taken off."),
    "stays_archived": N_("Archived in the mail system, and left so."),
    "stays_cleaned": N_("The mail system stopped this address after bounces, and it was left so."),
    "stays_pending": N_("Has not confirmed yet."),
    "stays_subscribed": N_("Still subscribed: the opt-out was not carried out."),
    "stays_transactional": N_("Gets service mails only, and was left so."),
    "stays_unsubscribed": N_("Unsubscribed in the mail system, and left so."),
}

# What a mail relay said, or why nothing was said to it (integrations/esp/smtp.py).
MAIL: Mapping[str, str] = {
    "bad_address": N_("This address cannot be mailed to. Correct it."),
    "bad_certificate": N_(
        "The relay could not prove who it is, so nothing was sent. Compare its name with what its keeper says."
    ),
    "bad_message": N_(
        "The mail could not be put in the form that relays ask for. Tell whoever looks after the server."
    ),
    "bad_relay": N_("There is no mail relay at this name and port. Compare both with what its keeper says."),
    "busy": N_("The relay asks for patience. It is tried again by itself."),
    "dropped": N_("The relay broke off before it took the mail. It is tried again by itself."),
    "insecure_relay": N_("Without encryption only a relay on this very machine is spoken to. Choose STARTTLS or TLS."),
    "no_answer": N_(
        "The relay may have taken the mail, but did not say so. Ask it, or the person, before you send it again."
    ),
    "no_encryption": N_(
        "The relay does not offer encryption here, so no password and no mail was sent. Try another port."
    ),
    "no_international_addresses": N_("The relay cannot carry an address with such letters."),
    "private_address": N_(
        "The relay is inside a private network. Whoever looks after the server can set it for the installation."
    ),
    "refused_mail": N_("The relay does not take this mail."),
    "refused_recipient": N_("The relay does not take mail for this address."),
    "refused_sender": N_(
        "The relay does not take mail from this sender. Ask its keeper to allow the sender's address."
    ),
    "unauthorised": N_("The relay does not accept this user name and password. Fill them in again."),
    "unreachable": N_("The relay could not be reached. It is tried again by itself."),
}

# What a mailbox said, or why nothing was said to it (integrations/imap.py).
MAILBOX: Mapping[str, str] = {
    "bad_certificate": N_(
        "The mailbox's server could not prove who it is, so no password was sent. Compare its name with its keeper's."
    ),
    "bad_mailbox": N_("There is no mailbox at this name and port. Compare both with what its keeper says."),
    "dropped": N_("The mailbox broke off before everything was read. It is tried again by itself."),
    "insecure_mailbox": N_("Without encryption only a mailbox on this very machine is read. Choose TLS or STARTTLS."),
    "no_encryption": N_(
        "The mailbox's server does not offer encryption here, so no password was sent. Try port 993 and TLS."
    ),
    "no_such_folder": N_("There is no such folder in the mailbox. INBOX is always there."),
    "other_keyring": N_(
        "The mailbox's password was kept with another keyring. Fill it in again, or restore that keyring."
    ),
    "private_address": N_("The mailbox is inside a private network. Have its mails handed in by a webhook or a pipe."),
    "refused_by_mailbox": N_("The mailbox's server refused what we asked. Its keeper may see why."),
    "unauthorised": N_("The mailbox does not accept this user name and password. Fill them in again."),
    "unreachable": N_("The mailbox could not be reached. It is tried again by itself."),
}

OTHERWISE = N_("Something went wrong with the other system. It will be tried again, or shown under Connections.")


def meaning_of(code: str) -> str:
    """Return the English sentence for a code of an error or a result, to be translated; a general one for any other."""
    return ERRORS.get(code) or RESULTS.get(code) or OTHERWISE


def meaning_for_mailbox(code: str) -> str:
    """Return the English sentence for a code of a mailbox, to be translated; a general one for any other."""
    return MAILBOX.get(code) or OTHERWISE


def meaning_for_mail(code: str) -> str:
    """Return the English sentence for a code of a mail relay, to be translated; a general one for any other."""
    return MAIL.get(code) or OTHERWISE
