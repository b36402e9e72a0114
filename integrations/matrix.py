"""The public matrix, made from what the connectors declare: ``python -m integrations.matrix > docs/connectors.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from integrations.base import DestinationCapabilities, SourceCapabilities
from integrations.catalogue import SYSTEMS, System

TOP = """\
# What can be connected

Made by `python -m integrations.matrix` from what the connectors declare; a test keeps it so. Do not edit.

**Grade** is how far our tests prove the real thing: **A** the real system runs in our tests, **B** the vendor's whole
published contract, **C** a part of it, or one put together from several places, **D** files only, **O** observed in
other people's programs, as the vendor's own pages could not be read: try it with a few people first. Systems that only
export files, and how well their columns are known, are on [a page of their own](connectors/files.md).
"""


def matrix(systems: Iterable[System]) -> str:
    """The page as Markdown."""
    sources, destinations = [], []
    for one in systems:
        if isinstance(one.capabilities, SourceCapabilities):
            sources.append(_source_row(one, one.capabilities))
        else:
            destinations.append(_destination_row(one, one.capabilities))
    return "\n".join(
        [TOP, *_table("Sources", SOURCE_HEADS, sources), *_table("Destinations", DESTINATION_HEADS, destinations)]
    )


SOURCE_HEADS = (
    "System",
    "Grade",
    "What comes in",
    "Reads permission",
    "Writes opt-outs back",
    "Webhooks",
    "Tells what was deleted",
    "Calls a minute",
    "By",
)
DESTINATION_HEADS = (
    "System",
    "Grade",
    "People a call",
    "Tags a call",
    "Calls at once",
    "Opt-outs come home by",
    "Vendor guards opt-outs",
    "Blocks for all lists",
    "Deletes for good",
    "Keeps a tracking choice",
    "Tells what became of its mails",
    "Longest value",
    "By",
)


def _source_row(one: System, can: SourceCapabilities) -> list[str]:
    return [
        _name(one),
        can.grade,
        ", ".join(can.streams),
        can.reads_opt_ins,
        _yes(can.writes_opt_outs),
        _hooks(can.has_webhooks, can.signs_webhooks),
        _gone(can),
        str(can.requests_per_minute or "not published"),
        _by(can),
    ]


def _destination_row(one: System, can: DestinationCapabilities) -> list[str]:
    hooks = _hooks(can.has_webhooks, can.signs_webhooks) if can.has_webhooks else ""
    ways = ["reading changes"] * can.has_opt_out_poll + [f"webhooks ({hooks})"] * can.has_webhooks
    return [
        _name(one),
        can.grade,
        f"{can.upserts_per_call}, or {can.people_per_batch} in a batch"
        if can.people_per_batch
        else str(can.upserts_per_call),
        str(can.tags_per_call),
        str(can.connections_max),
        " and ".join(ways) or "no way",
        "those by the person" if can.guards_person_opt_outs else "no",
        _yes(can.has_suppression_list),
        _yes(can.erases_for_good),
        _yes(can.keeps_tracking_choice),
        _yes(can.reads_engagement),
        can.longest_value,
        _by(can),
    ]


def _name(one: System) -> str:
    return f"[{one.name}](connectors/{one.system}.md)"


def _by(can: SourceCapabilities | DestinationCapabilities) -> str:
    return f"[the vendor's pages]({can.documentation}), {can.read_on.isoformat()}"


def _hooks(has_webhooks: bool, signs_webhooks: bool) -> str:
    if not has_webhooks:
        return "no"
    return "signed" if signs_webhooks else "unsigned"


def _gone(can: SourceCapabilities) -> str:
    if can.has_delete_feed:
        return "yes"
    return f"no; found by listing all {' and '.join(can.lists_whole)}" if can.lists_whole else "no"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _table(title: str, heads: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    lines = [f"| {' | '.join(row)} |" for row in [list(heads), ["---"] * len(heads), *rows]]
    return [f"## {title}", "", *lines, ""]


if __name__ == "__main__":
    sys.stdout.write(matrix(SYSTEMS.values()))
