"""What well-known relays ask to be put in SPF: their servers send from other addresses than the one we hand over to.

From each provider's own help pages. A relay that is not here is looked up by its address.
"""

from __future__ import annotations

# What the relay's name ends with, and the domain whose record its keeper keeps.
_INCLUDES = {
    "smtp.office365.com": "spf.protection.outlook.com",
    "mail.protection.outlook.com": "spf.protection.outlook.com",
    "smtp.gmail.com": "_spf.google.com",
    "smtp-relay.gmail.com": "_spf.google.com",
    "amazonaws.com": "amazonses.com",
    "smtp.sendgrid.net": "sendgrid.net",
    "mailgun.org": "mailgun.org",
    "mailjet.com": "spf.mailjet.com",
    "smtp-relay.brevo.com": "spf.brevo.com",
    "smtp.postmarkapp.com": "spf.mtasv.net",
    "smtp.mandrillapp.com": "spf.mandrillapp.com",
    "sparkpostmail.com": "sparkpostmail.com",
}


def include_of(relay_host: str) -> str | None:
    """Return the domain that a sender includes for a well-known relay, or None where we do not know the relay."""
    host = relay_host.lower().rstrip(".")
    return next((domain for name, domain in _INCLUDES.items() if host == name or host.endswith(f".{name}")), None)
