"""What can be wrong with a mailing. Ids and codes only, never an address.

MailingError
├── UnknownMailing    no such mailing in this house
├── InvalidMailing    ``errors`` maps a field to a code
├── StaleEdition      somebody else changed it meanwhile; ``edition`` is the one that stands
├── NotThatState      the mailing is in a state in which this cannot be done
├── CannotSend        it cannot be sent, for ``codes``
└── NeedsAWord        a person must say yes first, for ``code`` (many more people than was shown; long overdue)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MailingError(Exception):
    """Something asked of a mailing cannot be done."""


class UnknownMailing(MailingError):
    """There is no such mailing in this house."""


class InvalidMailing(MailingError):
    """What was filled in cannot be used; ``errors`` says per field why, as a code."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {code}" for name, code in errors.items()))
        self.errors = dict(errors)


class StaleEdition(MailingError):
    """Somebody else changed the mailing since it was read; nothing was written over."""

    def __init__(self, mailing_id: int, edition: int) -> None:
        super().__init__(f"{mailing_id} is at edition {edition}")
        self.mailing_id, self.edition = mailing_id, edition


class NotThatState(MailingError):
    """The mailing is in a state in which this cannot be done."""

    def __init__(self, mailing_id: int, state: str) -> None:
        super().__init__(f"{mailing_id} is {state}")
        self.mailing_id, self.state = mailing_id, state


class CannotSend(MailingError):
    """The mailing cannot be sent as it is; ``codes`` say why."""

    def __init__(self, mailing_id: int, codes: Sequence[str]) -> None:
        super().__init__(f"{mailing_id}: {', '.join(codes)}")
        self.mailing_id, self.codes = mailing_id, tuple(codes)


class NeedsAWord(MailingError):
    """A person must say yes first; ``code`` says to what, ``people`` how many it would be."""

    def __init__(self, mailing_id: int, code: str, *, people: int = 0) -> None:
        super().__init__(f"{mailing_id}: {code}")
        self.mailing_id, self.code, self.people = mailing_id, code, people
