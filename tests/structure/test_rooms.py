"""Promises about the code itself: who may import what, how files are called, which exits there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.accounts.audit_pages import ACTION_NAMES

TOP = Path(__file__).resolve().parents[2]
ROOMS = ("app", "integrations")

# Files that speak HTTP to a person, a program or an outside system. Everything else is a verb or a rule.
WEB_FILES = {"pages.py", "api.py", "access.py", "hooks.py"}
WEB_ROOMS = {"app/ui", "app/composition.py", "app/operations.py", "app/__init__.py"}

# The only modules that may speak to a mail server or a mail system (I3).
EXITS = {
    "smtplib": ("integrations/esp/smtp.py", "integrations/esp/smtp_relay.py"),
    "mailchimp_marketing": ("integrations/esp",),
}

NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "manager", "service", "services"}


def test_verbs_do_not_import_flask() -> None:
    for path, imported in _imports():
        if imported.split(".")[0] in {"flask", "flask_smorest", "flask_babel", "flask_wtf"}:
            assert _speaks_http(path), f"{path} imports {imported}, and it is neither a page nor an API"


def test_only_the_clock_asks_what_time_it_is() -> None:
    asked = {"now", "utcnow", "today"}
    for path in _files():
        if path == Path("app/clock.py"):
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in asked:
                owner = ast.unparse(node.func.value)
                assert owner not in {"datetime", "date", "datetime.datetime"}, f"{path}:{node.lineno}"


def test_there_is_one_exit() -> None:
    found = [(path, imported.split(".")[0]) for path, imported in _imports() if imported.split(".")[0] in EXITS]
    assert {library for _path, library in found} == set(EXITS)
    for path, library in found:
        assert any(map(path.is_relative_to, EXITS[library])), f"{path} imports {library}"


def test_verbs_never_commit() -> None:
    for path in _files("app"):
        if path.name in {"request_scope.py"} or path.parent == Path("app"):
            continue
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
                raise AssertionError(f"{path}:{node.lineno} commits; the entry point does that")


def test_every_line_of_the_audit_trail_has_words() -> None:
    recorded = {action for path in _files("app") for action in _recorded_actions(_tree(path))}
    assert len(recorded) > 20
    assert sorted(recorded - ACTION_NAMES.keys()) == []


def test_files_are_named_for_what_they_do() -> None:
    for path in _files():
        assert path.stem not in NAMES_THAT_SAY_NOTHING, path


def _recorded_actions(tree: ast.Module) -> Iterator[str]:
    """Find what a file records: as a whole ("room.verb"), or as a verb that one function puts behind its room."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    recording = [
        call for call in calls if ast.unparse(call.func).split(".")[-1] in {"record", "_record", "_record_own"}
    ]
    texts = [arg for call in recording for arg in call.args if isinstance(arg, (ast.Constant, ast.JoinedStr))]
    rooms = [str(ast.literal_eval(text.values[0])) for text in texts if isinstance(text, ast.JoinedStr)]
    for text in texts:
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            if re.fullmatch(r"[a-z]+\.[a-z_]+", text.value):
                yield text.value
            elif rooms and re.fullmatch(r"[a-z_]+", text.value):
                yield rooms[0] + text.value


def _speaks_http(path: Path) -> bool:
    return (
        path.name in WEB_FILES
        or path.name.endswith("_pages.py")
        or any(path.is_relative_to(room) for room in WEB_ROOMS)
    )


def _files(*rooms: str) -> Iterator[Path]:
    for room in rooms or ROOMS:
        for path in sorted((TOP / room).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path.relative_to(TOP)


def _tree(path: Path) -> ast.Module:
    return ast.parse((TOP / path).read_text())


def _imports() -> Iterator[tuple[Path, str]]:
    for path in _files():
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield path, node.module
