"""What the page that sends a mailing takes in."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

WEEKDAYS = ("1", "2", "3", "4", "5", "6", "0")


class PeopleSchema(Schema):
    """To whom, the control group, and the test of variants."""

    edition = fields.Integer(required=True)
    holdout_percent = fields.Integer(load_default=0, validate=validate.Range(0, 50))
    season_holdout = fields.Boolean(load_default=False)
    share_percent = fields.Integer(load_default=None, validate=validate.Range(1, 100))
    decide_by = fields.String(load_default="clicks", validate=validate.OneOf(("clicks", "bookings")))
    after_hours = fields.Integer(load_default=None, validate=validate.Range(1, 336))


class WhenSchema(Schema):
    """When it goes: now, at a moment, or again and again."""

    edition = fields.Integer(required=True)
    people = fields.Integer(required=True, validate=validate.Range(min=0))
    when = fields.String(load_default="now", validate=validate.OneOf(("now", "at", "repeats")))
    on = fields.Date(load_default=None)
    at = fields.Time(load_default=None)
    every = fields.String(load_default="week", validate=validate.OneOf(("day", "week", "month")))
    weekday = fields.String(load_default="1", validate=validate.OneOf(WEEKDAYS))
    day = fields.Integer(load_default=1, validate=validate.Range(1, 28))
    repeat_at = fields.Time(load_default=None)

    @validates_schema
    def check_together(self, values: dict[str, Any], **_more: Any) -> None:
        """A moment has a day and a time; what repeats has a time."""
        if values.get("when") == "at" and not (values.get("on") and values.get("at")):
            raise ValidationError("Missing data for required field.", "on")
        if values.get("when") == "repeats" and not values.get("repeat_at"):
            raise ValidationError("Missing data for required field.", "repeat_at")


def cron_of(values: dict[str, Any]) -> str:
    """Return the cron line of what somebody chose."""
    at = values["repeat_at"]
    match values["every"]:
        case "day":
            rest = "* * *"
        case "month":
            rest = f"{values['day']} * *"
        case _:
            rest = f"* * {values['weekday']}"
    return f"{at.minute} {at.hour} {rest}"
