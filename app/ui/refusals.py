"""How an API operation says what is wrong with one field; the answer becomes problem+json (``app.ui.errors``)."""

from __future__ import annotations

from typing import NoReturn

from flask_smorest import abort


def refuse(field: str, sentence: str) -> NoReturn:
    """Answer 422 with one sentence about one field; nothing of the request is kept."""
    abort(422, errors={field: [sentence]})
    raise AssertionError("abort has raised")
