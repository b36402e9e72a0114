"""Settings: read from the environment, explained, and never shown where they are secret."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli
from app.config import SettingError, Settings, settings_page, unknown_variables, variable_of

PAGE = Path(__file__).resolve().parent.parent / "docs/administrators/settings.md"


def test_without_any_variable_everything_has_a_default() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.keyring_path == Path("var/keyring.json")
    assert settings.base_url == "http://127.0.0.1:8000"


def test_variables_are_read_as_what_they_are() -> None:
    settings = Settings.from_environment(
        {
            "DATABASE_URL": "postgresql://a@b/c",
            "ZAALLICHT_PORT": "8080",
            "ZAALLICHT_ALLOW_LOOPBACK_CONNECTIONS": "Yes",
            "ZAALLICHT_KEYRING": "/keys/ring.json",
            "ZAALLICHT_PUBLIC_URL": "https://huis.example/",
            "ZAALLICHT_LOG_FORMAT": "json",
            "ZAALLICHT_METRICS_TOKEN": "",
        }
    )
    assert settings.database_url == "postgresql://a@b/c"
    assert (settings.port, settings.allow_loopback_connections) == (8080, True)
    assert settings.keyring_path == Path("/keys/ring.json")
    assert settings.base_url == "https://huis.example"
    assert settings.log_format == "json"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ZAALLICHT_PORT", "eighty", "a whole number above zero"),
        ("ZAALLICHT_DATABASE_POOL_SIZE", "0", "a whole number above zero"),
        ("ZAALLICHT_ALLOW_LOOPBACK_CONNECTIONS", "perhaps", "true or false"),
        ("ZAALLICHT_LOG_LEVEL", "CHATTY", "one of: DEBUG, INFO, WARNING, ERROR"),
        ("ZAALLICHT_LOG_FORMAT", "xml", "one of: text, json"),
    ],
)
def test_a_value_that_makes_no_sense_is_named_with_what_would(variable: str, value: str, said: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_environment({variable: value})
    assert variable in str(refused.value)
    assert said in str(refused.value)


def test_the_page_about_settings_is_up_to_date() -> None:
    assert PAGE.read_text() == settings_page(), "write it again: python -m app.config > docs/administrators/settings.md"


def test_every_setting_says_what_it_is_for() -> None:
    for each in fields(Settings):
        assert len(each.metadata["about"]) > 10, each.name
        assert f"`{variable_of(each.name)}`" in settings_page()


def test_the_command_lists_every_setting_and_hides_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZAALLICHT_METRICS_TOKEN", "sesam-open-u")
    monkeypatch.setenv("ZAALLICHT_PORT", "8123")
    monkeypatch.setenv("ZAALLICHT_PROT", "8123")
    told = CliRunner().invoke(cli, ["config"])
    assert told.exit_code == 0
    for each in fields(Settings):
        assert variable_of(each.name) in told.output
    assert "sesam" not in told.output
    (port,) = [line for line in told.output.splitlines() if line.startswith("ZAALLICHT_PORT ")]
    assert "8123" in port
    assert "environment" in port
    assert "ZAALLICHT_PROT is no setting" in told.output


def test_a_misspelt_variable_is_noticed_and_others_are_left_alone() -> None:
    assert unknown_variables({"ZAALLICHT_PROT": "1", "ZAALLICHT_PORT": "1", "DATABASE_URL": "", "HOME": "/"}) == [
        "ZAALLICHT_PROT"
    ]
