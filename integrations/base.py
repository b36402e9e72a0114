"""The plain records connectors speak, the protocols they keep, and the errors they raise.

A connector turns a vendor's words into these records and back. It holds no state but its HTTP session, opens no
database and never decides about consent: it reports what the vendor holds, and does exactly what it is told.

Errors
------
ConnectorError
├── Transient        try the same call again, not before ``retry_after_s``
├── Permanent        the same call will never succeed; a person must change something (``hint`` says what)
└── UnknownOutcome   the call may have been carried out; read back before doing anything else

Messages and ``hint`` never hold an e-mail address, a name or a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol


class ConnectorError(Exception):
    """Something went wrong while speaking to an outside system.

    ``code`` is a stable, lower-case word (``"unauthorised"``, ``"rate_limited"``, …) that pages translate for people.
    """

    def __init__(self, code: str, *, hint: str = "") -> None:
        super().__init__(f"{code}: {hint}" if hint else code)
        self.code = code
        self.hint = hint


class Transient(ConnectorError):
    """The system is busy, down or throttling; the same call may succeed later."""

    def __init__(self, code: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(code, hint=hint)
        self.retry_after_s = retry_after_s


class Permanent(ConnectorError):
    """The same call will not succeed until a person changes something; it must not be retried by itself."""


class UnknownOutcome(ConnectorError):
    """No answer came, and the call may have taken effect; the caller must read back before it writes again."""


# --- what sources bring in -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """One key by which a system knows a person: a kind (``email``, ``pretix:customer``, …) and its value."""

    kind: str
    value: str


class ConsentState(StrEnum):
    """What a source says about permission. ``UNKNOWN`` is kept as evidence and never allows anything."""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A source's statement about one contact, channel and purpose (``purpose`` None: all direct marketing).

    ``wording`` is the text the person saw, where the source still knows it; without it a statement IN is no proof.
    ``external_id`` makes replays harmless. ``basis`` is what a statement IN rests on: ``consent``, or ``soft_opt_in``
    with ``transaction`` and ``seller`` in ``raw``.

    ``question`` is the source's own key of what was asked: what an answer to it allows is the house's to say, and until
    it does (here or in the connection's settings) ``purpose`` is None and the answer allows and forbids nothing.
    """

    channel: str
    purpose: str | None
    state: ConsentState
    captured_at: datetime | None
    method: str
    wording: str | None = None
    wording_language: str | None = None
    basis: str = "consent"
    external_id: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)
    question: str | None = None


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """A person as a source knows them. Absent values are None, never empty strings, and overwrite nothing.

    ``custom`` holds what the source keeps in fields of the house's own making, by the source's key of the field: kept
    only where the house says as what.
    """

    source: str
    identities: tuple[IdentityRecord, ...]
    email: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    language: str | None = None
    gender: str | None = None
    birth_date: date | None = None
    phone: str | None = None
    street: str | None = None
    postcode: str | None = None
    municipality: str | None = None
    country: str | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    consents: tuple[ConsentRecord, ...] = ()
    custom: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """Something on offer, known to its source as ``external_id``; instants are aware.

    ``own_genres`` are the source's words where the house calls the genres otherwise; empty where they are the same.
    """

    source: str
    external_id: str
    title: str
    kind: str = "performance"
    genres: tuple[str, ...] = ()
    series: str | None = None
    venue: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    audiences: tuple[str, ...] = ()
    url: str | None = None
    is_cancelled: bool = False
    own_genres: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParticipationRecord:
    """One ticket line, check-in, loan or registration. ``amount`` is the total of the line, in ``currency``.

    ``contact`` is who takes part: whom the ticket names, else who ordered it. ``buyer`` is who ordered it, where the
    source says so (it may be the same person); None leaves what was known. ``status`` is one of ``booked``,
    ``attended``, ``cancelled``, ``refunded``, ``pending``.
    """

    source: str
    external_id: str
    contact: ContactRecord
    activity_source: str
    activity_external_id: str
    quantity: int = 1
    amount: Decimal | None = None
    currency: str = "EUR"
    channel: str | None = None
    kind: str = "ticket"
    status: str = "booked"
    booked_at: datetime | None = None
    attended_at: datetime | None = None
    buyer: ContactRecord | None = None


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """All participations whose external id begins with ``prefix`` are on this page, as far as they still exist.

    One that we hold and that is not here was taken out of its order, and has the status ``gone_as`` from now on. For
    systems that let a ticket disappear instead of calling it cancelled. ``nobodys`` are the external ids of those that
    still exist while the system no longer says whose they are: they stay as they were.
    """

    source: str
    prefix: str
    gone_as: str = "cancelled"
    nobodys: tuple[str, ...] = ()


