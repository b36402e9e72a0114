"""What lies ready between a reservation and a claim: a mail that is written, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.db import ScopedSession
from app.mailings.deliveries import Reserved
from app.mailings.mail_settings import Sender
from app.runtime import Runtime
from integrations.esp.smtp import Envelope


@dataclass(frozen=True, slots=True)
class Written:
    """A mail ready to be claimed. ``address_hash`` is whom it is for: a claim that says otherwise has it written anew.

    ``facts`` are what the rules of a letter look at once more in the claim.
    """

    reserved: Reserved
    envelope: Envelope
    address_hash: bytes
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A mail that will never go, and why. It stops this one person's mail only."""

    reserved: Reserved
    problem_code: str


# Writes mails of one kind from what the database says now, one answer each. Reads, and speaks to nobody.
Writer = Callable[[ScopedSession, Runtime, Sender, Sequence[Reserved]], Sequence[Written | Refused]]
