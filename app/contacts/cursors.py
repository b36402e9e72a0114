"""Opaque cursors: where a page of a list ended, so that the next begins right after it whatever came in between."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime

Place = tuple[datetime, int]


class InvalidCursor(ValueError):
    """A cursor that is not one of ours."""


def cursor_of(place: Place) -> str:
    """Return the cursor of a row, by its instant and id."""
    at, row_id = place
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), row_id]).encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Return what ``cursor_of`` made; raises InvalidCursor."""
    try:
        at, row_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = datetime.fromisoformat(at), int(row_id)
    except (ValueError, TypeError, binascii.Error):
        raise InvalidCursor from None
    if place[0].tzinfo is None:
        raise InvalidCursor
    return place
