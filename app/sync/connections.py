"""Connected systems: made, mended, paused, removed, and opened for those who speak to them.

Errors
------
SyncError
├── UnknownConnection   no such connection in this house (or it was removed)
└── InvalidSettings     ``errors`` maps a field to a code (``required``, ``bad_address``, ``unknown_system``, …)
"""

from __future__ import annotations

import json
import secrets as random_secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, func, select, update

from app import clock
from app.accounts import directory
from app.accounts.audit import Actor, record
from app.db import ScopedSession
from app.keyring import Keyring
from app.sync.models import Connection, InboxItem
from integrations.base import ConnectorError, Destination, OptOutTaker, Permanent, Source
from integrations.catalogue import SYSTEMS, SettingField, System, system_named
from integrations.json_api import check_base_url

CONNECTING_LOCK = 7301
TEXT_LENGTH_MAX = 500
LINES_LENGTH_MAX = 10_000
FIELD_OF_CODE = {"invalid_key": "api_key", "bad_address": "base_url"}
FAILING_AFTER = timedelta(minutes=30)  # an outage shorter than that is nobody's worry


class SyncError(Exception):
    """Something about a connection cannot be done."""


class UnknownConnection(SyncError):
    """There is no such connection in this house."""


class InvalidSettings(SyncError):
    """What was filled in cannot be used; ``errors`` says per field why, as a code."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(f"{name}: {code}" for name, code in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Filled:
    """What a person filled in for a system, checked and split: settings may be shown, secrets never."""

    system: System
    settings: dict[str, str]
    secrets: dict[str, str]


def read_settings(
    system: str,
    settings: Mapping[str, Any],
    secrets: Mapping[str, Any],
    *,
    allows_loopback: bool,
    known_secrets: Mapping[str, str] | None = None,
) -> Filled:
    """Check what was filled in, field by field, without asking the network anything.

    A secret left empty keeps its value from ``known_secrets``. Raises InvalidSettings with every field that is wrong.
    """
    if system not in SYSTEMS:
        raise InvalidSettings({"system": "unknown_system"})
    chosen, errors = SYSTEMS[system], {}
    taken: dict[bool, dict[str, str]] = {True: dict(known_secrets or {}), False: {}}
    for field in chosen.fields:
        value = (secrets if field.is_secret else settings).get(field.name)
        text = "" if value is None else str(value).strip()
        text = text or ("" if field.is_secret else field.default)
        if code := _field_problem(text, field, allows_loopback=allows_loopback):
            errors[field.name] = code
        elif text:
            taken[field.is_secret][field.name] = text
        if field.is_required and not errors.get(field.name) and field.name not in taken[field.is_secret]:
            errors[field.name] = "required"
    known = {field.name for field in chosen.fields}
    errors |= {name: "unknown_field" for name in [*settings, *secrets] if name not in known}
    if errors:
        raise InvalidSettings(errors)
    filled = Filled(chosen, taken[False], taken[True])
    _try_to_open(filled, allows_loopback=allows_loopback)
    return filled


def probe(filled: Filled, *, allows_loopback: bool) -> str:
    """Ask the system itself, and return the name of the account. Speaks to the network: never inside a transaction.

    Raises ConnectorError; ``Permanent`` means that what was filled in is wrong.
    """
    opened = _open(filled.system, filled.settings, filled.secrets, allows_loopback=allows_loopback)
    try:
        return opened.check()
    finally:
        close(opened)


def create_connection(
    session: ScopedSession, keyring: Keyring, filled: Filled, *, name: str, actor: Actor
) -> Connection:
    """Store a connection that is active from now on, findable by its webhook address; a source is due at once.

    Raises InvalidSettings (``already_connected``) where this house already reads the same account.
    """
    source_name = _source_name(session, filled)
    settings = {**filled.settings, **(_own_settings(source_name) if filled.system.kind == "source" else {})}
    token = random_secrets.token_urlsafe(32)
    connection = Connection(
        organisation_id=session.organisation_id,
        system=filled.system.system,
        kind=filled.system.kind,
        takes_opt_outs=_takes_opt_outs(filled),
        name=name.strip()[:TEXT_LENGTH_MAX] or filled.system.name,
        settings=settings,
        secrets_encrypted=keyring.encrypted(json.dumps(filled.secrets)),
        token_encrypted=keyring.encrypted(token),
        state="active",
        next_run_at=clock.now() if filled.system.kind == "source" else None,
        created_at=clock.now(),
    )
    session.add(connection)
    session.flush()
    directory.enter(
        session, keyring, "connection", token, organisation_id=session.organisation_id, target_id=connection.id
    )
    _record(session, actor, "create", connection)
    return connection


def change_connection(
    session: ScopedSession, keyring: Keyring, connection_id: int, *, filled: Filled, name: str, actor: Actor
) -> Connection:
    """Replace name, settings and secrets, and try again at once. The account it reads must stay the same.

    Raises UnknownConnection, or InvalidSettings (``another_account``) where another account was filled in.
    """
    connection = get_connection(session, connection_id)
    system = filled.system
    is_other = _account(system, connection.settings) != _account(system, filled.settings)
    if connection.system != system.system or is_other:
        raise InvalidSettings({system.fields[0].name: "another_account"})
    connection.name = name.strip()[:TEXT_LENGTH_MAX] or connection.name
    kept = {key: value for key, value in connection.settings.items() if key == "said" or key in ("source", "mark")}
    connection.settings = {**filled.settings, **kept}
    connection.takes_opt_outs = _takes_opt_outs(filled)
    connection.secrets_encrypted = keyring.encrypted(json.dumps(filled.secrets))
    _record(session, actor, "change", connection)
    _heal(connection)
    return connection


def get_connection(session: ScopedSession, connection_id: int) -> Connection:
    """Return a connection that was not removed; raises UnknownConnection."""
    found = session.scalars(
        select(Connection).where(Connection.id == connection_id, Connection.state != "removed")
    ).one_or_none()
    if found is None:
        raise UnknownConnection(connection_id)
    return found


def takes_noes() -> ColumnElement[bool]:
    """Whether a connection's system is told of every no: each destination, and a source that takes them."""
    return (Connection.kind == "destination") | Connection.takes_opt_outs


