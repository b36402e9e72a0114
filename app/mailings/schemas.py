"""What the page with mail settings takes in."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.accounts.addresses import normalise_email

HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
ONE_LINE = validate.Regexp(r"[^\x00-\x1f\x7f]*\Z", error="String does not match expected pattern.")


def is_address(text: str) -> None:
    """Raise ValidationError for what is no e-mail address."""
    if normalise_email(text) is None:
        raise ValidationError("Not a valid email address.")


class MailSettingsSchema(Schema):
    """How a house sends. What is left empty is the installation's."""

    relay_host = fields.String(
        load_default=None, validate=[validate.Length(max=253), validate.Regexp(HOST.pattern + r"\Z")]
    )
    relay_port = fields.Integer(load_default=587, validate=validate.Range(1, 65535))
    relay_security = fields.String(load_default="starttls", validate=validate.OneOf(("starttls", "tls", "none")))
    relay_user = fields.String(load_default=None, validate=[validate.Length(max=254), ONE_LINE])
    relay_password = fields.String(load_default=None, validate=[validate.Length(max=500), ONE_LINE])
    from_name = fields.String(load_default=None, validate=[validate.Length(max=120), ONE_LINE])
    from_address = fields.String(load_default=None, validate=is_address)
    reply_to = fields.String(load_default=None, validate=is_address)
    bounces_go = fields.String(
        load_default="to_sender", validate=validate.OneOf(("to_sender", "to_mailbox", "nowhere"))
    )
    bounce_address = fields.String(load_default=None, validate=is_address)

    @validates_schema
    def check_together(self, values: dict[str, Any], **_more: Any) -> None:
        """A mailbox for bounces needs an address; a relay of one's own needs a sender of one's own."""
        if values.get("bounces_go") == "to_mailbox" and not values.get("bounce_address"):
            raise ValidationError("Missing data for required field.", "bounce_address")
        if values.get("relay_host") and not values.get("from_address"):
            raise ValidationError("Missing data for required field.", "from_address")