class OfferKind(StrEnum):
    """What a source may have words of its own for: genres of activities, questions that people answer with yes or no,
    and fields of people."""

    GENRE = "genre"
    QUESTION = "question"
    FIELD = "field"


@dataclass(frozen=True, slots=True)
class Offer:
    """A word of a source's own: ``key`` names it there for ever, ``label`` is what people see of it there.

    ``is_choice`` is False for a question whose yes may have been there before the person came: it allows nothing.
    """

    kind: OfferKind
    key: str
    label: str
    is_choice: bool = True


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row of the vendor's that nobody can read: its number there, and a code that pages put in words."""

    external_id: str
    code: str = "unreadable_row"


@dataclass(frozen=True, slots=True)
class Vanished:
    """Something that its system no longer has, or made anonymous: an activity, or the key by which it knew a person."""

    kind: Literal["activity", "person"]
    source: str
    external_id: str
    identity_kind: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page of a stream, ready to be stored, with the cursor to resume after it.

    The cursor is opaque JSON; storing it means everything on this page is committed. ``total`` is the vendor's own
    estimate of rows in the whole pull, where it gives one. A row that cannot be read is told in ``problems`` and
    keeps nothing else from coming in. ``rows`` are the numbers of all rows of the page, read or not: what was told of
    them before holds no longer. ``offers`` are the words of its own that the source is known to have by now.
    """

    stream: str
    cursor: Mapping[str, Any]
    contacts: tuple[ContactRecord, ...] = ()
    activities: tuple[ActivityRecord, ...] = ()
    participations: tuple[ParticipationRecord, ...] = ()
    total: int | None = None
    whole: tuple[WholeOrder, ...] = ()
    problems: tuple[RowProblem, ...] = ()
    rows: tuple[str, ...] = ()
    vanished: tuple[Vanished, ...] = ()
    offers: tuple[Offer, ...] = ()


Listed = Literal["activities", "tickets", "people"]


@dataclass(frozen=True, slots=True)
class SourceCapabilities:
    """What a source can do, by its vendor's documentation (``read_on``: the day that page was read)."""

    system: str
    grade: str
    streams: tuple[str, ...]
    has_webhooks: bool
    signs_webhooks: bool
    has_delete_feed: bool
    reads_opt_ins: str
    writes_opt_outs: bool
    page_size: int
    requests_per_minute: int | None
    documentation: str
    read_on: date
    lists_whole: tuple[Listed, ...] = ()


class Source(Protocol):
    """A system we read from. Every method may raise Transient or Permanent.

    ``lists_whole`` of its capabilities says of what it can list every number there is; what we hold and is not listed
    is gone there. That is how one learns of it where no feed tells what was deleted.
    """

    capabilities: SourceCapabilities

    def check(self) -> str:
        """Return the name of the account the credentials belong to."""
        ...

    def pull(self, stream: str, cursor: Mapping[str, Any]) -> Iterator[SourcePage]:
        """Yield all pages of ``stream`` changed since ``cursor`` ({} for everything), oldest change first."""
        ...

    def present(self, what: Listed) -> Iterator[Sequence[str]]:
        """Yield the external ids of everything there is now, some at a time.

        Of activities, of tickets (participations), or of people (values of the identity kind ``<source>:customer``).
        Raises Permanent("unknown_stream") for any other.
        """
        ...

    def read_hook(self, body: bytes) -> Sequence[SourcePage]:
        """Refetch what a webhook speaks of and return it as pages, whose cursors are empty and never stored.

        An unknown kind of hook, or one about something that is gone, returns none. Raises Permanent for a body nobody
        can read (``unreadable_hook``) and for one about somebody else's account (``other_account``).
        """
        ...


# --- where audiences go ----------------------------------------------------------------------------------------------


class MemberStatus(StrEnum):
    """How a destination holds a person. Anything but SUBSCRIBED and PENDING is a fact our ledger must know."""

    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    CLEANED = "cleaned"
    PENDING = "pending"
    TRANSACTIONAL = "transactional"
    ARCHIVED = "archived"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class MemberState:
    """A person as the destination holds them. ``changed_at`` moves on any change and is never an opt-out time.

    ``signed_up_at``: when they signed up by a form of the destination's own, where it can show that they did so
    themselves; None where it cannot, and for whoever was added by a marketer, a file or a program. ``tag_ids``: the
    tags they carry, where a listing of changes tells (ids as ``ensure_tag`` gives them).
    """

    email: str
    status: MemberStatus
    changed_at: datetime | None = None
    reason: str | None = None
    external_id: str | None = None
    signed_up_at: datetime | None = None
    tag_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Membership:
    """A list that knows a person, and how that list by itself holds them: what stands above all lists is left out.

    ``purposes``: what the list is for, where its system says so itself (the opt-in of a box office); else empty.
    """

    list_id: str
    status: MemberStatus
    signed_up_at: datetime | None = None
    purposes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberPush:
    """A person to be known at the destination, with values for its fields by their tag (``FNAME``, …).

    ``may_track``: whether they agreed that their opens and clicks are followed; None where nobody asked them, and then
    a destination that keeps this leaves it as it is.
    """

    email: str
    fields: Mapping[str, str] = field(default_factory=dict)
    language: str | None = None
    may_track: bool | None = None


