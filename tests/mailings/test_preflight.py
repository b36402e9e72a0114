"""Whether mail from a domain will be believed, as DNS on loopback tells it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.db import ScopedSession
from app.keyring import Keyring
from app.mailings.dkim_keys import create_keys, record_of, signers_of
from app.mailings.models import DkimKey
from app.mailings.preflight import Way, look_at_domain, published
from app.mailings.words import FINDINGS
from integrations.base import Transient
from integrations.domain_records import Dns
from tests.conftest import NOW
from tests.standins.name_server import NameServerStandIn

DOMAIN = "huis.example"
GOOD = {
    (DOMAIN, "TXT"): ['"v=spf1 include:relay.example -all"', '"something else"'],
    (f"_dmarc.{DOMAIN}", "TXT"): ['"v=DMARC1; p=reject"'],
    (DOMAIN, "MX"): ["10 mail.huis.example."],
    ("relay.example", "TXT"): ['"v=spf1 ip4:192.88.99.0/24 ip6:2001:4860::/32 -all"'],
    ("smtp.relay.example", "A"): ["192.88.99.7"],
    ("smtp.relay.example", "AAAA"): ["2001:4860::7"],
}
WAY = Way("smtp.relay.example", DOMAIN)


@pytest.fixture
def server() -> Iterator[NameServerStandIn]:
    with NameServerStandIn(GOOD) as standin:
        yield standin


def codes(
    server: NameServerStandIn, keys: list[DkimKey] | None = None, domain: str = DOMAIN, way: Way = WAY
) -> list[str]:
    return [each.code for each in look_at_domain(Dns([server.address], answer_s=2.0), domain, keys or [], way=way)]


def in_pieces(text: str) -> str:
    """A record over 255 octets, as zone files write it."""
    return " ".join(f'"{text[start : start + 200]}"' for start in range(0, len(text), 200))


def test_a_domain_in_good_order_is_told_so(server: NameServerStandIn, session: ScopedSession, keyring: Keyring) -> None:
    keys = create_keys(session, keyring, DOMAIN)
    for key in keys:
        name, text = record_of(key)
        server.records[name, "TXT"] = [in_pieces(text)]
    findings = look_at_domain(Dns([server.address]), DOMAIN, keys, way=WAY)
    told = [each.code for each in findings]
    assert told == ["spf_good", "dkim_good", "dkim_good", "dmarc_good", "alignment_dkim", "answers_good"]
    assert published(findings) == {record_of(key)[0] for key in keys}


def test_a_domain_that_says_nothing_is_told_what_to_ask_for(
    server: NameServerStandIn, session: ScopedSession, keyring: Keyring
) -> None:
    keys = create_keys(session, keyring, "leeg.example")
    findings = look_at_domain(
        Dns([server.address]), "leeg.example", keys, way=Way("smtp.relay.example", "leeg.example")
    )
    told = [each.code for each in findings]
    assert told[:4] == ["spf_missing", "dkim_missing", "dkim_missing", "dmarc_missing"]
    assert told[4:] == ["alignment_none", "answers_nowhere"]
    records = [each.record for each in findings if each.record is not None]
    assert records.pop(0) == ("leeg.example", "v=spf1 a:smtp.relay.example ~all")
    assert [name for name, _text in records] == [
        "zaallicht-e._domainkey.leeg.example",
        "zaallicht-r._domainkey.leeg.example",
        "_dmarc.leeg.example",
    ]
    assert records[0][1].startswith("v=DKIM1; k=ed25519; p=")
    assert records[1][1].startswith("v=DKIM1; k=rsa; p=MII")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({(DOMAIN, "TXT"): ['"v=spf1 mx -all"', '"v=spf1 a -all"']}, "spf_twice"),
        ({(DOMAIN, "TXT"): ['"v=spf1 mx +all"']}, "spf_everybody"),
        ({(DOMAIN, "TXT"): ['"v=spf1 mx all"']}, "spf_everybody"),
        ({(DOMAIN, "TXT"): ['"v=spf1 ip4:192.88.99.7 ip6:2001:4860::7"']}, "spf_open_end"),
        ({(DOMAIN, "TXT"): ['"v=spf1 redirect=relay.example"']}, "spf_good"),
        ({(DOMAIN, "TXT"): ['"v=spf1 redirect=gone.example"']}, "spf_broken"),
        ({(DOMAIN, "TXT"): ['"v=spf1 include:gone.example -all"']}, "spf_broken"),
        ({(DOMAIN, "TXT"): ['"v=spf1 ip4:nonsense -all"']}, "spf_broken"),
        ({(DOMAIN, "TXT"): ['"v=spf1 sends:us -all"']}, "spf_broken"),
        ({(DOMAIN, "TXT"): ['"v=spf1 include:huis.example -all"']}, "spf_too_many"),
        ({(DOMAIN, "TXT"): [f'"v=spf1 {"a:x.example " * 11}-all"']}, "spf_too_many"),
        ({(DOMAIN, "TXT"): ['"v=spf1 mx -all"']}, "spf_without_relay"),
        ({(DOMAIN, "TXT"): ['"v=spf1 -ip4:192.88.99.7 include:relay.example -all"']}, "spf_without_relay"),
        ({(DOMAIN, "TXT"): ['"v=spf1 ip4:192.88.99.7 -all"']}, "spf_without_relay"),  # and what of IPv6?
        ({(DOMAIN, "TXT"): ['"v=spf1 a:smtp.relay.example -all"']}, "spf_good"),
        (
            {
                (DOMAIN, "TXT"): ['"v=spf1 A:near.example/24//32 -all"'],
                ("near.example", "A"): ["192.88.99.200"],
                ("near.example", "AAAA"): ["2001:4860:1::1"],
            },
            "spf_good",
        ),
        (
            {(DOMAIN, "TXT"): ['"v=spf1 mx:many.example ~all"'], ("many.example", "MX"): ["1 smtp.relay.example."]},
            "spf_good",
        ),
        ({(DOMAIN, "TXT"): ['"v=spf1 exists:%{i}.x.example -all"']}, "spf_cannot_tell"),
        ({(DOMAIN, "TXT"): ['"v=spf1 ptr -all"']}, "spf_cannot_tell"),
        ({(DOMAIN, "TXT"): ['"v=spf10 -all"']}, "spf_missing"),
        ({(f"_dmarc.{DOMAIN}", "TXT"): ['"v=DMARC1; p=none; rua=mailto:x@huis.example"']}, "dmarc_watching"),
        ({(f"_dmarc.{DOMAIN}", "TXT"): ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"']}, "dmarc_twice"),
        ({(DOMAIN, "MX"): ["0 ."]}, "answers_nowhere"),
    ],
)
def test_each_trouble_has_its_name(
    server: NameServerStandIn, records: dict[tuple[str, str], list[str]], expected: str
) -> None:
    server.records |= records
    told = codes(server)
    assert expected in told
    assert set(told) <= FINDINGS.keys()


def test_a_relay_that_is_left_out_gets_the_record_to_ask_for(server: NameServerStandIn) -> None:
    server.records[DOMAIN, "TXT"] = ['"v=spf1 mx include:relay.example -all"']
    for host, asked in (
        ("smtp.elsewhere.example", "v=spf1 mx include:relay.example a:smtp.elsewhere.example -all"),
        ("smtp.office365.com", "v=spf1 mx include:relay.example include:spf.protection.outlook.com -all"),
        ("198.18.0.1", None),
    ):
        server.records["smtp.elsewhere.example", "A"] = ["203.0.112.9"]
        (spf,) = [
            each
            for each in look_at_domain(Dns([server.address]), DOMAIN, [], way=Way(host, DOMAIN))
            if each.check == "spf"
        ]
        if asked is None:
            assert spf.code == "spf_cannot_tell", "a relay inside our own network sends from an address we do not know"
        else:
            assert (spf.code, spf.record) == ("spf_without_relay", (DOMAIN, asked))


def test_a_well_known_relay_is_in_where_its_keepers_record_is_included(server: NameServerStandIn) -> None:
    server.records[DOMAIN, "TXT"] = ['"v=spf1 include:spf.protection.outlook.com -all"']
    server.records["spf.protection.outlook.com", "TXT"] = ['"v=spf1 ip4:192.88.99.0/24 -all"']
    assert "spf_good" in codes(server, way=Way("smtp.office365.com", DOMAIN))


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [
        (DOMAIN, "alignment_spf"),
        (f"bounces.{DOMAIN}", "alignment_spf"),
        ("relay.example", "alignment_none"),
        ("", "alignment_none"),
    ],
)
def test_spf_proves_who_you_are_only_where_bounces_come_back_to_your_own_domain(
    server: NameServerStandIn, envelope: str, expected: str
) -> None:
    server.records[f"bounces.{DOMAIN}", "TXT"] = server.records[DOMAIN, "TXT"]
    assert expected in codes(server, way=Way("smtp.relay.example", envelope))


def test_the_rule_of_the_domain_above_counts(server: NameServerStandIn) -> None:
    assert "dmarc_good" in codes(server, domain=f"nieuws.{DOMAIN}")


def test_a_key_that_is_not_ours_is_noticed(server: NameServerStandIn, session: ScopedSession, keyring: Keyring) -> None:
    key = create_keys(session, keyring, DOMAIN)[0]
    server.records[record_of(key)[0], "TXT"] = ['"v=DKIM1; k=ed25519; p=AAAA"']
    assert "dkim_other_key" in codes(server, [key])


def test_silence_is_said_to_be_silence(server: NameServerStandIn) -> None:
    server.is_silent = True
    with pytest.raises(Transient) as raised:
        look_at_domain(Dns([server.address], answer_s=0.5), DOMAIN, [], way=WAY)
    assert raised.value.code == "no_dns"


def test_a_key_signs_from_the_moment_it_was_seen(session: ScopedSession, keyring: Keyring) -> None:
    keys = create_keys(session, keyring, DOMAIN)
    assert signers_of(session, keyring, DOMAIN) == ()
    keys[0].published_at = NOW
    assert [signer.selector for signer in signers_of(session, keyring, DOMAIN)] == [keys[0].selector]
    assert [key.public_key for key in create_keys(session, keyring, DOMAIN)] == [key.public_key for key in keys]
    assert signers_of(session, keyring, "elders.example") == ()
