"""The form about columns: one set of fields per column, numbered by its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from datetime import date

from app.contacts.importing.columns import ATTRIBUTE, CONSENT, IGNORE
from app.contacts.importing.mapping import ConsentMeaning, Mapping, source_code
from app.contacts.normalise import Unreadable, cleaned, day
from app.ui.forms import WHOLE_FORM, Form, new_form, translated

ATTRIBUTE_CHARS_MAX = 60
WORDING_CHARS_MAX = 4000
SELLER_CHARS_MAX = 200
TAGS_MAX = 20


def form_of(mapping: Mapping) -> Form:
    """Return the form that shows a mapping."""
    typed: dict[str, str] = {"source": mapping.source, "tags": ", ".join(mapping.tags)}
    for place, code in enumerate(mapping.columns):
        typed[f"column-{place}"] = code
        typed[f"attribute-{place}"] = mapping.attribute_names.get(place, "")
        meaning = mapping.consents.get(place)
        if meaning is not None:
            typed |= {
                f"meaning-{place}": meaning.meaning,
                f"purpose-{place}": meaning.purpose or "",
                f"wording-{place}": meaning.wording or "",
                f"language-{place}": meaning.language or "",
                f"captured_on-{place}": meaning.captured_on.isoformat() if meaning.captured_on else "",
                f"seller-{place}": meaning.seller or "",
                f"key-{place}": meaning.key or "",
            }
    return new_form(**typed)


def mapping_of(submitted: Dictionary[str, str], *, width: int) -> tuple[Mapping, Form]:
    """Return the mapping somebody chose and the form as they filled it in, with errors about what is no date."""
    typed = {name: value.strip() for name, value in submitted.items() if name != "csrf_token"}
    form = Form(typed=typed, is_submitted=True)
    columns = tuple(typed.get(f"column-{place}") or IGNORE for place in range(width))
    consents: dict[int, ConsentMeaning] = {}
    for place, code in enumerate(columns):
        if code != CONSENT:
            continue
        captured_on: date | None = None
        try:
            captured_on = day(typed.get(f"captured_on-{place}"))
        except Unreadable:
            form = form.with_error(f"captured_on-{place}", translated("Not a valid date."))
        consents[place] = ConsentMeaning(
            meaning=typed.get(f"meaning-{place}", ""),
            purpose=typed.get(f"purpose-{place}") or None,
            wording=(typed.get(f"wording-{place}") or "")[:WORDING_CHARS_MAX] or None,
            language=typed.get(f"language-{place}") or None,
            captured_on=captured_on,
            seller=(cleaned(typed.get(f"seller-{place}")) or "")[:SELLER_CHARS_MAX] or None,
            key=(cleaned(typed.get(f"key-{place}")) or "")[:SELLER_CHARS_MAX] or None,
        )
    names = {
        place: (cleaned(typed.get(f"attribute-{place}")) or "")[:ATTRIBUTE_CHARS_MAX]
        for place, code in enumerate(columns)
        if code == ATTRIBUTE
    }
    tags = tuple(dict.fromkeys(tag for each in typed.get("tags", "").split(",") if (tag := cleaned(each))))
    return Mapping(source_code(typed.get("source", "")), columns, names, consents, tags[:TAGS_MAX]), form


def form_problems(problems: Sequence[tuple[str, int | None]]) -> Iterator[tuple[str, str]]:
    """Yield each problem of a mapping with the form field it stands beside."""
    beside = {
        "attribute_without_name": "attribute",
        "consent_without_meaning": "meaning",
        "consent_without_purpose": "purpose",
        "consent_without_seller": "seller",
        "consent_without_key": "key",
        "unknown_purpose": "purpose",
    }
    for code, place in problems:
        if place is None:
            yield code, "source" if code == "no_source" else WHOLE_FORM
        else:
            yield code, f"{beside.get(code, 'column')}-{place}"
