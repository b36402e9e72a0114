"""What a destination may be told about a person: which of a contact's values fill which of its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, cast, func
from sqlalchemy.types import Text

from app.audiences.plan import fields_for
from app.contacts.models import Contact
from integrations.base import MemberPush

# The contact's values that may be mapped; `attributes.<key>` are the organisation's own.
FIELDS: tuple[str, ...] = (
    "full_name",
    "given_name",
    "family_name",
    "language",
    "gender",
    "birth_date",
    "phone",
    "street",
    "postcode",
    "municipality",
    "country",
)
ATTRIBUTE = "attributes."
# Names that lists have from the beginning, and what belongs in them.
DEFAULT_MAPPING: Mapping[str, str] = {
    "FNAME": "given_name",
    "LNAME": "family_name",
    "Name": "full_name",
    "FIRST_NAME": "given_name",
    "LAST_NAME": "family_name",
    "POSTCODE": "postcode",
    "first_name": "given_name",
    "name": "family_name",
}
# The tags that every list of a system has from the beginning.
FIRST_TAGS: Mapping[str, tuple[str, ...]] = {"mailchimp": ("FNAME", "LNAME"), "campaign_monitor": ("Name",)}


def default_mapping(tags: Sequence[str]) -> dict[str, str]:
    """Return the sensible mapping for a list with these field tags."""
    return {tag: name for tag, name in DEFAULT_MAPPING.items() if tag in tags}


def is_mappable(name: str) -> bool:
    """Whether a contact has such a value."""
    return name in FIELDS or (name.startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE))


def payload_columns(mapping: Mapping[str, str]) -> list[ColumnElement[Any]]:
    """Return the contact's columns that the mapping needs, each labelled with the mapped name."""
    return [_column(name).label(name) for name in sorted({*mapping.values(), "language"})]


def payload(email: str, values: Mapping[str, Any], mapping: Mapping[str, str]) -> MemberPush:
    """Return what is pushed about one person, from the row's values by name."""
    return MemberPush(email, fields_for(values, mapping), values["language"], values.get("may_track"))


def _column(name: str) -> ColumnElement[Any]:
    if name.startswith(ATTRIBUTE):
        return func.jsonb_extract_path_text(Contact.attributes, name.removeprefix(ATTRIBUTE))
    if name == "full_name":
        return func.nullif(func.concat_ws(" ", Contact.given_name, Contact.family_name), "")
    return cast(getattr(Contact, name), Text)
