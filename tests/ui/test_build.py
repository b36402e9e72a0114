"""What is not committed is built once, from exactly the versions that were asked for."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build, with a folder of its own and an npm that needs no network; ``calls`` counts its runs."""
    spec = importlib.util.spec_from_file_location("hatch_build_under_test", TOP / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "FRONTEND", tmp_path / "frontend")
    monkeypatch.setattr(module, "BUILT", tmp_path / "built")
    monkeypatch.setattr(module, "_npm_install", lambda: install(module))
    module.calls = []  # type: ignore[attr-defined]
    (tmp_path / "frontend").mkdir()
    (tmp_path / "frontend/package.json").write_text((TOP / "app/ui/frontend/package.json").read_text())
    return module


def install(build: ModuleType, version: str = "") -> None:
    build.calls.append(version)
    wanted = json.loads((build.FRONTEND / "package.json").read_text())["dependencies"]
    for package, asked in wanted.items():
        folder = build.FRONTEND / "node_modules" / package
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"version": version or asked}))
    for source in build.TAKEN:
        path = build.FRONTEND / "node_modules" / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("body{}\n/*# sourceMappingURL=x.css.map */\n")


def test_every_file_is_copied_without_its_link_to_a_source_map(build: ModuleType) -> None:
    build.build_frontend()
    for name in build.TAKEN.values():
        assert (build.BUILT / name).is_file()
    assert (build.BUILT / "bootstrap.min.css").read_text() == "body{}\n"


def test_what_is_up_to_date_is_not_built_again(build: ModuleType) -> None:
    build.build_frontend()
    build.build_frontend()
    assert len(build.calls) == 1


def test_another_version_or_a_missing_file_is_built(build: ModuleType) -> None:
    build.build_frontend()
    package = build.FRONTEND / "package.json"
    package.write_text(package.read_text().replace('"2.0.', '"2.1.'))
    build.build_frontend()
    (build.BUILT / "htmx.min.js").unlink()
    build.build_frontend()
    assert len(build.calls) == 3


def test_a_version_nobody_asked_for_is_refused(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_npm_install", lambda: install(build, "9.9.9"))
    with pytest.raises(SystemExit, match=r"9\.9\.9 where"):
        build.build_frontend()
    assert not (build.BUILT / ".stamp").exists()


def test_versions_are_exact() -> None:
    wanted = json.loads((TOP / "app/ui/frontend/package.json").read_text())["dependencies"]
    assert all(version.replace(".", "").isdigit() for version in wanted.values())


def test_every_package_brings_its_licence() -> None:
    spec = importlib.util.spec_from_file_location("hatch_build_read", TOP / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wanted = json.loads((TOP / "app/ui/frontend/package.json").read_text())["dependencies"]
    for package in wanted:
        assert f"{package}/LICENSE" in module.TAKEN