class PushOutcome(StrEnum):
    """The terminal result of one push. REFUSED and INVALID are results, not failures of the run."""

    DONE = "done"
    REFUSED = "refused"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class MemberResult:
    """What became of one push. ``code`` says why it was refused or invalid (``compliance_state``, ``forgotten``,
    ``invalid_address``, ``invalid_field``, ``stays_<status>``); ``status`` is how the person is held afterwards."""

    email: str
    outcome: PushOutcome
    status: MemberStatus | None = None
    code: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationList:
    """A list at the destination. ``double_opt_in`` decides what a new member's first status must be."""

    external_id: str
    name: str
    member_count: int
    double_opt_in: bool


@dataclass(frozen=True, slots=True)
class HookEvent:
    """What an inbound webhook speaks of: a hint that somebody changed, never the truth about them."""

    kind: str
    list_external_id: str | None
    email: str | None
    occurred_at: datetime | None
    dedupe_key: str
    old_email: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationCapabilities:
    """What a destination can do, by its vendor's documentation (``read_on``: the day that page was read).

    ``people_per_batch``: how many people one job holds, at a vendor that carries pushes out by itself
    (``BatchPusher``); 0 where it has no such thing.
    """

    system: str
    grade: str
    upserts_per_call: int
    tags_per_call: int
    connections_max: int
    has_webhooks: bool
    signs_webhooks: bool
    has_opt_out_poll: bool
    guards_person_opt_outs: bool
    has_suppression_list: bool
    erases_for_good: bool
    keeps_tracking_choice: bool
    longest_value: str
    documentation: str
    read_on: date
    reads_engagement: bool = False
    people_per_batch: int = 0


