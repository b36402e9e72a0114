"""Judging whether mail from a domain will be believed: SPF, DKIM, DMARC, and whether answers arrive.

Pure but for what ``records`` looks up. Each finding is a code that pages put in words, and, where something must be
entered in DNS, the record itself to pass on to whoever keeps the domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from app.mailings.dkim_keys import record_of
from app.mailings.models import DkimKey
from app.mailings.relay_domains import include_of
from app.mailings.spf import judge, with_mechanism
from app.mailings.spf import record_of as record_of_spf
from integrations.domain_records import DomainRecords

Tone = Literal["good", "warn", "bad"]
_SPF_TONES: Mapping[str, Tone] = {"spf_good": "good", "spf_cannot_tell": "warn", "spf_open_end": "warn"}


@dataclass(frozen=True, slots=True)
class Way:
    """How mail leaves: through which relay, and by which domain bounces come back (empty: nowhere)."""

    relay_host: str
    envelope_domain: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``found`` is what DNS says, ``record`` (name and text) what it should say."""

    check: Literal["spf", "dkim", "dmarc", "alignment", "answers"]
    code: str
    tone: Tone
    found: str = ""
    record: tuple[str, str] | None = None


def look_at_domain(records: DomainRecords, domain: str, keys: Sequence[DkimKey], *, way: Way) -> list[Finding]:
    """Return what was found, in the order in which one mends it. Raises Transient where DNS does not answer.

    SPF is of the domain that bounces come back to: that is whose record receivers look up (RFC 7208).
    """
    spf = _spf(records, way.envelope_domain or domain, way.relay_host)
    dkim = [_dkim(records, key) for key in keys] or [Finding("dkim", "dkim_no_key", "warn")]
    dmarc = _dmarc(records, domain)
    return [spf, *dkim, dmarc, _alignment(domain, way, spf, dkim, dmarc), _answers(records, domain)]


def published(findings: Sequence[Finding]) -> set[str]:
    """Return the names of the DKIM records that were found as they should be."""
    return {each.record[0] for each in findings if each.code == "dkim_good" and each.record is not None}


def _spf(records: DomainRecords, domain: str, relay_host: str) -> Finding:
    """RFC 7208: one record that names the relay, and not one that lets the whole world send."""
    found = record_of_spf(records, domain)
    mechanism = _mechanism(relay_host)
    if not found:
        wanted = (domain, f"v=spf1 {mechanism} ~all") if mechanism else None
        return Finding("spf", "spf_missing", "bad", record=wanted)
    if len(found) > 1:
        return Finding("spf", "spf_twice", "bad", " | ".join(found))
    code = _trouble_of(found[0]) or _of_relay(records, domain, relay_host)
    if code == "spf_without_relay" and mechanism:
        return Finding("spf", code, "bad", found[0], (domain, with_mechanism(found[0], mechanism)))
    return Finding("spf", code, _SPF_TONES.get(code, "bad"), found[0])


def _trouble_of(record: str) -> str:
    """Return what is wrong with a record whoever sends, or nothing."""
    terms = record.lower().split()
    if "+all" in terms or "all" in terms:
        return "spf_everybody"
    has_end = any(term.endswith("all") or term.startswith("redirect=") for term in terms[1:])
    return "" if has_end else "spf_open_end"


def _of_relay(records: DomainRecords, domain: str, relay_host: str) -> str:
    """Return what the record says of the relay, as a receiver of its mail would find."""
    include = include_of(relay_host)
    addresses = [each for each in _addresses(records, relay_host) if ip_address(each).is_global]
    judged = [judge(records, domain, address) for address in addresses or ["192.0.2.1"]]
    results = {each.result for each in judged}
    for result, code in (("too_many", "spf_too_many"), ("broken", "spf_broken")):
        if result in results:
            return code
    if include is not None:
        # Whoever matched before the include came was let in all the same.
        is_in = all(each.result == "pass" or include in each.included for each in judged)
        return "spf_good" if is_in else "spf_without_relay"
    if not addresses or "unknown" in results:
        return "spf_cannot_tell"
    return "spf_good" if results == {"pass"} else "spf_without_relay"


def _addresses(records: DomainRecords, host: str) -> Sequence[str]:
    try:
        return [str(ip_address(host))]
    except ValueError:
        return records.addresses(host) if host else []


def _mechanism(relay_host: str) -> str:
    """Return what a record says to let a relay send; empty for one that only this machine or network knows."""
    include = include_of(relay_host)
    if include is not None:
        return f"include:{include}"
    try:
        address = ip_address(relay_host)
    except ValueError:
        return f"a:{relay_host}" if "." in relay_host else ""
    return f"ip{address.version}:{address}" if address.is_global else ""


def _alignment(domain: str, way: Way, spf: Finding, dkim: Sequence[Finding], dmarc: Finding) -> Finding:
    """RFC 7489: what DMARC believes is a signature, or an SPF yes, of the very domain that readers see."""
    if any(each.code == "dkim_good" for each in dkim):
        return Finding("alignment", "alignment_dkim", "good")
    if spf.code == "spf_good" and _is_same_house(domain, way.envelope_domain):
        return Finding("alignment", "alignment_spf", "good")
    is_enforced = dmarc.code == "dmarc_good"
    return Finding("alignment", "alignment_none", "bad" if is_enforced else "warn")


def _is_same_house(one: str, other: str) -> bool:
    """Relaxed alignment, without a list of what may be registered: the same domain, or one below the other."""
    return bool(other) and (one == other or one.endswith(f".{other}") or other.endswith(f".{one}"))


def _dkim(records: DomainRecords, key: DkimKey) -> Finding:
    """RFC 6376: our half of the key under its selector."""
    name, text = record_of(key)
    found = list(records.texts(name))
    if any(_tags(each).get("p", "") == key.public_key for each in found):
        return Finding("dkim", "dkim_good", "good", record=(name, text))
    code = "dkim_other_key" if found else "dkim_missing"
    return Finding("dkim", code, "bad" if found else "warn", " | ".join(found), (name, text))


def _dmarc(records: DomainRecords, domain: str) -> Finding:
    """RFC 7489: the domain's own record, else that of a domain above it."""
    labels = domain.split(".")
    for start in range(len(labels) - 1):
        above = ".".join(labels[start:])
        found = [text for text in records.texts(f"_dmarc.{above}") if _tags(text).get("v", "").upper() == "DMARC1"]
        if len(found) > 1:
            return Finding("dmarc", "dmarc_twice", "bad", " | ".join(found))
        if found:
            policy = _tags(found[0]).get("p", "none").lower()
            code = "dmarc_watching" if policy == "none" else "dmarc_good"
            return Finding("dmarc", code, "good", found[0])
    return Finding("dmarc", "dmarc_missing", "bad", record=(f"_dmarc.{domain}", "v=DMARC1; p=none"))


def _answers(records: DomainRecords, domain: str) -> Finding:
    if records.has_mail_server(domain):
        return Finding("answers", "answers_good", "good")
    return Finding("answers", "answers_nowhere", "bad")


def _tags(text: str) -> dict[str, str]:
    """Return the tags of a DKIM or DMARC record; spaces in a value do not count (RFC 6376, 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, _equals, value in pairs if name.strip()}
