"""How fast mail leaves: personalised mails of 40 kB to postfix's smtp-sink on loopback, in as many processes as cores.

Ours is all of it: reserve, write, gate, cap, pacing (with rates nobody reaches), DKIM, hand-over, bookkeeping. The
limit are ready-made bytes through smtplib on persistent connections, with as many processes and no database.
Promises: at least 60 % of the limit with DKIM (a ratio of at most 1.67), and 80 % without (1.25); planning is measured
by itself, against the bare INSERT of as many rows: under a minute for a million.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from sqlalchemy import select, text

from app import clock
from app.accounts.audit import SYSTEM
from app.accounts.models import Organisation
from app.db import make_engine, transaction
from app.mailings import pacing
from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.dkim_keys import create_keys, keys_of
from app.mailings.freezing import freeze
from app.mailings.mail_settings import setting_of
from app.mailings.mailings import MailingDraft, create_mailing, find_mailing
from app.mailings.planning import plan_campaign
from app.mailings.sending import WRITERS, send_due
from app.mailings.writing import write_mailings
from app.runtime import Runtime
from app.segments.definitions import create_segment
from bench import harness

WITH_DKIM, WITHOUT_DKIM = 1 / 0.6, 1 / 0.8
MAILS = {"small": 3_000, "org": 10_000, "sector": 20_000}
PLANNED_WITHIN_S = 60.0
MAIL_BYTES = 40_000
FROM = "news@lantaarn.example"
RUNS = 3
PROCESSES = os.cpu_count() or 1
GREETING = "<p>Dag {{ given_name or 'bezoeker' }}, deze week in de Lantaarn:</p>"
WORDS = "Er begint een week vol theater, dans en muziek, met gasten van ver en stemmen van dichtbij. "


class House:
    """A house with a relay, a mailing to everybody, and workers that send it."""

    def __init__(self, held: Runtime, organisation_id: int, port: int) -> None:
        self._held, self._organisation_id, self._port = held, organisation_id, port
        with transaction(held.engine, organisation_id) as session:
            # Nobody was mailed lately.
            session.execute(text("DELETE FROM delivery"))
            house = session.scalars(select(Organisation)).one()
            house.legal_address = "Lantaarnplein 1, 9000 Gent"
            setting = setting_of(session, held.settings)
            setting.relay_host, setting.relay_port, setting.relay_security = "127.0.0.1", port, "none"
            setting.from_address = FROM
            create_keys(session, held.keyring, "lantaarn.example")
            everybody = {"type": "not", "rule": {"type": "tag", "tag": "nobody has this"}}
            segment = create_segment(session, name=f"Everybody {clock.now()}", rule=everybody)
            draft = MailingDraft(name=f"Bench {clock.now()}", purpose="newsletter", to=[segment.id], content=_content())
            self.mailing_id = create_mailing(session, draft, actor=SYSTEM).id
            freeze(session, self.mailing_id)

    def plan(self) -> None:
        """Plan the mailing to everybody."""
        with transaction(self._held.engine, self._organisation_id) as session:
            plan_campaign(session, self.mailing_id)
            find_mailing(session, self.mailing_id).state = "sending"

    def plan_by_hand(self) -> None:
        """Insert as many rows, with nothing decided about anybody."""
        with transaction(self._held.engine, self._organisation_id) as session:
            session.execute(_BY_HAND, {"organisation": self._organisation_id, "mailing": self.mailing_id})

    def unplan(self) -> None:
        """Have nothing planned."""
        with transaction(self._held.engine, self._organisation_id) as session:
            for table in ("delivery", "mailing_left_out"):
                session.execute(text(f"DELETE FROM {table} WHERE mailing_id = :id"), {"id": self.mailing_id})
            session.execute(text("UPDATE mailing SET planned_at = NULL WHERE id = :id"), {"id": self.mailing_id})
        harness.as_owner(self._held, "VACUUM (ANALYZE) delivery, mailing_left_out")

    def keep(self, mails: int) -> int:
        """Keep so many of the planned mails; returns how many there are."""
        with transaction(self._held.engine, self._organisation_id) as session:
            session.execute(_DROP, {"mailing": self.mailing_id, "mails": mails})
            return int(session.execute(_COUNT, {"mailing": self.mailing_id}).scalar_one())

    def forget(self) -> None:
        """Have every mail be planned again, as before the first was sent."""
        with transaction(self._held.engine, self._organisation_id) as session:
            session.execute(_AGAIN, {"mailing": self.mailing_id})
        harness.as_owner(self._held, "VACUUM (ANALYZE) delivery")

    def sign(self, *, signs: bool) -> None:
        """Have mails signed, or not."""
        with transaction(self._held.engine, self._organisation_id) as session:
            for key in keys_of(session, "lantaarn.example"):
                is_used = signs and key.algorithm == "rsa-sha256"
                key.published_at = clock.now() if is_used else None

    def send(self) -> None:
        """Send everything, in as many processes as there are cores."""
        _in_processes(self._send_all)
        with transaction(self._held.engine, self._organisation_id) as session:
            left = session.execute(_LEFT, {"mailing": self.mailing_id}).scalar_one()
        assert left == 0, f"{left} mails were not accepted"

    def _send_all(self, _place: int) -> None:
        engine = make_engine(self._held.engine.url.render_as_string(hide_password=False))
        settings = replace(self._held.settings, allow_loopback_connections=True)
        held = Runtime(settings, self._held.keyring, engine)
        pacing.RATES, pacing.OTHER_RATE = dict.fromkeys(pacing.RATES, 1e6), 1e6
        while send_due(held, self._organisation_id, writers={**WRITERS, "mailing": write_mailings}):
            pass
        engine.dispose()


class ReadyMade:
    """As many ready-made mails of the same size, through smtplib."""

    def __init__(self, port: int, mails: int) -> None:
        self._port, self._mails = port, mails
        line = b"x" * 76 + b"\r\n"
        head = f"From: <{FROM}>\r\nTo: <an@example.org>\r\nSubject: x\r\n\r\n".encode()
        self._message = head + line * (_size_of_a_mail() // len(line))

    def send(self) -> None:
        """Send them in as many processes as there are cores."""
        _in_processes(self._send_share)

    def _send_share(self, place: int) -> None:
        with smtplib.SMTP("127.0.0.1", self._port) as smtp:
            for _ in range(self._mails // PROCESSES + (place < self._mails % PROCESSES)):
                smtp.sendmail(FROM, "an@example.org", self._message)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print one JSON object per measurement."""
    wanted = harness.arguments(__doc__, argv)
    sink = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if sink is None:
        sys.exit("bench.send needs smtp-sink (Debian: apt-get install --no-install-recommends postfix)")
    with harness.own_server(wanted.keep) as held, smtp_sink(sink) as port:
        house = House(held, harness.house(held, wanted.scale), port)
        if wanted.wants("planning"):
            _measure_planning(house, wanted.scale)
        if wanted.wants("send"):
            house.unplan()
            house.plan()
            mails = house.keep(MAILS[wanted.scale.name])
            limit = ReadyMade(port, mails)
            for name, signs, target in (("dkim", True, WITH_DKIM), ("unsigned", False, WITHOUT_DKIM)):
                house.sign(signs=signs)
                measured = harness.compare(
                    f"mailings.send_{name}",
                    wanted.scale,
                    ours=house.send,
                    limit=limit.send,
                    before=house.forget,
                    runs=RUNS,
                    target=target,
                )
                print(
                    f"{name}: {mails / measured.ours_s:.0f} mails a second of {mails / measured.limit_s:.0f}",
                    file=sys.stderr,
                )


