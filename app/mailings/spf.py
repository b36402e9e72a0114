"""Whether a domain's SPF record lets a mail server send for it (RFC 7208), as a receiver would find out.

Pure but for what ``records`` looks up. Every look-up that the standard counts is counted: above ten, receivers give up
and the record is worth nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from integrations.domain_records import DomainRecords

LOOKUPS_MAX = 10
NAMES_MAX = 10  # of one mx, RFC 7208 section 4.6.4
_QUALIFIERS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}

# ``unknown``: the record asks for what depends on each mail (macros), so that nobody can say beforehand.
Result = Literal["pass", "fail", "softfail", "neutral", "none", "too_many", "broken", "unknown"]


class _Ended(Exception):
    """The evaluation ends with this result, wherever it is."""

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        self.result: Result = result


@dataclass(frozen=True, slots=True)
class Judged:
    """What SPF says of a server, and which domains' records were included on the way."""

    result: Result
    included: frozenset[str] = frozenset()


def record_of(records: DomainRecords, domain: str) -> list[str]:
    """Return the SPF records of a domain; there should be one."""
    return [text for text in records.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]


def judge(records: DomainRecords, domain: str, address: str) -> Judged:
    """Say what a receiver makes of a mail from a server of this address. Raises Transient where DNS is silent."""
    check = _Check(records, address)
    try:
        return Judged(check.host(domain.lower()), frozenset(check.included))
    except _Ended as ended:
        return Judged(ended.result, frozenset(check.included))


def with_mechanism(record: str, mechanism: str) -> str:
    """Return a record with one more mechanism, before what it says about everybody else."""
    terms = record.split()
    for place, term in enumerate(terms):
        if term.lower().lstrip("+-~?") == "all" or term.lower().startswith("redirect="):
            return " ".join([*terms[:place], mechanism, *terms[place:]])
    return " ".join([*terms, mechanism])


@dataclass
class _Check:
    records: DomainRecords
    address: str
    lookups: int = 0
    included: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._ip = ip_address(self.address)
        self._addresses: Callable[[str], Sequence[str]] = lru_cache(maxsize=None)(self.records.addresses)

    def host(self, domain: str) -> Result:
        found = record_of(self.records, domain)
        if not found:
            return "none"
        if len(found) > 1:
            raise _Ended("broken")
        redirect = ""
        for term in found[0].split()[1:]:
            name, _equals, value = term.partition("=")
            if name.lower() == "redirect":
                redirect = value
            elif not _equals or ":" in name or "/" in name:
                qualifier, mechanism = (term[0], term[1:]) if term[0] in _QUALIFIERS else ("+", term)
                if self._matches(mechanism, domain):
                    return _QUALIFIERS[qualifier]  # type: ignore[return-value]
        if not redirect:
            return "neutral"
        self._count()
        result = self.host(self._name(redirect))
        return "broken" if result == "none" else result

    def _matches(self, mechanism: str, domain: str) -> bool:
        kind, _colon, rest = mechanism.partition(":")
        kind, _slash, bits = kind.partition("/")
        match kind.lower():
            case "all":
                return True
            case "ip4" | "ip6":
                return self._is_in(rest)
            case "include":
                return self._includes(self._name(rest))
            case "a":
                self._count()
                name, _slash, bits = rest.partition("/") if rest else (domain, "", bits)
                return any(self._is_near(each, bits) for each in self._addresses(self._name(name)))
            case "mx":
                self._count()
                name, _slash, bits = rest.partition("/") if rest else (domain, "", bits)
                servers = self.records.mail_servers(self._name(name))[:NAMES_MAX]
                return any(self._is_near(each, bits) for server in servers for each in self._addresses(server))
            case "exists" | "ptr":
                self._count()
                raise _Ended("unknown")
            case _:
                raise _Ended("broken")

    def _includes(self, domain: str) -> bool:
        self._count()
        self.included.add(domain)
        result = self.host(domain)
        if result == "none":
            raise _Ended("broken")
        return result == "pass"

    def _count(self) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS_MAX:
            raise _Ended("too_many")

    def _name(self, name: str) -> str:
        if "%" in name:
            raise _Ended("unknown")
        if not name:
            raise _Ended("broken")
        return name.lower().rstrip(".")

    def _is_in(self, network: str) -> bool:
        try:
            return self._ip in ip_network(network, strict=False)
        except ValueError:
            raise _Ended("broken") from None

    def _is_near(self, address: str, bits: str) -> bool:
        """Whether the server is the one of this address, or in the network that ``/24`` or ``//64`` makes of it."""
        at = ip_address(address)
        if at.version != self._ip.version:
            return False
        four, _slash, six = bits.partition("/")
        length = (four if at.version == 4 else six.lstrip("/")) or str(at.max_prefixlen)
        try:
            network: IPv4Network | IPv6Network = ip_network(f"{at}/{length}", strict=False)
        except ValueError:
            raise _Ended("broken") from None
        return self._ip in network
