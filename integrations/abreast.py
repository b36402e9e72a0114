"""Many calls side by side, never more than the vendor bears, with the answers in the order of the questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from integrations.base import ConnectorError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def abreast(call: Callable[[Item], Answer], items: Iterable[Item], *, width: int) -> Iterator[Answer]:
    """Yield ``call(item)`` for every item, in order, with at most ``width`` calls under way.

    The first ConnectorError stops the start of new calls; those under way are waited for, the answers that came are
    yielded, and then that error is raised. Memory is bounded: at most ``width`` answers wait to be taken.
    """
    rest = iter(items)
    with ThreadPoolExecutor(max_workers=width, thread_name_prefix="abreast") as pool:
        under_way: deque[Future[Answer]] = deque()
        failure: ConnectorError | None = None
        while True:
            while failure is None and len(under_way) < width:
                try:
                    under_way.append(pool.submit(call, next(rest)))
                except StopIteration:
                    break
            if not under_way:
                break
            try:
                answer = under_way.popleft().result()
            except ConnectorError as err:
                failure = failure or err
            else:
                yield answer
    if failure is not None:
        raise failure