def list_connections(session: ScopedSession) -> Sequence[Connection]:
    """Return every connection that was not removed, the oldest first."""
    return session.scalars(select(Connection).where(Connection.state != "removed").order_by(Connection.id)).all()


def pause_connection(session: ScopedSession, connection_id: int, *, actor: Actor) -> Connection:
    """Stop reading. Webhooks are still taken in; those of a source wait until somebody resumes."""
    connection = get_connection(session, connection_id)
    connection.state = "paused"
    connection.lease_until = None
    _record(session, actor, "pause", connection)
    return connection


def resume_connection(session: ScopedSession, connection_id: int, *, actor: Actor) -> Connection:
    """Go on after a pause or a failure; a source is due at once."""
    connection = get_connection(session, connection_id)
    _heal(connection)
    _record(session, actor, "resume", connection)
    return connection


def run_now(session: ScopedSession, connection_id: int) -> Connection:
    """Make a source due at once. A failing one gets another chance; a paused one stays paused."""
    connection = get_connection(session, connection_id)
    if connection.state == "failing":
        _heal(connection)
    elif connection.state == "active" and connection.kind == "source":
        connection.next_run_at = clock.now()
    return connection


def remove_connection(session: ScopedSession, connection_id: int, *, actor: Actor) -> None:
    """Forget how to get in. What came in stays, and so does every consent event (I7)."""
    connection = get_connection(session, connection_id)
    connection.state = "removed"
    connection.secrets_encrypted = connection.token_encrypted = connection.hook_secret_encrypted = None
    connection.next_run_at = connection.lease_until = None
    directory.remove(session, "connection", organisation_id=session.organisation_id, target_id=connection_id)
    session.execute(
        update(InboxItem)
        .where(InboxItem.connection_id == connection_id, InboxItem.state.in_(("waiting", "dead")))
        .values(state="ignored", body=b"", processed_at=clock.now())
    )
    _record(session, actor, "remove", connection)


def read_secrets(keyring: Keyring, connection: Connection) -> dict[str, str]:
    """Return a connection's secrets in the clear, for the moment of use."""
    if connection.secrets_encrypted is None:
        return {}
    held: dict[str, str] = json.loads(keyring.decrypted(connection.secrets_encrypted))
    return held


def hook_url(keyring: Keyring, connection: Connection, *, base_url: str) -> str:
    """Return the address the system should send its webhooks to. It is a secret: show it to administrators only."""
    token = keyring.decrypted(connection.token_encrypted) if connection.token_encrypted else ""
    return f"{base_url}/hooks/{connection.system}/{token}"


def open_source(keyring: Keyring, connection: Connection, *, allows_loopback: bool) -> Source:
    """Return the source a connection stands for, asking the network nothing. ``close`` it after use."""
    system = system_named(connection.system)
    if system.open_source is None:
        raise Permanent("not_a_source", hint=system.system)
    return system.open_source(connection.settings, read_secrets(keyring, connection), allows_loopback)


def open_destination(keyring: Keyring, connection: Connection, *, allows_loopback: bool) -> Destination:
    """Return the destination a connection stands for, asking the network nothing. ``close`` it after use."""
    system = system_named(connection.system)
    if system.open_destination is None:
        raise Permanent("not_a_destination", hint=system.system)
    return system.open_destination(connection.settings, read_secrets(keyring, connection), allows_loopback)


