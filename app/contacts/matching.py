"""Who is who: which records of a batch speak of the same person, and of which known contact. Pure rules.

A record matches by any of its identities. Where two of them belong to different people the record is in conflict and
is not stored: which of the two is right is for a person to decide, and nobody is ever merged silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.accounts.addresses import normalise_email
from app.contacts.normalise import cleaned, identity_key
from integrations.base import ContactRecord

EMAIL = "email"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KnownAs:
    """One identity, ready to be compared and stored."""

    kind: str
    value: str
    value_key: str

    @property
    def key(self) -> Key:
        """What makes the identity unique within an organisation."""
        return self.kind, self.value_key


@dataclass(slots=True)
class Person:
    """Everything a batch says about one person. ``contact_id`` is None for somebody new, until they have one."""

    contact_id: int | None
    is_new: bool
    records: list[int] = field(default_factory=list)
    identities: dict[Key, KnownAs] = field(default_factory=dict)
    new_identities: list[KnownAs] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The people of a batch; per record its person, or the code of what is wrong with it."""

    people: list[Person]
    person_of: list[Person | None]
    errors: list[str | None]


def identities_of(record: ContactRecord, normalise: Callable[[str], str | None]) -> tuple[list[KnownAs], str | None]:
    """Return the identities of a record, its own address first, and the code of what makes it unusable.

    An address that is none is left out where another identity remains; alone it makes the record unusable.
    """
    found: dict[Key, KnownAs] = {}
    error: str | None = None
    given = ([(EMAIL, record.email)] if record.email else []) + [(each.kind, each.value) for each in record.identities]
    for kind, value in given:
        kept = cleaned(value)
        if kept is None:
            continue
        value_key = normalise(kept) if kind == EMAIL else identity_key(kind, kept)
        if value_key is None:
            error = "invalid_email" if kind == EMAIL else "invalid_identity"
        else:
            found.setdefault((kind, value_key), KnownAs(kind, kept, value_key))
    return list(found.values()), None if found else error or "no_identity"


def identity_of(kind: str, value: str) -> Key | None:
    """The key of one identity as matching compares it, or None for what is none."""
    value_key = normalise_email(value) if kind == EMAIL else identity_key(kind, value)
    return None if value_key is None else (kind, value_key)


def assign(
    identities: Sequence[Sequence[KnownAs]], errors: Sequence[str | None], known: Mapping[Key, int]
) -> Assignment:
    """Assign every record to a person: a known contact, or somebody new that several records may share."""
    owner: dict[Key, Person] = {}
    people: dict[int, Person] = {}
    assignment = Assignment([], [], list(errors))
    for key, contact_id in known.items():
        owner[key] = people.setdefault(contact_id, Person(contact_id, is_new=False))
    for index, known_as in enumerate(identities):
        if assignment.errors[index] is not None:
            assignment.person_of.append(None)
            continue
        candidates = {id(owner[each.key]): owner[each.key] for each in known_as if each.key in owner}
        if len(candidates) > 1:
            assignment.errors[index] = "identity_conflict"
            assignment.person_of.append(None)
            continue
        person = next(iter(candidates.values()), None) or Person(None, is_new=True)
        if not person.records:
            assignment.people.append(person)
        person.records.append(index)
        assignment.person_of.append(person)
        for each in known_as:
            person.identities.setdefault(each.key, each)
            if each.key not in owner:
                owner[each.key] = person
                person.new_identities.append(each)
    return assignment
