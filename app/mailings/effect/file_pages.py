"""People and figures of reports as files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from typing import Any

from flask import send_file
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from app.mailings.effect.people import Person
from app.ui.csv_export import csv_chunks
from app.ui.languages import current_language

IN_MEMORY_BYTES = 2_000_000


def people_file(people: Iterable[Person]) -> Any:
    """Return a file of people, in the language of whoever asks."""
    header = [_("Number"), _("First name"), _("Last name"), _("E-mail address"), _("Language"), _("When"), _("Spent")]
    rows = (
        (each.contact_id, each.given_name, each.family_name, each.email, each.language, each.at, each.amount)
        for each in people
    )
    return made_file(header, rows)


def made_file(header: list[str], rows: Iterable[tuple[Any, ...]]) -> Any:
    """Return a file of rows, at its beginning; the answer that sends it closes it."""
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 (the answer closes it)
    for chunk in csv_chunks(header, rows, language=current_language()):
        file.write(chunk)
    file.seek(0)
    return file


def sent_file(file: Any, name: str) -> Response:
    """Answer with a file under this name."""
    return send_file(file, mimetype="text/csv; charset=utf-8", as_attachment=True, download_name=f"{name[:90]}.csv")