def open_taker(keyring: Keyring, connection: Connection, *, allows_loopback: bool) -> OptOutTaker:
    """Return the system that opt-outs are carried to, asking the network nothing. ``close`` it after use.

    Raises Permanent (``not_a_destination``) for a source that takes none.
    """
    if connection.kind == "destination":
        return open_destination(keyring, connection, allows_loopback=allows_loopback)
    if not connection.takes_opt_outs:
        raise Permanent("not_a_destination", hint=connection.system)
    return cast("OptOutTaker", open_source(keyring, connection, allows_loopback=allows_loopback))


def close(opened: Source | Destination | OptOutTaker) -> None:
    """Give back the network connections of an opened system, where it holds any."""
    closing = getattr(opened, "close", None)
    if closing is not None:
        closing()


def record_success(connection: Connection) -> None:
    """Note that the system answered as it should."""
    connection.last_ok_at = clock.now()
    connection.failing_since = connection.failure_code = None
    if connection.state == "failing":
        connection.state = "active"


def record_failure(connection: Connection, error: ConnectorError) -> None:
    """Note what went wrong. Only what a person must mend, or what has lasted, makes a connection ``failing``."""
    now = clock.now()
    connection.failing_since = connection.failing_since or now
    connection.failure_code = error.code
    has_lasted = now - connection.failing_since >= FAILING_AFTER
    if connection.state == "active" and (isinstance(error, Permanent) or has_lasted):
        connection.state = "failing"


def _open(
    system: System, settings: Mapping[str, str], secrets: Mapping[str, str], *, allows_loopback: bool
) -> Source | Destination:
    opener = system.open_source or system.open_destination
    if opener is None:
        raise Permanent("unknown_system", hint=system.system)
    return opener(settings, secrets, allows_loopback)


def _try_to_open(filled: Filled, *, allows_loopback: bool) -> None:
    """Let the connector look at what was filled in; what it refuses without asking anybody is the person's to mend."""
    try:
        close(_open(filled.system, filled.settings, filled.secrets, allows_loopback=allows_loopback))
    except Permanent as error:
        blamed = FIELD_OF_CODE.get(error.code, error.hint)
        field = blamed if blamed in {each.name for each in filled.system.fields} else filled.system.fields[0].name
        raise InvalidSettings({field: error.code}) from error


def _heal(connection: Connection) -> None:
    connection.state = "active"
    connection.failing_since = connection.failure_code = None
    connection.next_run_at = clock.now() if connection.kind == "source" else None
    connection.lease_until = None


def _field_problem(text: str, field: SettingField, *, allows_loopback: bool) -> str | None:
    kind = field.kind
    if len(text) > (LINES_LENGTH_MAX if kind == "lines" else TEXT_LENGTH_MAX):
        return "too_long"
    if not ("".join(text.split("\n")) if kind == "lines" else text).replace("\r", "").isprintable():
        return "unreadable"
    if kind == "choice" and text and text not in {value for value, _label in field.choices}:
        return "unreadable"
    if kind == "yes_no" and text not in ("", "yes", "no"):
        return "unreadable"
    if kind == "url" and text:
        try:
            check_base_url(text, allows_loopback=allows_loopback)
        except Permanent as error:
            return error.code
    return None


def _takes_opt_outs(filled: Filled) -> bool:
    return filled.system.kind == "source" and filled.system.takes_opt_outs(filled.settings)


def _own_settings(source_name: str) -> dict[str, str]:
    """What we keep about a source for ourselves: its name in our records, and the mark of what we write there."""
    return {"source": source_name, "mark": random_secrets.token_hex(4)}


def _account(system: System, settings: Mapping[str, str]) -> tuple[str, ...]:
    """What tells two accounts of one system apart."""
    return tuple(settings.get(name, "").rstrip("/").lower() for name in system.account_fields)


def _source_name(session: ScopedSession, filled: Filled) -> str:
    """Return what this account is called in our records: always the same for one account, never for two.

    A connection that was removed and is made again finds its people and visits back under the same name.
    """
    system, fields = filled.system.system, filled.system
    # Two people who connect the same account at the same moment: the second waits here, and then sees the first.
    session.execute(select(func.pg_advisory_xact_lock(CONNECTING_LOCK, session.organisation_id)))
    earlier = session.scalars(
        select(Connection).where(Connection.system == system, Connection.kind == "source").order_by(Connection.id)
    ).all()
    same = [one for one in earlier if _account(fields, one.settings) == _account(fields, filled.settings)]
    if any(one.state != "removed" for one in same):
        raise InvalidSettings({fields.fields[0].name: "already_connected"})
    if same:
        return str(same[0].settings.get("source", system))
    names = {str(one.settings.get("source", system)) for one in earlier}
    return system if system not in names else f"{system}-{len(names) + 1}"


def _record(session: ScopedSession, actor: Actor, verb: str, connection: Connection) -> None:
    record(
        session,
        actor,
        f"connections.{verb}",
        subject=("connection", connection.id),
        details={"system": connection.system},
    )
