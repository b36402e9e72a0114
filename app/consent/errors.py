"""What can be wrong with what the consent room is asked to do. Ids and codes only, never an address.

ConsentError
├── UnknownPurpose      the organisation has no purpose with this code
├── UnknownNotice       no notice version with this id belongs to the purpose
└── NobodyMeant         an event names neither an address that can exist nor a contact
"""

from __future__ import annotations


class ConsentError(Exception):
    """Something asked of the ledger cannot be done; nothing was recorded."""


class UnknownPurpose(ConsentError):
    """The organisation has no purpose with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"unknown purpose {code}")
        self.code = code


class UnknownNotice(ConsentError):
    """No notice version with this id belongs to the purpose of the event."""

    def __init__(self, notice_version_id: int) -> None:
        super().__init__(f"unknown notice version {notice_version_id}")
        self.notice_version_id = notice_version_id


class NobodyMeant(ConsentError):
    """An event names neither an address that can exist nor a contact."""
