"""How a house sends: what it filled in, what the installation gives, and whether that is enough to begin."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.accounts.house_colours import DEFAULT, palette_of, parse_colour
from app.accounts.mailed_links import let_mail_be_asked_about
from app.accounts.organisations import current_organisation
from app.config import Settings
from app.db import ScopedSession
from app.keyring import Keyring, KeyringError
from app.mailings import places
from app.mailings.dkim import Signer
from app.mailings.dkim_keys import signers_of
from app.mailings.models import MailSetting
from app.runtime import Runtime
from integrations.esp.smtp import Relay, Security

# Why nothing is sent, in the order in which a house mends it.
Missing = Literal["other_keyring", "no_relay", "no_from_address", "no_postal_address", "not_confirmed_here"]


@dataclass(frozen=True, slots=True)
class Sender:
    """Everything that is the same for every mail of a house: who sends, through what, and what stands under it."""

    organisation_id: int
    relay: Relay
    from_name: str
    from_address: str
    reply_to: str | None
    bounces_go: str
    bounce_address: str | None
    postal_address: str
    colour: str
    on_colour: str
    language: str
    time_zone: str
    base_url: str
    signers: Sequence[Signer] = ()

    @property
    def domain(self) -> str:
        """The domain mails come from."""
        return self.from_address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class NotReady:
    """Why a house cannot send yet."""

    missing: Missing


def setting_of(session: ScopedSession, settings: Settings) -> MailSetting:
    """Return how the house sends. A house that never said anything sends from where it is now."""
    found = session.scalars(select(MailSetting)).one_or_none()
    if found is not None:
        return found
    session.execute(
        insert(MailSetting)
        .values(organisation_id=session.organisation_id, confirmed_place=places.here(session, settings))
        .on_conflict_do_nothing()
    )
    return session.scalars(select(MailSetting)).one()


def change_settings(
    session: ScopedSession, keyring: Keyring, setting: MailSetting, *, values: Mapping[str, Any], password: str | None
) -> None:
    """Store what a person filled in; ``password`` None keeps the one we have. Sending is tried again at once.

    A relay that changes loses its password, so that none is ever handed to another machine than it was given for.
    """
    if loses_password(setting, values):
        setting.relay_password = None
    for name, value in values.items():
        setattr(setting, name, value)
    if password is not None:
        setting.relay_password = keyring.encrypted(password)
    forget_trouble(setting)


def loses_password(setting: MailSetting, values: Mapping[str, Any]) -> bool:
    """Whether the password we have was given for another relay than the one that is named now."""
    if setting.relay_password is None:
        return False
    return any(values[name] != getattr(setting, name) for name in ("relay_host", "relay_port", "relay_user"))


def forget_trouble(setting: MailSetting) -> None:
    """Have the relay tried again at once."""
    setting.failing_since, setting.problem_code, setting.failures, setting.next_try_at = None, None, 0, None


def sender_of(session: ScopedSession, runtime: Runtime) -> Sender | NotReady:
    """Return who sends and how, or the first thing that is missing."""
    try:
        return _sender_of(session, runtime)
    except KeyringError:
        return NotReady("other_keyring")


def _sender_of(session: ScopedSession, runtime: Runtime) -> Sender | NotReady:
    setting, house = setting_of(session, runtime.settings), current_organisation(session)
    relay = _relay(setting, runtime)
    from_address = setting.from_address or runtime.settings.mail_from_address
    colours = palette_of(parse_colour(str(house.settings.get("colour", ""))) or DEFAULT)
    if relay is None:
        return NotReady("no_relay")
    if not from_address:
        return NotReady("no_from_address")
    if not house.legal_address:
        return NotReady("no_postal_address")
    if setting.confirmed_place != places.here(session, runtime.settings):
        return NotReady("not_confirmed_here")
    return Sender(
        organisation_id=session.organisation_id,
        relay=relay,
        from_name=setting.from_name or house.name,
        from_address=from_address,
        reply_to=setting.reply_to,
        bounces_go=setting.bounces_go,
        bounce_address=setting.bounce_address,
        postal_address=f"{house.legal_name or house.name}\n{house.legal_address}",
        colour=colours.house,
        on_colour=colours.on_house,
        language=house.language,
        time_zone=house.time_zone,
        base_url=runtime.settings.base_url,
        signers=signers_of(session, runtime.keyring, from_address.rpartition("@")[2]),
    )


def is_ready(session: ScopedSession, runtime: Runtime) -> bool:
    """Whether the house can send and its relay took the last mail."""
    return (
        isinstance(sender_of(session, runtime), Sender) and setting_of(session, runtime.settings).failing_since is None
    )


let_mail_be_asked_about(is_ready)


def may_try(setting: MailSetting, *, at: datetime) -> bool:
    """Whether the relay is not resting after a failure."""
    return setting.next_try_at is None or setting.next_try_at <= at


def relay_from(
    values: Mapping[str, Any], *, password: str = "", greets_as: str = "localhost", allows_loopback: bool = False
) -> Relay:
    """Return the relay a house filled in; it must be in the open, since any house may fill in anything."""
    return Relay(
        host=values["relay_host"],
        port=values["relay_port"],
        security=cast(Security, values["relay_security"]),
        user=values["relay_user"] or "",
        password=password,
        greets_as=greets_as,
        allows_loopback=allows_loopback,
    )


def _relay(setting: MailSetting, runtime: Runtime) -> Relay | None:
    """The house's own relay, else the installation's, which the operator answers for."""
    settings = runtime.settings
    host = urlsplit(settings.base_url).hostname or ""
    greets_as = host if re.search(r"\.[a-z]", host) else "localhost"
    if setting.relay_host:
        password = "" if setting.relay_password is None else runtime.keyring.decrypted(setting.relay_password)
        values = {name: getattr(setting, name) for name in ("relay_host", "relay_port", "relay_security", "relay_user")}
        return relay_from(
            values, password=password, greets_as=greets_as, allows_loopback=settings.allow_loopback_connections
        )
    if not settings.mail_relay_host:
        return None
    return Relay(
        host=settings.mail_relay_host,
        port=settings.mail_relay_port,
        security=cast(Security, settings.mail_relay_security),
        user=settings.mail_relay_user,
        password=settings.mail_relay_password,
        greets_as=greets_as,
        is_trusted=True,
        allows_loopback=True,
    )
