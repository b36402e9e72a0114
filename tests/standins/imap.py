"""An IMAP server on loopback: one account, its folders, and every way to fail that a reader must survive."""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from enum import StrEnum

from tests.standins.line_server import Dialogue, Gone, LineServer


class Fault(StrEnum):
    """A way to fail, once."""

    DROP_AT_GREETING = "closed before a word"
    DROP_AT_FETCH = "closed in the middle of a mail"
    DROP_AT_MOVE = "closed after the move, before the answer"
    HUGE_LITERAL = "a literal of 80 MB"
    ENDLESS_LINE = "a line that does not end"
    NO_AT_SEARCH = "SEARCH is refused"
    GARBAGE_AT_SELECT = "SELECT answers gibberish"


@dataclass
class Kept:
    """A mail in a folder."""

    uid: int
    octets: bytes
    flags: set[str] = field(default_factory=set)


@dataclass
class ImapStandIn(LineServer):
    """``offers``: what CAPABILITY says beside IMAP4rev1."""

    account: tuple[str, str] = ("bounces", "een geheim woord")
    offers: set[str] = field(default_factory=lambda: {"MOVE", "UIDPLUS", "AUTH=PLAIN"})
    uid_validity: int = 1
    folders: dict[str, list[Kept]] = field(default_factory=lambda: {"INBOX": []})
    fetched: list[int] = field(default_factory=list)
    logins: int = 0
    _next_uid: int = 1

    def dialogue(self, sock: socket.socket, _number: int) -> Dialogue:
        return _Dialogue(self, sock)

    def receive(self, octets: bytes, *, folder: str = "INBOX") -> int:
        """Put a mail in a folder; returns its number."""
        kept = Kept(self._next_uid, octets)
        self._next_uid += 1
        self.folders.setdefault(folder, []).append(kept)
        return kept.uid

    def make_anew(self) -> None:
        """The mailbox was restored: the same mails under new numbers."""
        self.uid_validity += 1
        self._next_uid = 1
        mails = self.folders["INBOX"]
        self.folders["INBOX"] = []
        for mail in mails:
            self.receive(mail.octets)