class OptOutTaker(Protocol):
    """A system that can be told of opt-outs: every destination, and every source that ``writes_opt_outs``.

    Safe to share between threads. Every method may raise Transient, Permanent or (writes only) UnknownOutcome.
    """

    @property
    def capabilities(self) -> DestinationCapabilities | SourceCapabilities:
        """What the system can do."""
        ...

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return every list (at a box office: every opt-in that stands for a purpose of ours) that knows a person.

        PENDING at a box office: they were never asked, so that nothing there keeps anybody from writing to them.
        """
        ...

    def suppress(self, email: str) -> bool:
        """Block an address above all lists; False where the system has no such thing."""
        ...

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Opt one person out; DONE is proven by the state read back. Nobody is created by it."""
        ...

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Delete one person from a list, as far as the system goes: a box office keeps customers, and opts them out."""
        ...


class Destination(Protocol):
    """A mail system that holds lists. No method can resubscribe anybody: the protocol has no word for it.

    Every method may raise Transient, Permanent or (writes only) UnknownOutcome.
    """

    capabilities: DestinationCapabilities

    def check(self) -> str:
        """Return the name of the account the credentials belong to."""
        ...

    def lists(self) -> Sequence[DestinationList]:
        """Return every list the account holds."""
        ...

    def field_tags(self, list_id: str) -> Sequence[str]:
        """Return the tags of the list's fields (``FNAME``, …) that a push may fill."""
        ...

    def changed_members(self, list_id: str, since: datetime | None) -> Iterator[MemberState]:
        """Yield everybody changed since then (None: everybody, archived included), oldest change first.

        Nobody is skipped, however the list moves while it is read; who changes meanwhile comes again with the later
        state. Vendors' clocks and filters are coarse: the caller subtracts its own overlap from ``since`` (aware).
        """
        ...

    def member(self, list_id: str, email: str) -> MemberState:
        """Return how one person is held now (ABSENT where unknown)."""
        ...

    def upsert(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> Iterator[MemberResult]:
        """Make each person known, without ever changing an existing status; yields one result a person.

        When a call fails the rest is not started, what is on its way is waited for, its results are yielded, and then
        the error is raised: a person without a result was not pushed, or (UnknownOutcome) perhaps was. Pushing again is
        harmless.
        """
        ...

    def ensure_tag(self, list_id: str, name: str) -> str:
        """Return the id of our tag, creating it where it is missing."""
        ...

    def tag(self, list_id: str, tag_id: str, *, add: Sequence[str], remove: Sequence[str]) -> Sequence[MemberResult]:
        """Put our tag on ``add`` and take it off ``remove`` (addresses); strangers to the list are results."""
        ...

    def tagged(self, list_id: str, tag_id: str) -> Iterator[str]:
        """Yield the addresses that carry our tag now."""
        ...

    def unsubscribe(self, list_id: str, email: str) -> MemberResult:
        """Opt one person out at the destination, and return the state read back as proof.

        DONE means they can get no marketing mail from this list: its ``status`` is then UNSUBSCRIBED, CLEANED, ARCHIVED
        or ABSENT. Nobody is created by it. UnknownOutcome obliges the caller to read ``member`` before calling it done.
        """
        ...

    def lists_holding(self, email: str) -> Sequence[Membership]:
        """Return every list of the account that knows a person, and how."""
        ...

    def suppress(self, email: str) -> bool:
        """Block an address for every list of the account at once; False where the vendor has no such list."""
        ...

    def erase(self, list_id: str, email: str) -> MemberResult:
        """Delete one person from a list, for good where the vendor can; DONE says that the list does not mail them.

        Saying it twice is saying it once, and nobody is created by it.
        """
        ...

    def ensure_webhook(self, list_id: str, url: str, *, renew: bool = False) -> str | None:
        """Make sure changes are announced to ``url``; return the signing secret where a new one was issued.

        A vendor shows a secret once. ``renew`` replaces what is there, for whoever has lost it.
        """
        ...

    def verify_hook(self, headers: Mapping[str, str], body: bytes, *, secret: str | None, now: datetime) -> bool:
        """Whether the body is the vendor's, as far as the vendor lets us know (True where it does not sign)."""
        ...

    def read_hook(self, body: bytes) -> Sequence[HookEvent]:
        """Turn a webhook's body into hints, oldest first."""
        ...


# --- what became of the mails a destination sent ---------------------------------------------------------------------


class Happening(StrEnum):
    """Something that became of a mail to a person. Opens are not among them: nobody here decides anything by one."""

    DELIVERED = "delivered"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class SentCampaign:
    """A mailing the destination sent by itself. ``numbers`` is what it counts of it, by ``Happening`` (``delivered``:
    how many it was sent to): where none of them changed, there is nothing new to read."""

    external_id: str
    name: str
    sent_at: datetime
    subject: str | None = None
    list_ids: tuple[str, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailHappening:
    """What became of one campaign's mail to one address. ``at`` is the campaign's ``sent_at`` where the vendor tells no
    instant. ``is_for_good``: a bounce after which the vendor mails them no more. ``url``: the link that was followed.
    ``is_machine``: the vendor says that no person did it. ``key`` tells two clicks of one person apart, in the vendor's
    own words, so that it is the same whenever it is read."""

    email: str
    what: Happening
    at: datetime
    list_id: str | None = None
    url: str | None = None
    key: str = ""
    is_for_good: bool = False
    is_machine: bool = False


@dataclass(frozen=True, slots=True)
class HappeningsPage:
    """One page of what became of a campaign, with the cursor (opaque JSON) from which to go on after it."""

    cursor: Mapping[str, Any]
    happenings: tuple[MailHappening, ...] = ()


class Reporter(Protocol):
    """A destination that tells what became of the mails it sent. Every method may raise Transient or Permanent."""

    def campaigns(self, since: datetime) -> Iterator[SentCampaign]:
        """Yield every campaign sent since then (aware), oldest first, each once."""
        ...

    def happenings(
        self, campaign: SentCampaign, cursor: Mapping[str, Any], *, at: datetime
    ) -> Iterator[HappeningsPage]:
        """Yield what became of a campaign since ``cursor`` ({}: everything) as known at ``at``.

        Nothing is left out, however it grows while it is read, and what was told may be told again. The cursor of a
        page resumes behind it after a kill; that of the last page is where the next reading begins. There is always a
        last page, even where nothing happened.
        """
        ...


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """How far a job at the vendor is; ``is_gone``: the vendor does not know it (any more)."""

    is_finished: bool
    done: int = 0
    total: int = 0
    is_gone: bool = False


class BatchPusher(Destination, Protocol):
    """A destination that declares ``people_per_batch``: it takes thousands of pushes as one job.

    What a job does to a person is what ``upsert`` does, but nobody knows when, nor in which order.
    """

    def begin_batch(self, list_id: str, people: Sequence[MemberPush], *, double_opt_in: bool) -> str:
        """Hand a job over and return its id. UnknownOutcome obliges the caller to look for it (``find_batch``)."""
        ...

    def find_batch(self, size: int, *, since: datetime) -> str | None:
        """Return the job of so many people that was handed over since then, or None where there is none."""
        ...

    def batch_progress(self, batch_id: str, *, patience_s: float) -> BatchProgress:
        """Return how far a job is, after waiting for its end for at most so long."""
        ...

    def batch_results(self, batch_id: str, list_id: str, emails: Sequence[str]) -> Iterator[MemberResult]:
        """Yield what became of each person of a finished job; who is left out was not pushed, or perhaps was."""
        ...
