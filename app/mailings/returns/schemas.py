"""What the pages about returned mail take in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.mailings.returns.queue import DECISIONS
from app.mailings.schemas import HOST, ONE_LINE

FOLDER = validate.Regexp(r"[ -~]+\Z", error="String does not match expected pattern.")


class MailboxSchema(Schema):
    """A mailbox that is read over IMAP. An empty server: none is read."""

    host = fields.String(load_default=None, validate=[validate.Length(max=253), validate.Regexp(HOST.pattern + r"\Z")])
    port = fields.Integer(load_default=993, validate=validate.Range(1, 65535))
    security = fields.String(load_default="tls", validate=validate.OneOf(("starttls", "tls", "none")))
    user = fields.String(load_default=None, validate=[validate.Length(max=254), ONE_LINE])
    password = fields.String(load_default=None, validate=[validate.Length(max=500), ONE_LINE])
    folder = fields.String(load_default="INBOX", validate=[validate.Length(max=200), FOLDER])
    done_folder = fields.String(load_default=None, validate=[validate.Length(max=200), FOLDER])


class HookKeySchema(Schema):
    """What a relay signs its events with. Empty: they are not signed."""

    key = fields.String(load_default="", validate=[validate.Length(max=500), ONE_LINE])


class DecisionSchema(Schema):
    """What a person decides about a mail that came back."""

    decision = fields.String(required=True, validate=validate.OneOf(DECISIONS))
    address = fields.String(load_default="", validate=validate.Length(max=254))
