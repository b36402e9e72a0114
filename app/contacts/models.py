"""Tables of people and of imports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Date,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped

from app.contacts import likeness
from app.db import INSTANT, Base, column


class Contact(Base):
    """A person the organisation may know under several identities.

    ``email`` repeats the value of the primary e-mail identity, for lists and rules; the identity is the truth.
    Blank text is stored as NULL. Only contacts whose state is ``living`` are members of anything.
    """

    __tablename__ = "contact"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["organisation_id", "merged_into_id"], ["contact.organisation_id", "contact.id"]),
        CheckConstraint("state IN ('living', 'merged', 'erased')", name="state_known"),
        CheckConstraint("(state = 'merged') = (merged_into_id IS NOT NULL)", name="merged_has_target"),
        Index("ix_contact_updated", "organisation_id", "updated_at", "id"),
        # A search by the beginning of a word can use these whatever the collation.
        Index(
            "ix_contact_family_name",
            "organisation_id",
            func.lower(literal_column("family_name")).label("folded"),
            postgresql_ops={"folded": "text_pattern_ops"},
        ),
        Index(
            "ix_contact_given_name",
            "organisation_id",
            func.lower(literal_column("given_name")).label("folded"),
            postgresql_ops={"folded": "text_pattern_ops"},
        ),
        # As rules compare it.
        Index(
            "ix_contact_postcode",
            "organisation_id",
            func.lower(func.btrim(literal_column("postcode"))).label("folded"),
            postgresql_ops={"folded": "text_pattern_ops"},
            postgresql_where=text("state = 'living'"),
        ),
        Index("ix_contact_birthday", "organisation_id", "birth_month_day", postgresql_where=text("state = 'living'")),
        Index("ix_contact_tags", "tags", postgresql_using="gin"),
        *(
            Index(
                f"ix_contact_{key}",
                "organisation_id",
                key,
                postgresql_where=text(f"state = 'living' AND {key} IS NOT NULL"),
            )
            for key in likeness.KEYS
            if key != "like_number"  # only tells apart what another key found
        ),
        {"info": {"on_erasure": "empty"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    state: Mapped[str] = column(Text, nullable=False, default="living", server_default="living", pii="none")
    merged_into_id: Mapped[int | None] = column(BigInteger, pii="none")
    is_restricted: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    email: Mapped[str | None] = column(Text, pii="contact")
    given_name: Mapped[str | None] = column(Text, pii="contact")
    family_name: Mapped[str | None] = column(Text, pii="contact")
    language: Mapped[str | None] = column(Text, pii="contact")
    gender: Mapped[str | None] = column(Text, pii="contact")
    birth_date: Mapped[date | None] = column(Date, pii="contact")
    birth_month_day: Mapped[int | None] = column(
        SmallInteger,
        Computed("(date_part('month', birth_date) * 100 + date_part('day', birth_date))::smallint", persisted=True),
        pii="contact",
    )
    phone: Mapped[str | None] = column(Text, pii="contact")
    street: Mapped[str | None] = column(Text, pii="contact")
    postcode: Mapped[str | None] = column(Text, pii="contact")
    municipality: Mapped[str | None] = column(Text, pii="contact")
    country: Mapped[str | None] = column(Text, pii="contact")
    # What likely-same people and people of one household have in common; see ``likeness``.
    like_name: Mapped[int | None] = column(
        BigInteger, Computed(likeness.KEYS["like_name"], persisted=True), pii="pseudonym"
    )
    like_phone: Mapped[int | None] = column(
        BigInteger, Computed(likeness.KEYS["like_phone"], persisted=True), pii="pseudonym"
    )
    like_birth: Mapped[int | None] = column(
        BigInteger, Computed(likeness.KEYS["like_birth"], persisted=True), pii="pseudonym"
    )
    like_number: Mapped[int | None] = column(
        BigInteger, Computed(likeness.KEYS["like_number"], persisted=True), pii="pseudonym"
    )
    like_address: Mapped[int | None] = column(
        BigInteger, Computed(likeness.KEYS["like_address"], persisted=True), pii="pseudonym"
    )
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    tags: Mapped[list[str]] = column(ARRAY(Text), nullable=False, default=list, server_default="{}", pii="contact")
    attributes: Mapped[dict[str, Any]] = column(
        JSONB, nullable=False, default=dict, server_default=text("'{}'::jsonb"), pii="contact"
    )
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class ContactIdentity(Base):
    """One address, card or system key by which a contact is known.

    ``value_key`` is the normalised value that matching compares. E-mail identities carry the keyed hash by which the
    ledger knows the address, and whether mail arrives there (deliverability heals by itself; permission does not).

    Several people may read one mailbox (``is_shared``). One of them holds it (``is_holder``): whom the address alone
    stands for. Every other identity has one holder and no more.
    """

    __tablename__ = "identity"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("deliverability IN ('unknown', 'working', 'soft_bouncing', 'bouncing')", name="deliverability"),
        CheckConstraint("kind <> 'email' OR subject_key IS NOT NULL", name="email_has_subject_key"),
        CheckConstraint("is_holder OR (kind = 'email' AND is_shared)", name="only_mailboxes_are_shared"),
        Index(
            "uq_identity_value",
            "organisation_id",
            "kind",
            "value_key",
            unique=True,
            postgresql_where=text("is_holder"),
        ),
        Index(
            "uq_identity_guest",
            "organisation_id",
            "kind",
            "value_key",
            "contact_id",
            unique=True,
            postgresql_where=text("NOT is_holder"),
        ),
        Index("ix_identity_shared", "organisation_id", "subject_key", postgresql_where=text("is_shared")),
        Index("ix_identity_contact", "organisation_id", "contact_id"),
        Index("ix_identity_subject", "organisation_id", "subject_key"),
        # The few whose mail does not arrive, for conditions about them.
        Index(
            "ix_identity_bouncing",
            "organisation_id",
            "deliverability",
            "contact_id",
            postgresql_where=text("kind = 'email' AND is_primary AND deliverability IN ('soft_bouncing', 'bouncing')"),
        ),
        Index("ix_identity_bounced", "organisation_id", "bounced_at", postgresql_where=text("bounced_at IS NOT NULL")),
        Index(
            "ix_identity_address",
            "organisation_id",
            "value_key",
            postgresql_ops={"value_key": "text_pattern_ops"},
            postgresql_where=text("kind = 'email'"),
        ),
        Index(
            "ix_identity_secondary_email",
            "organisation_id",
            "contact_id",
            postgresql_where=text("kind = 'email' AND NOT is_primary"),
            postgresql_include=["subject_key"],
        ),
        Index(
            "uq_identity_primary_email",
            "organisation_id",
            "contact_id",
            unique=True,
            postgresql_where=text("kind = 'email' AND is_primary"),
            postgresql_include=["subject_key", "deliverability"],
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    value: Mapped[str] = column(Text, nullable=False, pii="contact")
    value_key: Mapped[str] = column(Text, nullable=False, pii="contact")
    subject_key: Mapped[bytes | None] = column(LargeBinary, pii="pseudonym")
    is_primary: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    is_holder: Mapped[bool] = column(nullable=False, default=True, server_default=text("true"), pii="none")
    is_shared: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    deliverability: Mapped[str] = column(Text, nullable=False, default="unknown", server_default="unknown", pii="none")
    bounced_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    soft_bounces: Mapped[int] = column(SmallInteger, nullable=False, default=0, server_default="0", pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class MailEvent(Base):
    """Something that happened to a mail to a contact: delivered, opened, clicked, bounced; of another system's mail
    also that they unsubscribed or complained because of it (of ours, the ledger tells).

    ``occurred_on`` is the local date in the organisation's zone. ``mailing_id`` is a mailing of ours, ``campaign`` the
    reference of one that another system sent; ``delivery_id`` and ``link_id`` name our mail to this person and the link
    in it. What a machine did (``is_machine``) is kept, and counts for nothing.
    """

    __tablename__ = "mail_event"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint(
            "event IN ('delivered', 'opened', 'clicked', 'bounced', 'unsubscribed', 'complained')", name="event_known"
        ),
        Index("uq_mail_event_external", "organisation_id", "source", "external_id", unique=True),
        Index(
            "ix_mail_event_counted",
            "organisation_id",
            "contact_id",
            "event",
            "occurred_on",
            postgresql_include=["mailing_id"],
            postgresql_where=text("NOT is_machine"),
        ),
        # Who has a date that the edge of a window passed over. Events come in by date: summaries of blocks do.
        Index(
            "ix_mail_event_occurred",
            "occurred_on",
            postgresql_using="brin",
            postgresql_ops={"occurred_on": "date_minmax_multi_ops"},
        ),
        Index(
            "ix_mail_event_delivery", "organisation_id", "delivery_id", postgresql_where=text("delivery_id IS NOT NULL")
        ),
        Index(
            "ix_mail_event_mailing",
            "organisation_id",
            "mailing_id",
            "event",
            postgresql_include=["contact_id", "is_machine", "link_id"],
            postgresql_where=text("mailing_id IS NOT NULL"),
        ),
        # What happened to a mailing that another system sent.
        Index(
            "ix_mail_event_campaign",
            "organisation_id",
            "campaign",
            "event",
            postgresql_where=text("campaign IS NOT NULL"),
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    event: Mapped[str] = column(Text, nullable=False, pii="contact")
    occurred_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="contact")
    occurred_on: Mapped[date] = column(Date, nullable=False, pii="contact")
    mailing_id: Mapped[int | None] = column(BigInteger, pii="none")
    campaign: Mapped[str | None] = column(Text, pii="none")
    delivery_id: Mapped[int | None] = column(BigInteger, pii="none")
    link_id: Mapped[int | None] = column(BigInteger, pii="none")
    is_machine: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    external_id: Mapped[str] = column(Text, nullable=False, pii="pseudonym")
    recorded_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class Pass(Base):
    """A card or subscription of a contact, of a programme such as ``uitpas``.

    ``expires_on`` is the last day on which it is valid. ``number_key`` is what tells one card of a programme from
    another. A pass that was stopped is not valid, whatever its dates say.
    """

    __tablename__ = "pass"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("status IN ('valid', 'stopped')", name="status_known"),
        CheckConstraint("valid_from <= expires_on", name="begins_before_it_ends"),
        CheckConstraint("points >= 0", name="points_count"),
        Index("uq_pass_number", "organisation_id", "programme", "number_key", unique=True),
        Index("ix_pass_contact", "organisation_id", "contact_id"),
        Index("ix_pass_expires", "organisation_id", "programme", "expires_on"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    programme: Mapped[str] = column(Text, nullable=False, pii="none")
    number: Mapped[str] = column(Text, nullable=False, pii="contact")
    number_key: Mapped[str] = column(Text, nullable=False, pii="contact")
    status: Mapped[str] = column(Text, nullable=False, default="valid", server_default="valid", pii="contact")
    valid_from: Mapped[date | None] = column(Date, pii="contact")
    expires_on: Mapped[date | None] = column(Date, pii="contact")
    points: Mapped[int | None] = column(Integer, pii="contact")
    source: Mapped[str] = column(Text, nullable=False, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    updated_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class ContactMerge(Base):
    """Two contacts that became one, with what moved, so that it can be undone.

    ``moved`` holds the ids of the identities and participations that went along, which address was primary, and the
    names of the fields, tags and attributes the remaining contact took over. ``undone_at``: they were parted again.
    """

    __tablename__ = "contact_merge"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"],
            ["contact.organisation_id", "contact.id"],
            name="fk_contact_merge_contact_contact",
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["organisation_id", "into_id"],
            ["contact.organisation_id", "contact.id"],
            name="fk_contact_merge_into_contact",
            ondelete="CASCADE",
        ),
        Index(
            "uq_contact_merge_standing",
            "organisation_id",
            "contact_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
        ),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    into_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    moved: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="content")
    merged_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    undone_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class AddressChange(Base):
    """A person's wish to be mailed at another address, until the new mailbox has answered.

    ``subject_key`` is the hash of the new address; ``address`` goes as soon as the wish is carried out or handed over.
    """

    __tablename__ = "address_change"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(
            ["organisation_id", "contact_id"], ["contact.organisation_id", "contact.id"], ondelete="CASCADE"
        ),
        CheckConstraint("state IN ('waiting', 'done', 'for_colleagues')", name="state_known"),
        CheckConstraint("(state = 'waiting') = (address IS NOT NULL)", name="address_until_done"),
        Index("ix_address_change_contact", "organisation_id", "contact_id"),
        {"info": {"on_erasure": "delete"}},
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    contact_id: Mapped[int] = column(BigInteger, nullable=False, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, nullable=False, pii="pseudonym")
    address: Mapped[str | None] = column(Text, pii="contact")
    state: Mapped[str] = column(Text, nullable=False, default="waiting", server_default="waiting", pii="none")
    asked_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    done_at: Mapped[datetime | None] = column(INSTANT, pii="none")


class AddressKept(Base):
    """An address that looked wrong and that somebody called right: it is not asked about again."""

    __tablename__ = "address_kept"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "subject_key"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    subject_key: Mapped[bytes] = column(LargeBinary, pii="pseudonym")
    kept_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")


class ImportJob(Base):
    """One uploaded file on its way into the store: its mapping, its progress, and what came of it.

    ``preview`` shows a few rows as the dry run left them; it goes when the import starts.

    ``rows_done`` is the checkpoint: everything up to it is committed, and a killed import resumes after it.
    """

    __tablename__ = "import_job"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "id"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
        CheckConstraint("kind IN ('contacts', 'participations')", name="kind_known"),
        CheckConstraint(
            "state IN ('uploaded', 'checking', 'checked', 'queued', 'running', 'done', 'failed', 'cancelled')",
            name="state_known",
        ),
        Index("ix_import_job_waiting", "organisation_id", "state", "id"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    id: Mapped[int] = column(BigInteger, Identity(), pii="none")
    kind: Mapped[str] = column(Text, nullable=False, pii="none")
    preset: Mapped[str] = column(Text, nullable=False, pii="none")
    file_name: Mapped[str] = column(Text, nullable=False, pii="content")
    content: Mapped[bytes | None] = column(LargeBinary, pii="content")
    content_sha256: Mapped[bytes] = column(LargeBinary, nullable=False, pii="none")
    reading: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    mapping: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    state: Mapped[str] = column(Text, nullable=False, pii="none")
    rows_total: Mapped[int | None] = column(Integer, pii="none")
    rows_done: Mapped[int] = column(Integer, nullable=False, default=0, server_default="0", pii="none")
    counts: Mapped[dict[str, Any]] = column(JSONB, nullable=False, default=dict, pii="none")
    preview: Mapped[dict[str, Any] | None] = column(JSONB(none_as_null=True), pii="content")
    problem: Mapped[str | None] = column(Text, pii="none")
    created_by: Mapped[int | None] = column(BigInteger, pii="none")
    created_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
    started_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    finished_at: Mapped[datetime | None] = column(INSTANT, pii="none")
    lease_until: Mapped[datetime | None] = column(INSTANT, pii="none")


class ImportProblem(Base):
    """Why one row of a file was not taken: where it is, in which column, and the reason as a code with its values."""

    __tablename__ = "import_problem"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "job_id", "row_number", "column_name"),
        ForeignKeyConstraint(
            ["organisation_id", "job_id"], ["import_job.organisation_id", "import_job.id"], ondelete="CASCADE"
        ),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    job_id: Mapped[int] = column(BigInteger, pii="none")
    row_number: Mapped[int] = column(Integer, pii="none")
    column_name: Mapped[str] = column(Text, pii="none")
    code: Mapped[str] = column(Text, nullable=False, pii="none")
    value: Mapped[str | None] = column(Text, pii="content")
    is_warning: Mapped[bool] = column(nullable=False, default=False, server_default=text("false"), pii="none")


class ImportMapping(Base):
    """A mapping that is remembered for files with the same headers."""

    __tablename__ = "import_mapping"
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "kind", "headers_sha256"),
        ForeignKeyConstraint(["organisation_id"], ["organisation.id"], ondelete="CASCADE"),
    )

    organisation_id: Mapped[int] = column(Integer, pii="none")
    kind: Mapped[str] = column(Text, pii="none")
    headers_sha256: Mapped[bytes] = column(LargeBinary, pii="none")
    preset: Mapped[str] = column(Text, nullable=False, pii="none")
    mapping: Mapped[dict[str, Any]] = column(JSONB, nullable=False, pii="none")
    used_at: Mapped[datetime] = column(INSTANT, nullable=False, pii="none")