@contextmanager
def smtp_sink(program: str) -> Iterator[int]:
    """Run postfix's smtp-sink on a free port of loopback; it takes everything and keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    # As root it would want to become somebody else.
    more = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *more, f"127.0.0.1:{port}", "200"])  # noqa: S603 - found on this machine
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _measure_planning(house: House, scale: harness.Scale) -> None:
    measured = harness.compare(
        "mailings.planning",
        scale,
        ours=house.plan,
        limit=house.plan_by_hand,
        before=house.unplan,
        runs=1 if scale.name == "sector" else RUNS,
    )
    if measured.ours_s > PLANNED_WITHIN_S:
        print(f"planning took {measured.ours_s:.0f} s, more than a minute", file=sys.stderr)


def _in_processes(work: Callable[[int], None]) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(place,)) for place in range(PROCESSES)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0, "a process failed"


def _content() -> dict[str, object]:
    """Return a mail of about ``MAIL_BYTES``, its HTML and text together."""
    blocks = [
        {"type": "text", "id": f"b{number}", "html": f"{'' if number else GREETING}<p>{WORDS * 9}</p>"}
        for number in range(12)
    ]
    ends = ({"type": "header", "id": "top"}, {"type": "footer", "id": "end"})
    words = {"subject": "Deze week in De Lantaarn", "preheader": "Theater", "blocks": [ends[0], *blocks, ends[1]]}
    return content_json(parse_content({"style": {}, "variants": [{"name": "A", "texts": {"nl": words}}]}))


def _size_of_a_mail() -> int:
    return MAIL_BYTES


_BY_HAND = text(
    "INSERT INTO delivery (organisation_id, kind, contact_id, purpose, mailing_id, mailing_version, state, planned_at,"
    " next_try_at, attempts)"
    " SELECT :organisation, 'mailing', contact_id, purpose, :mailing, 1, 'planned', now(), now(), 0"
    "   FROM contactable WHERE organisation_id = :organisation AND purpose = 'newsletter' AND channel = 'email'"
)
_DROP = text(
    "DELETE FROM delivery WHERE mailing_id = :mailing AND id NOT IN"
    " (SELECT id FROM delivery WHERE mailing_id = :mailing ORDER BY id LIMIT :mails)"
)
_COUNT = text("SELECT count(*) FROM delivery WHERE mailing_id = :mailing")
_LEFT = text("SELECT count(*) FROM delivery WHERE mailing_id = :mailing AND state <> 'accepted'")
_AGAIN = text(
    "UPDATE delivery SET state = 'planned', lease_until = NULL, handed_over_at = NULL, settled_at = NULL, attempts = 0,"
    " next_try_at = planned_at, answer_code = NULL, problem_code = NULL WHERE mailing_id = :mailing"
)

if __name__ == "__main__":
    main()
