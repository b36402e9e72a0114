"""Breaking the rule of precedence and the gate on purpose: ``make mutants``.

Every mutant that no test notices is printed. The run fails where one of them is not explained, by the line it changes,
in docs/developers/mutants.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tests.consent import gate_mutants

EXPLAINED = Path("docs/developers/mutants.md")
MUTMUT = str(Path(sys.executable).with_name("mutmut"))


def main() -> int:
    """Try every mutant; return 1 where one lives that is not explained."""
    explained = EXPLAINED.read_text(encoding="utf-8")
    lives = list(chain(precedence_unnoticed(), gate_mutants.unnoticed()))
    unexplained = [told for told in lives if f"`{told}`" not in explained]
    sys.stdout.write(f"{len(lives)} mutants live, {len(unexplained)} of them not explained\n")
    sys.stdout.writelines(f"  {told}\n" for told in unexplained)
    return 1 if unexplained else 0


def precedence_unnoticed() -> Iterator[str]:
    """Let mutmut break what ``[tool.mutmut]`` names; yield the changed line of every mutant that lives."""
    subprocess.run([MUTMUT, "run"], check=True)
    results = subprocess.run([MUTMUT, "results"], check=True, capture_output=True, text=True).stdout
    for line in results.splitlines():
        name, _, outcome = line.strip().rpartition(": ")
        if outcome in ("survived", "no tests", "suspicious", "timeout"):
            shown = subprocess.run([MUTMUT, "show", name], check=True, capture_output=True, text=True).stdout
            yield next(one[1:].strip() for one in shown.splitlines() if one.startswith("+") and one[:3] != "+++")


if __name__ == "__main__":
    sys.exit(main())
