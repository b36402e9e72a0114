"""Who is who: which records of a batch speak of the same person, and of which known contact. Pure rules.

A record matches by any of its identities. Where two of them belong to different people the record is in conflict and
is not stored: which of the two is right is for a person to decide, and nobody is ever merged silently.

But a mailbox may have several readers. Where one system knows two customers of different first names at one address,
they are two people: each keeps their own number, and both the address (decision 0010). So the number a system gives
somebody goes before the address, and an address that several people read names, by itself, whoever of them has the
first name that comes with it, else its holder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from app.accounts.addresses import normalise_email
from app.contacts.normalise import cleaned, folded, identity_key
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
    guest_of: set[Key] = field(default_factory=set)
    numbers: dict[str, set[str]] = field(default_factory=dict)
    given_name: str | None = None

    def takes(self, identity: KnownAs) -> None:
        """Note what the person is known by."""
        self.identities.setdefault(identity.key, identity)
        if identity.kind != EMAIL:
            self.numbers.setdefault(identity.kind, set()).add(identity.value_key)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody known who reads a mailbox: what tells them from the others. ``numbers`` by the kind of identity."""

    contact_id: int
    given_name: str | None
    numbers: Mapping[str, frozenset[str]]


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
    identities: Sequence[Sequence[KnownAs]],
    errors: Sequence[str | None],
    known: Mapping[Key, int],
    *,
    given_names: Sequence[str | None] = (),
    readers: Mapping[Key, Sequence[Reader]] | None = None,
) -> Assignment:
    """Assign every record to a person: a known contact, or somebody new that several records may share.

    ``known`` holds the holder of each known identity, ``given_names`` the first name of each record where it has one,
    and ``readers`` who reads each known mailbox, the holder first.
    """
    owners = _Owners(known, readers or {})
    assignment = Assignment([], [], list(errors))
    for index, known_as in enumerate(identities):
        person = None
        if assignment.errors[index] is None:
            given_name = given_names[index] if given_names else None
            person = owners.person_of(known_as, _folded(given_name))
            if person is None:
                assignment.errors[index] = "identity_conflict"
        assignment.person_of.append(person)
        if person is None:
            continue
        if not person.records:
            assignment.people.append(person)
        person.records.append(index)
        person.given_name = _folded(given_name) or person.given_name
        owners.give(person, known_as)
    return assignment


class _Owners:
    """Who holds which identity, and who else reads which mailbox: as the store knows it, and as a batch goes on."""

    def __init__(self, known: Mapping[Key, int], readers: Mapping[Key, Sequence[Reader]]) -> None:
        self._people: dict[int, Person] = {}
        self._readers = {key: [self._known(each.contact_id, each) for each in held] for key, held in readers.items()}
        self._holder = {key: self._known(contact_id) for key, contact_id in known.items()}

    def person_of(self, known_as: Sequence[KnownAs], given_name: str | None) -> Person | None:
        """Return whom these identities name together, maybe somebody new; None where they contradict each other."""
        numbered = _different(self._holder.get(each.key) for each in known_as if each.kind != EMAIL)
        mailboxes = [each.key for each in known_as if each.kind == EMAIL and each.key in self._holder]
        if len(numbered) > 1:
            return None
        if numbered:
            person = numbered[0]
            holders = [self._holder[key] for key in mailboxes if not self._reads(person, key)]
            return person if all(_are_two(known_as, given_name, each) for each in holders) else None
        if not mailboxes:
            return Person(None, is_new=True)
        if len(_different(self._holder[key] for key in mailboxes)) > 1:
            readers = _different(self._holder[key] for key in mailboxes)
            return next((each for each in readers if all(self._reads(each, key) for key in mailboxes)), None)
        return self._reader(known_as, given_name, mailboxes[0])

    def give(self, person: Person, known_as: Sequence[KnownAs]) -> None:
        """Note that a person is known by these; they share a mailbox that has a holder already."""
        for each in known_as:
            person.takes(each)
            if each.key not in self._holder:
                self._holder[each.key] = person
                person.new_identities.append(each)
            elif not self._reads(person, each.key):
                self._readers.setdefault(each.key, [self._holder[each.key]]).append(person)
                person.guest_of.add(each.key)
                person.new_identities.append(each)

    def _reader(self, known_as: Sequence[KnownAs], given_name: str | None, mailbox: Key) -> Person:
        holder = self._holder[mailbox]
        readers = self._readers.get(mailbox, [holder])
        if given_name is not None:
            named = next((each for each in readers if each.given_name == given_name), None)
            if named is not None:
                return named
        return Person(None, is_new=True) if _are_two(known_as, given_name, holder) else holder

    def _reads(self, person: Person, mailbox: Key) -> bool:
        return self._holder[mailbox] is person or person in self._readers.get(mailbox, ())

    def _known(self, contact_id: int, reader: Reader | None = None) -> Person:
        person = self._people.setdefault(contact_id, Person(contact_id, is_new=False))
        if reader is not None:
            person.given_name = _folded(reader.given_name)
            person.numbers = {kind: set(values) for kind, values in reader.numbers.items()}
        return person


def _are_two(known_as: Sequence[KnownAs], given_name: str | None, holder: Person) -> bool:
    """Whether a record speaks of another person than the holder of its address: one system has a number for each."""
    if not are_other_names(given_name, holder.given_name):
        return False
    return any(
        (numbers := holder.numbers.get(each.kind)) and each.value_key not in numbers
        for each in known_as
        if each.kind != EMAIL
    )


def are_other_names(one: str | None, other: str | None) -> bool:
    """Whether two first names (as ``normalise.folded`` writes them) can hardly be one person's: An and Bo are, An and
    Anneke, or An and A., are not."""
    return bool(one and other) and not (str(one).startswith(str(other)) or str(other).startswith(str(one)))


def _different(people: Iterable[Person | None]) -> list[Person]:
    return list({id(each): each for each in people if each is not None}.values())


def _folded(name: str | None) -> str | None:
    return (folded(name).rstrip(".") or None) if name else None
