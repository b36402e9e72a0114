"""Every setting: typed, with its default, its environment variable and what it is for.

``zaallicht config`` prints this table; ``python -m app.config > docs/administrators/settings.md`` writes it down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Self


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names its variable and says what is allowed."""


def setting(
    default: Any, about: str, *, variable: str | None = None, is_secret: bool = False, choices: Sequence[str] = ()
) -> Any:
    """Declare a setting. The variable defaults to ZAALLICHT_ and the field's name in capitals.

    ``choices``: the only values a text may have. Numbers count something and are 1 at least.
    """
    told = {"about": about, "variable": variable, "is_secret": is_secret, "choices": tuple(choices)}
    return field(default=default, repr=not is_secret, metadata=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. Made once, by the entry point, and passed on."""

    database_url: str = setting(
        "",
        "A PostgreSQL 15+ server: postgresql://user:password@host/database. Empty: the embedded one.",
        variable="DATABASE_URL",
        is_secret=True,
    )
    database_app_role: str = setting(
        "zaallicht_app", "The database role the application works as; it can never bypass row-level security."
    )
    database_pool_size: int = setting(8, "Connections kept open per process.")
    state_dir: Path = setting(Path("var"), "Where the embedded database and the keyring live.")
    keyring: Path | None = setting(
        None,
        "The file with all keys. Default: keyring.json in the state folder. Back it up apart from the database.",
    )
    host: str = setting("127.0.0.1", "The address the web server listens on.")
    port: int = setting(8000, "The port the web server listens on.")
    public_url: str = setting("", "How the outside reaches us: links in mails, webhooks. Default: host and port.")
    trusted_proxy: str = setting(
        "127.0.0.1",
        "The address of the proxy in front of us, believed about who asks once there is a public URL.",
    )
    trusted_proxy_count: int = setting(1, "How many proxies stand in front of us, one behind the other.")
    web_threads: int = setting(8, "Requests answered at the same time by one web process.")
    upload_bytes_max: int = setting(64 * 1024 * 1024, "The largest file that may be uploaded, in bytes.")
    request_bytes_max: int = setting(8 * 1024 * 1024, "The largest request that is no upload, in bytes.")
    allow_loopback_connections: bool = setting(
        False, "Whether connections may point to this machine (for tests and trials)."
    )
    mail_relay_host: str = setting(
        "", "The mail relay (SMTP) of houses that set none of their own. Empty: those houses' mails wait."
    )
    mail_relay_port: int = setting(587, "The port of that relay.")
    mail_relay_security: str = setting(
        "starttls",
        "How that relay is spoken to. none is for a relay on this machine or network, without a password.",
        choices=("starttls", "tls", "none"),
    )
    mail_relay_user: str = setting("", "Who logs in to that relay. Empty: nobody does.")
    mail_relay_password: str = setting("", "The password for that relay.", is_secret=True)
    mail_from_address: str = setting(
        "", "The sender's address of houses that set none of their own, such as post@example.org."
    )
    mail_senders: int = setting(
        0, "Processes that send mail when `zaallicht up` runs. 0: as many as there are cores, at most four."
    )
    name_servers: str = setting(
        "", "The name servers asked about a house's mail domain, as address:port, with commas. Empty: this machine's."
    )
    metrics_token: str = setting("", "The bearer token /metrics asks for. Empty: loopback only.", is_secret=True)
    log_level: str = setting("INFO", "How much is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: str = setting("text", "text for people, json for machines.", choices=("text", "json"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Self:
        """Read all settings from environment variables; raises SettingError where one makes no sense."""
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for each in fields(cls):
            text = environment.get(variable_of(each.name), "")
            if text != "":
                values[each.name] = _parsed(each.name, each.type, text)
        return cls(**(values | overrides))

    @property
    def keyring_path(self) -> Path:
        """Where the keyring is."""
        return self.keyring or self.state_dir / "keyring.json"

    @property
    def base_url(self) -> str:
        """The address links begin with, without a closing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    declared = Settings.__dataclass_fields__[name].metadata["variable"]
    return str(declared or f"ZAALLICHT_{name.upper()}")


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the variables that begin as ours do and mean nothing: most often a slip of the pen."""
    environment = os.environ if environment is None else environment
    known = {variable_of(each.name) for each in fields(Settings)}
    return sorted(name for name in environment if name.startswith("ZAALLICHT_") and name not in known)


def settings_page() -> str:
    """Return docs/administrators/settings.md."""
    lines = [
        "# Settings",
        "",
        "Made by `python -m app.config` from `app/config.py`; a test keeps it so. Do not edit.",
        "",
        "Every setting is an environment variable, read once when a process starts. None is needed: without any,",
        "the embedded database and the web server on this machine are used. `zaallicht config` shows what is set,",
        "and what is misspelt.",
        "",
        "| variable | default | what it is for |",
        "| --- | --- | --- |",
        *(_page_line(each) for each in fields(Settings)),
        "",
    ]
    return "\n".join(lines)


def _page_line(each: Field[Any]) -> str:
    about = each.metadata["about"]
    if each.metadata["choices"]:
        about += f" One of: {', '.join(each.metadata['choices'])}."
    if each.metadata["is_secret"]:
        about += " Secret."
    default = (
        "" if each.default in ("", None) else f"`{str(each.default).lower() if each.type == 'bool' else each.default}`"
    )
    return f"| `{variable_of(each.name)}` | {default} | {about} |"


def _parsed(name: str, kind: Any, text: str) -> Any:
    variable = variable_of(name)
    choices = Settings.__dataclass_fields__[name].metadata["choices"]
    if choices and text not in choices:
        raise SettingError(f"{variable} must be one of: {', '.join(choices)}.")
    try:
        match str(kind):
            case "int":
                return _counted(text)
            case "bool":
                return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
            case "Path" | "Path | None":
                return Path(text)
            case _:
                return text
    except (ValueError, KeyError):
        expected = "a whole number above zero" if str(kind) == "int" else "true or false"
        raise SettingError(f"{variable} must be {expected}.") from None


def _counted(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.stdout.write(settings_page())
