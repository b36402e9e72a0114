"""What the pages about people and the house take in."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.accounts.api_keys import SCOPES
from app.accounts.organisations import COUNTRIES, LANGUAGES
from app.accounts.users import PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, ROLES

NAME = validate.Length(min=1, max=120)
EMAIL = validate.Length(max=254)
PASSWORD = validate.Length(min=PASSWORD_LENGTH_MIN, max=PASSWORD_LENGTH_MAX)


class LogInSchema(Schema):
    """A log-in address and its password; what is wrong with them is never said in detail."""

    email = fields.String(required=True, validate=EMAIL)
    password = fields.String(required=True, validate=validate.Length(max=PASSWORD_LENGTH_MAX))


class ForgottenSchema(Schema):
    """The address of somebody who forgot their password."""

    email = fields.String(required=True, validate=EMAIL)


class PasswordSchema(Schema):
    """A new password."""

    password = fields.String(required=True, validate=PASSWORD)


class InvitationSchema(PasswordSchema):
    """What somebody who was invited says about themselves."""

    name = fields.String(required=True, validate=NAME)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))


class WelcomeSchema(Schema):
    """The first house and its first administrator."""

    organisation = fields.String(required=True, validate=NAME)
    country = fields.String(required=True, validate=validate.OneOf(COUNTRIES))
    time_zone = fields.String(required=True, validate=validate.Length(max=64))
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))
    name = fields.String(required=True, validate=NAME)
    email = fields.Email(required=True, validate=EMAIL)
    password = fields.String(required=True, validate=PASSWORD)


class ProfileSchema(Schema):
    """What people say about themselves."""

    name = fields.String(required=True, validate=NAME)
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))


class PasswordChangeSchema(PasswordSchema):
    """A new password, and the one it replaces."""

    current_password = fields.String(required=True, validate=validate.Length(max=PASSWORD_LENGTH_MAX))


class OrganisationSchema(Schema):
    """What the organisation says about itself."""

    name = fields.String(required=True, validate=NAME)
    legal_name = fields.String(validate=validate.Length(max=200), load_default=None)
    legal_address = fields.String(validate=validate.Length(max=500), load_default=None)
    country = fields.String(required=True, validate=validate.OneOf(COUNTRIES))
    time_zone = fields.String(required=True, validate=validate.Length(max=64))
    language = fields.String(required=True, validate=validate.OneOf(LANGUAGES))


class PersonSchema(Schema):
    """Somebody to invite."""

    name = fields.String(required=True, validate=NAME)
    email = fields.Email(required=True, validate=EMAIL)
    role = fields.String(required=True, validate=validate.OneOf(ROLES))


class RoleSchema(Schema):
    """Another role."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES))


class ApiKeySchema(Schema):
    """A key for a program."""

    name = fields.String(required=True, validate=NAME)
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)), required=True, validate=validate.Length(min=1, max=len(SCOPES))
    )
