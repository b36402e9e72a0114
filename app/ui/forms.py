"""How a page takes in a form: a marshmallow schema checks it, the page is shown again with what is wrong.

A view reads ``form = read_form(Schema(), request.form)``. When ``form.is_valid`` it acts on ``form.values`` and
redirects, else it returns ``shown_again("room/page.html", form=form)``: status 422, every field as it was typed, every
error beside its field in the language of the person. docs/developers/ui.md shows a whole page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import render_template
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from marshmallow import EXCLUDE, Schema, ValidationError, fields
from werkzeug.datastructures import MultiDict

# Errors about the form as a whole stand under this name (marshmallow's own).
WHOLE_FORM = "_schema"

# What marshmallow and our schemas say in English, and what we say to people. The patterns take its numbers along.
WORDINGS: tuple[tuple[re.Pattern[str], LazyString], ...] = tuple(
    (re.compile(pattern), wording)
    for pattern, wording in (
        (r"Missing data for required field\.|Field may not be null\.", _l("Fill this in.")),
        (r"Not a valid email address\.", _l("This is not a valid e-mail address. Example: name@example.org.")),
        (
            r"Nobody was born yet on this day\. Check the year\.",
            _l("Nobody was born yet on this day. Check the year."),
        ),
        (
            r"The last day comes before the first\. Change one of them\.",
            _l("The last day comes before the first. Change one of them."),
        ),
        (r"Not a valid URL\.", _l("This is not a valid web address. It starts with https://.")),
        (r"Not a valid integer\.", _l("Write a whole number here.")),
        (r"Not a valid (?:number|decimal)\.|Special numeric values .*|Number too large\.", _l("Write a number here.")),
        (r"Not a valid date\.|.* cannot be formatted as a date\.", _l("This is not a date. Write it as 2026-11-20.")),
        (r"Not a valid (?:\w+ )?datetime\.|.* cannot be formatted as a datetime\.", _l("This is not a date and time.")),
        (r"Not a valid time\.", _l("This is not a time. Write it as 20:15.")),
        (r"Not a valid boolean\.", _l("Choose yes or no.")),
        (r"Shorter than minimum length 1\.", _l("Fill this in.")),
        (r"Shorter than minimum length (?P<least>\d+)\.", _l("Use at least %(least)s characters.")),
        (r"Longer than maximum length (?P<most>\d+)\.", _l("Use at most %(most)s characters.")),
        (r"Length must be between 1 and (?P<most>\d+)\.", _l("Use at most %(most)s characters.")),
        (
            r"Length must be between (?P<least>\d+) and (?P<most>\d+)\.",
            _l("Use between %(least)s and %(most)s characters."),
        ),
        (
            r"Must be greater than or equal to (?P<least>\S+) and less than or equal to (?P<most>\S+)\.",
            _l("Choose a number from %(least)s to %(most)s."),
        ),
        (r"Must be greater than or equal to (?P<least>\S+)\.", _l("This must be %(least)s or more.")),
        (r"Must be less than or equal to (?P<most>\S+)\.", _l("This must be %(most)s or less.")),
        (r"Must be one of: .*|One or more of the choices you made was .*", _l("Choose one from the list.")),
        (r"Unknown field\.", _l("This field is not known here.")),
        (
            r"Not a valid \S.*|String does not match expected pattern\.|Invalid (?:input|value|type)\.",
            _l("This value cannot be used here."),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Form:
    """One form, filled in or not. ``typed`` is what the fields show; ``values`` is what the schema made of it.

    ``values`` is empty unless ``is_valid``. ``errors`` maps a field's name to sentences; ``WHOLE_FORM`` to those about
    no field in particular.
    """

    typed: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    is_submitted: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether the form was sent and nothing is wrong with it."""
        return self.is_submitted and not self.errors

    def with_error(self, name: str, sentence: str) -> Form:
        """Return the form with one more error: for what only the database or another system can tell."""
        errors = {**self.errors, name: [*self.errors.get(name, []), sentence]}
        return Form(typed=self.typed, errors=errors, is_submitted=True)


def new_form(**typed: Any) -> Form:
    """Return a form nobody has sent yet, its fields showing these values."""
    return Form(typed=typed)


def read_form(schema: Schema, submitted: MultiDict[str, str]) -> Form:
    """Check what was sent against a schema. Never raises for bad input.

    Text is stripped; an empty field counts as absent, so that ``required`` means filled in. A field that is a List in
    the schema takes every value of its name; an unticked checkbox is False where the schema has a Boolean.
    """
    typed = {name: _taken(schema, name, submitted) for name in submitted if name != "csrf_token"}
    given = {name: value for name, value in typed.items() if value not in ("", [])}
    for name, each in schema.load_fields.items():
        if isinstance(each, fields.Boolean):
            given.setdefault(each.data_key or name, False)
    try:
        values = schema.load(given, unknown=EXCLUDE)
    except ValidationError as error:
        return Form(typed=typed, errors=translated_errors(error.messages), is_submitted=True)
    return Form(typed=typed, values=values, is_submitted=True)


def shown_again(template: str, *, form: Form, **context: Any) -> tuple[str, int]:
    """Render a page with its form as it was sent: status 422, as the browser and htmx expect of refused input."""
    return render_template(template, form=form, **context), 422


def translated_errors(messages: Any) -> dict[str, list[str]]:
    """Return marshmallow's messages by dotted field name, each as a sentence in the language of the person."""
    errors: dict[str, list[str]] = {}
    for name, message in _flattened("", messages):
        sentence = translated(message)
        if sentence not in errors.setdefault(name, []):
            errors[name].append(sentence)
    return errors


def translated(message: str) -> str:
    """Return one of marshmallow's messages in our words; a message that is not marshmallow's is returned as it is."""
    for pattern, wording in WORDINGS:
        if match := pattern.fullmatch(message):
            return str(wording) % match.groupdict()
    return message


def _taken(schema: Schema, name: str, submitted: MultiDict[str, str]) -> Any:
    declared = {each.data_key or key: each for key, each in schema.load_fields.items()}.get(name)
    if isinstance(declared, fields.List):
        return [value.strip() for value in map(_storable, submitted.getlist(name)) if value.strip()]
    text = _storable(submitted.get(name, ""))
    return text if "password" in name else text.strip()


def _storable(text: str) -> str:
    """Text without NUL, which no keyboard types and no database holds."""
    return text.replace("\x00", "")


def _flattened(prefix: str, messages: Any) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _flattened(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(messages, (list, tuple)):
        for inner in messages:
            yield from _flattened(prefix, inner)
    else:
        yield prefix or WHOLE_FORM, str(messages)
