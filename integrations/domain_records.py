"""Looking up what a domain says about its mail: the texts and mail servers in DNS, through dnspython.

Knows DNS and plain values only. Answers are bounded in time; a name that does not exist is an empty answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import dns.exception
import dns.name
import dns.resolver

from integrations.base import Transient

ANSWER_S = 6.0


class DomainRecords(Protocol):
    """What can be asked of DNS."""

    def texts(self, name: str) -> Sequence[str]:
        """Return the TXT records of a name, each as one text; raises Transient where DNS does not answer."""

    def addresses(self, name: str) -> Sequence[str]:
        """Return the IPv4 and IPv6 addresses of a name; raises Transient as ``texts`` does."""

    def mail_servers(self, name: str) -> Sequence[str]:
        """Return the names that receive mail for a domain (MX), the preferred first; raises Transient."""

    def has_mail_server(self, name: str) -> bool:
        """Whether mail to the domain has somewhere to go (MX, or an address of its own)."""


class Dns:
    """The resolver of this machine, or other name servers where given as (address, port)."""

    def __init__(self, name_servers: Sequence[tuple[str, int]] = (), *, answer_s: float = ANSWER_S) -> None:
        self._resolver = dns.resolver.Resolver(configure=not name_servers)
        if name_servers:
            self._resolver.nameservers = [address for address, _port in name_servers]
            self._resolver.nameserver_ports = dict(name_servers)
        self._resolver.lifetime = answer_s

    def texts(self, name: str) -> Sequence[str]:
        """See DomainRecords."""
        # A record over 255 octets comes in pieces that are read without anything between them (RFC 7208, 3.3).
        return [b"".join(record.strings).decode(errors="replace") for record in self._answers(name, "TXT")]

    def addresses(self, name: str) -> Sequence[str]:
        """See DomainRecords."""
        return [str(record.address) for kind in ("A", "AAAA") for record in self._answers(name, kind)]

    def mail_servers(self, name: str) -> Sequence[str]:
        """See DomainRecords."""
        found = sorted(self._answers(name, "MX"), key=lambda record: int(record.preference))
        return [record.exchange.to_text(omit_final_dot=True) for record in found if record.exchange != dns.name.root]

    def has_mail_server(self, name: str) -> bool:
        """See DomainRecords."""
        servers = self._answers(name, "MX")
        if servers:
            return any(record.exchange != dns.name.root for record in servers)  # RFC 7505: a dot takes no mail
        return bool(self._answers(name, "A") or self._answers(name, "AAAA"))

    def _answers(self, name: str, kind: str) -> list:  # type: ignore[type-arg]
        try:
            return list(self._resolver.resolve(name, kind))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.name.LabelTooLong, dns.name.EmptyLabel):
            return []
        except (dns.exception.DNSException, OSError) as problem:
            raise Transient("no_dns", hint=type(problem).__name__) from None
