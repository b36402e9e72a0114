"""Cutting a stream into pieces that fit one call or one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of at most ``size`` items, in order, taking no more from ``items`` than is asked for."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
