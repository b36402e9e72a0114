"""MailChimp's batches: jobs that run by themselves, in any order, with their results in an awkward archive."""

from __future__ import annotations

import io
import json
import random
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# Does one operation as a request of its own and returns its status and its answer, as JSON.
Carry = Callable[[Mapping[str, Any]], tuple[int, str]]
OPERATIONS_PER_FILE = 400


@dataclass
class Batch:
    """One job. Operations that are still to come stand in ``waiting``, in the order in which they will be done."""

    id: str
    submitted_at: datetime
    waiting: list[Mapping[str, Any]]
    total: int
    looks: int
    done: list[dict[str, Any]] = field(default_factory=list)
    completed_at: datetime | None = None


class Batches:
    """All jobs of an account. A job takes ``looks`` looks at it to end: a part of it is done before each.

    ``throttled`` operations of each job are refused with 429, ``lost`` ones are done and missing from the results.
    """

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self.batches: dict[str, Batch] = {}
        self.looks, self.throttled, self.lost = 1, 0, 0
        self.between: Callable[[], None] = lambda: None

    def begin(self, operations: Sequence[Mapping[str, Any]], *, at: datetime) -> Batch:
        """Take a job; MailChimp promises no order."""
        number = f"batch{len(self.batches) + 1:05d}"
        waiting = list(operations)
        random.Random(number).shuffle(waiting)
        self.batches[number] = Batch(number, at, waiting, len(waiting), self.looks)
        return self.batches[number]

    def look(self, batch: Batch, *, at: datetime) -> None:
        """Let it go on a little, as it would meanwhile."""
        if batch.completed_at is not None:
            return
        batch.looks -= 1
        part = len(batch.waiting) if batch.looks <= 0 else batch.total // max(1, self.looks)
        for operation in batch.waiting[:part]:
            is_throttled = len(batch.done) < self.throttled
            status, answer = (429, "{}") if is_throttled else self._carry(operation)
            batch.done.append(
                {"status_code": status, "operation_id": operation.get("operation_id"), "response": answer}
            )
        del batch.waiting[:part]
        if not batch.waiting:
            batch.completed_at = at
        self.between()

    def archive(self, batch: Batch) -> bytes:
        """A gzipped tar whose first entry is a folder, then JSON files."""
        told, out = batch.done[self.lost :], io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as files:
            folder = tarfile.TarInfo("./")
            folder.type = tarfile.DIRTYPE
            files.addfile(folder)
            for start in range(0, len(told), OPERATIONS_PER_FILE):
                content = json.dumps(told[start : start + OPERATIONS_PER_FILE]).encode()
                entry = tarfile.TarInfo(f"./{batch.id}-{start}.json")
                entry.size = len(content)
                files.addfile(entry, io.BytesIO(content))
        return out.getvalue()


def row_of(batch: Batch, *, results_at: str) -> dict[str, Any]:
    """A job as MailChimp shows it; ``results_at`` is where its results are, told once it has ended."""
    is_finished = batch.completed_at is not None
    row: dict[str, Any] = {
        "id": batch.id,
        "status": "finished" if is_finished else "started" if batch.done else "pending",
        "total_operations": batch.total,
        "finished_operations": len(batch.done),
        "errored_operations": sum(one["status_code"] >= 400 for one in batch.done),
        "submitted_at": batch.submitted_at.isoformat(),
    }
    if batch.completed_at is not None:
        row |= {"completed_at": batch.completed_at.isoformat(), "response_body_url": results_at}
    return row
