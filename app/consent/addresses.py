"""What an address is; said one floor below, where letters to staff need it as well."""

from app.accounts.addresses import ADDRESS_OCTETS_MAX, LOCAL_OCTETS_MAX, normalise_email

__all__ = ["ADDRESS_OCTETS_MAX", "LOCAL_OCTETS_MAX", "normalise_email"]
