"""What an enhanced status code says about a mail that came back, and about whom (RFC 3463, IANA's registry).

Pure. What is about the sender never touches the recipient, and what is not known for certain is nobody's (I20):

========= ==============================================================================================
dead      there is no such mailbox: the address is stopped
soft      full, away or out of reach: counted, and paused when it goes on
policy    about us or our mail's reputation: the breaker, never the recipient
mail      about this one mail (too large, not understood): nothing follows
unknown   somebody looks at it
========= ==============================================================================================

Words are looked at only where the code says too little, and those about the sender win over any code: many systems
answer 5.1.1 to a sender they do not like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Verdict = Literal["dead", "soft", "policy", "mail", "unknown"]

ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.-])([45]\d\d)(?=[ -])")
_ADDRESS = re.compile(r"<[^<>\s]*>|\S+@\S+")

_DEAD: tuple[str, ...] = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")
_SOFT = ("5.2.2", "5.3.1", "5.3.2", "5.4.0", "5.4.1", "5.4.2", "5.4.3", "5.4.4", "5.4.6", "5.4.7")
_MAIL = ("5.2.3", "5.3.3", "5.3.4", "5.5.3")
_VERDICTS: Mapping[str, Verdict] = {
    **dict.fromkeys(_DEAD, "dead"),
    **dict.fromkeys(_SOFT, "soft"),
    **dict.fromkeys(_MAIL, "mail"),
}
# Bad sender's address, and mailing list expansion of the receiving side: about us, or for a person to look at.
_POLICY = frozenset({"5.1.7", "5.1.8"})

_ABOUT_US = re.compile(
    r"\bspam\b|spamhaus|spamcop|\bblack-?list|\bblock-?list|\bblocked\b|\bbanned\b|reputation|\bdmarc\b|\bspf\b|\bdkim\b"
    r"|\bpolicy\b|not authori[sz]ed|unsolicited|\brbl\b|dnsbl|rate.?limit|too many (?:connections|messages|recipients)"
    r"|sender (?:verify|address|domain)|\bbounce verification|\brelay(?:ing)? (?:access )?denied",
    re.IGNORECASE,
)
_NO_MAILBOX = re.compile(
    r"(?:user|recipient|mailbox|account|address|addressee|alias)(?: \S+)? (?:is )?(?:unknown|not found|invalid)"
    r"|(?:unknown|no such|invalid|non-?existent) (?:user|recipient|mailbox|local (?:part|user)|account|address)"
    r"|does not exist|doesn't exist|no mailbox here|recipnotfound|not our customer|is no longer (?:valid|in use)"
    r"|(?:account|mailbox|user) (?:has been |is )?(?:disabled|deactivated|discontinued)|user doesn't have",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"quota|mailbox (?:is )?full|over (?:its )?(?:storage )?limit|insufficient (?:system )?(?:storage|space)"
    r"|try again later|temporar|timed? ?out|greylist|graylist|connection refused",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(r"5\.(?:0|1|2|3|5)\.0\Z")


def verdict_of(status: str | None, said: str) -> Verdict:
    """Return what a status (``5.1.1``; None where there is none) and the words beside it mean.

    ``said`` is the diagnostic text; addresses in it are not read as words.
    """
    words = _ADDRESS.sub(" ", said)
    if _is_about_us(status, words):
        return "policy"
    if status is None or _SAYS_NOTHING.match(status):
        return _by_words(words)
    if status == "5.4.1" and re.search(r"recipient address rejected", words, re.IGNORECASE):
        return "dead"  # how Exchange Online says that there is no such mailbox
    if status.startswith(("4.", "5.6.")):
        return "soft" if status[0] == "4" else "mail"
    return _VERDICTS.get(status, "unknown")


def _is_about_us(status: str | None, words: str) -> bool:
    if status is not None and status[1:].startswith(".7."):
        return True
    return status in _POLICY or _ABOUT_US.search(words) is not None


def status_in(text: str, *, instead_of: str | None = None) -> str | None:
    """Return the enhanced status a text tells; one that says nothing in particular (5.0.0) yields to a better one."""
    found = [".".join(match) for match in ENHANCED.findall(_ADDRESS.sub(" ", text))]
    told = [code for code in found if code[0] != "2"]
    better = next((code for code in told if not code.endswith(".0.0")), None)
    if instead_of is None:
        return better or next(iter(told), None)
    return better if instead_of.endswith(".0.0") and better is not None else instead_of


def _by_words(words: str) -> Verdict:
    """Only for texts that no code explains: a plain refusal (4xx is temporary by itself) with well-known words."""
    reply = _REPLY.search(words)
    if reply is not None and reply[1][0] == "4":
        return "soft"
    if _FULL.search(words):
        return "soft"
    return "dead" if _NO_MAILBOX.search(words) else "unknown"
