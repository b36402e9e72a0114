"""A folder that files are kept in: the little that a destination of files needs of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Folder(Protocol):
    """A folder. Reading raises Transient or Permanent. Writing raises those where nothing was written, and
    UnknownOutcome where the new file may be in place; a file is never half there."""

    def check(self) -> str:
        """Return the name people know the folder by, after making sure that it is there and can be written to."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names of the files there."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return what a file holds; None where there is none of that name."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file in the place of another, or beside the others, whole or not at all."""
        ...

    def remove(self, name: str) -> None:
        """Take a file away; one that is not there is away already."""
        ...

    def close(self) -> None:
        """Give back whatever the folder holds open."""
        ...


class MemoryFolder:
    """A folder that is forgotten with the process: where settings are looked at and nothing is written."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def check(self) -> str:
        return "CSV"

    def names(self) -> Sequence[str]:
        return sorted(self.files)

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def write(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def remove(self, name: str) -> None:
        self.files.pop(name, None)

    def close(self) -> None:
        return
