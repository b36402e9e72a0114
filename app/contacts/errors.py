"""What can be wrong with what this room is asked to do. Ids and codes only, never a name or an address.

ContactError
├── UnknownContact      there is no living contact with this id
├── IdentityConflict    an address or number belongs to somebody else
├── CannotMerge         ``code``: ``same_contact``
└── CannotUnmerge       ``code``: ``not_merged``, ``merged_further``
"""

from __future__ import annotations


class ContactError(Exception):
    """Something asked of a contact cannot be done; nothing was changed."""

    def __init__(self, contact_id: int, code: str) -> None:
        super().__init__(f"contact {contact_id}: {code}")
        self.contact_id = contact_id
        self.code = code


class UnknownContact(ContactError):
    """There is no living contact with this id."""

    def __init__(self, contact_id: int) -> None:
        super().__init__(contact_id, "unknown_contact")


class IdentityConflict(ContactError):
    """An address or number belongs to somebody else."""

    def __init__(self, contact_id: int) -> None:
        super().__init__(contact_id, "identity_conflict")


class CannotMerge(ContactError):
    """These two cannot become one."""


class CannotUnmerge(ContactError):
    """This contact cannot be parted from the one it became."""
