"""Judging whether mail from a domain will be believed: SPF, DKIM, DMARC, and whether answers arrive.

Pure but for what ``records`` looks up. Each finding is a code that pages put in words, and, where something must be
entered in DNS, the record itself to pass on to whoever keeps the domain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.mailings.dkim_keys import record_of
from app.mailings.models import DkimKey
from integrations.domain_records import DomainRecords

Tone = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``found`` is what DNS says, ``record`` (name and text) what it should say."""

    check: Literal["spf", "dkim", "dmarc", "answers"]
    code: str
    tone: Tone
    found: str = ""
    record: tuple[str, str] | None = None


def look_at_domain(records: DomainRecords, domain: str, keys: Sequence[DkimKey]) -> list[Finding]:
    """Return what was found, in the order in which one mends it. Raises Transient where DNS does not answer."""
    return [
        _spf(records, domain),
        *(_dkim(records, key) for key in keys),
        *([] if keys else [Finding("dkim", "dkim_no_key", "warn")]),
        _dmarc(records, domain),
        _answers(records, domain),
    ]


def published(findings: Sequence[Finding]) -> set[str]:
    """Return the names of the DKIM records that were found as they should be."""
    return {each.record[0] for each in findings if each.code == "dkim_good" and each.record is not None}


def _spf(records: DomainRecords, domain: str) -> Finding:
    """RFC 7208: one record, and not one that lets the whole world send."""
    found = [text for text in records.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]
    if not found:
        return Finding("spf", "spf_missing", "bad")
    if len(found) > 1:
        return Finding("spf", "spf_twice", "bad", " | ".join(found))
    terms = found[0].lower().split()
    if "+all" in terms or "all" in terms:
        return Finding("spf", "spf_everybody", "bad", found[0])
    if not any(term.endswith("all") or term.startswith("redirect=") for term in terms[1:]):
        return Finding("spf", "spf_open_end", "warn", found[0])
    return Finding("spf", "spf_good", "good", found[0])


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
