"""What differs by country, as data. A data-protection officer signs this table off; code only reads it."""

from __future__ import annotations

from dataclasses import dataclass

EVERYWHERE = frozenset({"consent", "soft_opt_in", "service"})


@dataclass(frozen=True, slots=True)
class CountryRules:
    """The bases a country knows, the age from which somebody consents alone, and whether an opt-out from e-mail is
    confirmed with a receipt."""

    bases: frozenset[str]
    consents_alone_from_years: int
    wants_opt_out_receipts: bool = False


# Age: GDPR art. 8 with the national laws (BE: law of 30 July 2018 art. 7; NL: UAVG art. 5; FR: loi 78-17 art. 45).
# Impersonal addresses of legal persons: BE only (royal decree of 4 April 2003, art. 1). Receipts: BE (same, art. 2).
COUNTRIES = {
    "BE": CountryRules(EVERYWHERE | {"impersonal_address"}, 13, wants_opt_out_receipts=True),
    "NL": CountryRules(EVERYWHERE, 16),
    "LU": CountryRules(EVERYWHERE, 16),
    "DE": CountryRules(EVERYWHERE, 16),
    "FR": CountryRules(EVERYWHERE, 15),
}

# Where the country is not in the table: the most careful reading.
STRICTEST = CountryRules(frozenset({"consent", "service"}), 16)


def rules_of(country: str | None) -> CountryRules:
    """Return the rules of a country by its ISO 3166 code; the strictest for one that is not in the table."""
    return COUNTRIES.get((country or "").upper(), STRICTEST)
