"""MailChimp's batches: thousands of PUTs handed over as one job that it carries out by itself, in any order.

The results are a tar of JSON files behind an address that is signed and lives for ten minutes, at a storage host that
is not MailChimp's API. Only hosts of MailChimp and of its storage are asked, over https, without our key; nothing there
can make us hold more than one of its files at a time.
"""

from __future__ import annotations

import json
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any
from urllib.parse import urlsplit

import requests
from mailchimp_marketing.api.batches_api import BatchesApi

from integrations.base import BatchProgress, MemberPush, Permanent, Transient
from integrations.esp.mailchimp_client import MendedApiClient, Refusal
from integrations.esp.mailchimp_members import member_hash, upsert_body
from integrations.json_api import GuardedAdapter, PrivateAddress, is_loopback_name

# MailChimp writes of no limit on operations; its own example has a thousand, which is what others take for one.
PEOPLE_PER_BATCH = 1_000
STORAGE = (".mailchimp.com", ".amazonaws.com")
ARCHIVE_BYTES_MAX = 64 * 1024 * 1024
FILE_BYTES_MAX = 16 * 1024 * 1024
IN_MEMORY_BYTES = 4 * 1024 * 1024
FIRST_LOOK_S, LONGEST_WAIT_S = 1.0, 10.0
CLOCKS_APART = timedelta(minutes=2)
FIELDS = ["id", "status", "total_operations", "finished_operations", "submitted_at", "response_body_url"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What became of one operation: its own name, MailChimp's status, and its answer."""

    operation_id: str
    status: int
    answer: Mapping[str, Any]


class Batches:
    """The batches of one account."""

    def __init__(self, client: MendedApiClient) -> None:
        self._client, self._api = client, BatchesApi(client)

    def begin(self, list_id: str, people: Sequence[MemberPush], *, status_if_new: str, tags: Collection[str]) -> str:
        """Hand over one PUT a person and return the batch's id. It is never repeated by itself: it might be two
        jobs."""
        operations = [
            {
                "method": "PUT",
                "path": f"/lists/{list_id}/members/{member_hash(person.email)}",
                "operation_id": member_hash(person.email),
                "params": {"skip_merge_validation": True, "fields": "email_address,status"},
                "body": json.dumps(upsert_body(person, status_if_new=status_if_new, tags=tags)),
            }
            for person in people
        ]
        return str(self._api.start({"operations": operations})["id"])

    def find(self, size: int, *, since: datetime) -> str | None:
        """Return the earliest batch of so many operations that was submitted since then, as far as clocks agree."""
        rows = self._api.list(fields=[f"batches.{name}" for name in FIELDS], count=1_000).get("batches", [])
        found = [
            (submitted_at, str(row["id"]))
            for row in rows
            if row.get("total_operations") == size
            and (submitted_at := _instant(row.get("submitted_at"))) is not None
            and submitted_at >= since - CLOCKS_APART
        ]
        return min(found)[1] if found else None

    def progress(self, batch_id: str, *, patience_s: float) -> BatchProgress:
        """Look until it has finished, ever less often, for at most ``patience_s``."""
        wait_s, waited_s = FIRST_LOOK_S, 0.0
        while True:
            row = self._status(batch_id)
            if row is None:
                return BatchProgress(is_finished=False, is_gone=True)
            is_finished = row.get("status") == "finished"
            progress = BatchProgress(
                is_finished, int(row.get("finished_operations") or 0), int(row.get("total_operations") or 0)
            )
            if is_finished or waited_s + wait_s > patience_s:
                return progress
            self._client.caller.pace.sleep(wait_s)
            waited_s, wait_s = waited_s + wait_s, min(2 * wait_s, LONGEST_WAIT_S)

    def results(self, batch_id: str) -> Iterator[Operation]:
        """Yield what became of each operation, in any order. Raises Transient while there are no results yet."""
        row = self._status(batch_id)  # anew: its address lives for ten minutes
        address = str((row or {}).get("response_body_url") or "")
        if not address:
            raise Transient("unexpected_answer", hint="a batch without results")
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as archive:
            self._download(self._checked(address), archive)
            archive.seek(0)
            yield from read_archive(archive)

    def _status(self, batch_id: str) -> Mapping[str, Any] | None:
        try:
            row: Mapping[str, Any] = self._api.status(batch_id, fields=FIELDS)
        except Refusal as refusal:
            if refusal.code != "not_found":
                raise
            return None
        return row

    def _checked(self, address: str) -> str:
        """The address, where it leads to MailChimp's storage; in tests, to the very stand-in the client speaks to."""
        parts, own = urlsplit(address), urlsplit(self._client.host)
        host = (parts.hostname or "").lower()
        if is_loopback_name(own.hostname or "") and (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return address
        if parts.scheme != "https" or parts.username or not host.endswith(STORAGE):
            raise Permanent("foreign_next_page", hint="results of a batch")
        return address

    def _download(self, address: str, archive: IO[bytes]) -> None:
        is_local = is_loopback_name(urlsplit(self._client.host).hostname or "")
        with requests.Session() as session:
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, GuardedAdapter(allows_loopback=is_local))
            try:
                _fetch(session, address, archive)
            except PrivateAddress:
                raise Permanent("private_address", hint="results of a batch") from None
            except requests.RequestException as error:
                raise Transient("connection_lost", hint=type(error).__name__) from None


def _fetch(session: requests.Session, address: str, archive: IO[bytes]) -> None:
    deadline, taken = time.monotonic() + 120.0, 0
    with session.get(address, timeout=(5.0, 60.0), allow_redirects=False, stream=True) as answer:
        if answer.status_code != 200:
            raise Transient("server_error", hint=f"results answered {answer.status_code}")
        for chunk in answer.iter_content(65_536):
            taken += len(chunk)
            if taken > ARCHIVE_BYTES_MAX or time.monotonic() > deadline:
                raise Transient("unexpected_answer", hint="results too large or too slow")
            archive.write(chunk)


def read_archive(archive: IO[bytes]) -> Iterator[Operation]:
    """Yield the operations in a gzipped tar of JSON files, whose first entry is a folder.

    Raises Transient for anything else.
    """
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as files:
            for entry in files:
                held = files.extractfile(entry) if entry.isfile() else None
                if held is None:
                    continue
                if entry.size > FILE_BYTES_MAX:
                    raise Transient("unexpected_answer", hint="results too large")
                yield from _operations(json.loads(held.read()))
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Transient("unexpected_answer", hint=type(error).__name__) from None


def _operations(rows: Any) -> Iterator[Operation]:
    """One file: an object, or a list of them. The answer inside is JSON in a string once more."""
    for row in rows if isinstance(rows, list) else [rows]:
        answer = json.loads(row.get("response") or "{}")
        yield Operation(
            str(row.get("operation_id", "")),
            int(row.get("status_code") or 0) or 500,
            answer if isinstance(answer, dict) else {},
        )


def _instant(text: Any) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