class _Dialogue(Dialogue):
    def __init__(self, house: ImapStandIn, sock: socket.socket) -> None:
        super().__init__(house, sock)
        self.house = house
        self.is_in = False
        self.folder = ""

    def run(self) -> None:
        if self.house.security == "tls":
            self.encrypt()
        if self.house.next_fault(Fault.DROP_AT_GREETING):
            raise Gone
        if self.house.next_fault(Fault.ENDLESS_LINE):
            while True:
                self.sock.sendall(b"* " + b"x" * 65536)
        self.say("* OK stand-in ready")
        while True:
            tag, _, rest = self.line().decode("utf-8", "replace").partition(" ")
            verb, _, arguments = rest.partition(" ")
            if verb.upper() == "UID":
                verb, _, arguments = arguments.partition(" ")
            handler = getattr(self, f"do_{verb.lower()}", None)
            if handler is None:
                self.say(f"{tag} BAD what?")
            else:
                handler(tag, arguments)

    def do_capability(self, tag: str, _rest: str) -> None:
        offers = sorted(self.house.offers)
        if self.house.security == "starttls" and not self.is_encrypted:
            offers.append("STARTTLS")
        self.say(f"* CAPABILITY IMAP4rev1 {' '.join(offers)}")
        self.say(f"{tag} OK done")

    def do_starttls(self, tag: str, _rest: str) -> None:
        self.say(f"{tag} OK begin")
        self.encrypt()

    def do_authenticate(self, tag: str, _rest: str) -> None:
        self.say("+ ")
        _zero, user, password = base64.b64decode(self.line()).decode().split("\x00")
        self.enter(tag, user, password)

    def do_login(self, tag: str, rest: str) -> None:
        words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', rest)
        user, password = (re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in words)
        self.enter(tag, user, password)

    def enter(self, tag: str, user: str, password: str) -> None:
        if self.house.security != "none" and not self.is_encrypted:
            self.house.violations.append("a password before encryption")
        self.house.logins += 1
        self.is_in = (user, password) == self.house.account
        self.say(f"{tag} OK welcome" if self.is_in else f"{tag} NO [AUTHENTICATIONFAILED] wrong for {user}")

    def do_select(self, tag: str, rest: str) -> None:
        folder = _plain(rest)
        if not self.is_in:
            self.say(f"{tag} BAD log in first")
        elif self.house.next_fault(Fault.GARBAGE_AT_SELECT):
            self.sock.sendall(b"\x00\xff tomatoes\r\n")
            raise Gone
        elif folder not in self.house.folders:
            self.say(f"{tag} NO no such folder")
        else:
            self.folder = folder
            self.say(f"* {len(self.mails)} EXISTS")
            self.say(f"* OK [UIDVALIDITY {self.house.uid_validity}] valid")
            self.say(f"{tag} OK [READ-WRITE] selected")

    @property
    def mails(self) -> list[Kept]:
        return self.house.folders[self.folder]

    def do_search(self, tag: str, rest: str) -> None:
        if self.house.next_fault(Fault.NO_AT_SEARCH):
            self.say(f"{tag} NO not today")
            return
        first, _, last = rest.removeprefix("UID ").partition(":")
        uids = [mail.uid for mail in self.mails]
        if last == "*":
            # As the standard has it: the last mail is always in n:*.
            found = [uid for uid in uids if uid >= int(first) or uid == max(uids)]
        else:
            found = [uid for uid in uids if int(first) <= uid <= int(last)]
        self.say(f"* SEARCH {' '.join(map(str, found))}".rstrip())
        self.say(f"{tag} OK done")

    def do_fetch(self, tag: str, rest: str) -> None:
        uid, _, wanted = rest.partition(" ")
        match = re.fullmatch(r"\(BODY\.PEEK\[\]<0\.(\d+)>\)", wanted)
        if match is None:
            self.house.violations.append(f"a mail was read as {wanted}")
        mail = next((each for each in self.mails if each.uid == int(uid)), None)
        if mail is not None:
            self.house.fetched.append(mail.uid)
            octets = mail.octets[: int(match[1]) if match else None]
            size = 80_000_000 if self.house.next_fault(Fault.HUGE_LITERAL) else len(octets)
            self.sock.sendall(f"* 1 FETCH (UID {uid} BODY[]<0> {{{size}}}\r\n".encode())
            if self.house.next_fault(Fault.DROP_AT_FETCH):
                self.sock.sendall(octets[: len(octets) // 2])
                raise Gone
            self.sock.sendall(octets + b")\r\n")
        self.say(f"{tag} OK done")

    def do_move(self, tag: str, rest: str) -> None:
        self.put(tag, rest, is_move=True)

    def do_copy(self, tag: str, rest: str) -> None:
        self.put(tag, rest, is_move=False)

    def put(self, tag: str, rest: str, *, is_move: bool) -> None:
        named, _, folder = rest.partition(" ")
        if _plain(folder) not in self.house.folders:
            self.say(f"{tag} NO [TRYCREATE] no such folder")
            return
        meant = [mail for mail in self.mails if str(mail.uid) in named.split(",")]
        for mail in meant:
            self.house.receive(mail.octets, folder=_plain(folder))
            if is_move:
                self.mails.remove(mail)
        if self.house.next_fault(Fault.DROP_AT_MOVE):
            raise Gone
        self.say(f"{tag} OK done")

    def do_create(self, tag: str, rest: str) -> None:
        self.house.folders.setdefault(_plain(rest), [])
        self.say(f"{tag} OK created")

    def do_store(self, tag: str, rest: str) -> None:
        named, _, change = rest.partition(" ")
        flags = set(re.findall(r"\\\w+", change))
        for mail in self.mails:
            if str(mail.uid) in named.split(","):
                mail.flags |= flags
        self.say(f"{tag} OK done")

    def do_expunge(self, tag: str, rest: str) -> None:
        gone = [mail for mail in self.mails if r"\Deleted" in mail.flags and str(mail.uid) in rest.split(",")]
        for mail in gone:
            self.mails.remove(mail)
        self.say(f"{tag} OK done")

    def do_logout(self, tag: str, _rest: str) -> None:
        self.say("* BYE bye")
        self.say(f"{tag} OK done")
        raise Gone


def _plain(folder: str) -> str:
    return re.sub(r"\\(.)", r"\1", folder.strip().removeprefix('"').removesuffix('"'))
