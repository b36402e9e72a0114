"""When two contacts are likely the same person, or live in one household: what they have in common, as keys.

Each key is a generated column of the contact, so it is right on every path that writes one: a 64-bit hash of folded
text, NULL where a part is missing. Two contacts with the same key are alike; erasing a person empties their keys.

- ``like_name``: the same first and last name in the same postcode
- ``like_phone``: the same telephone number, however it is written
- ``like_birth``: the same date of birth and last name
- ``like_address``: the same street with number, and postcode: a household

``like_number`` tells apart what ``like_name`` holds together: two people of one name in one postcode, at different
numbers, are two people.

Cards are identities, and no two contacts can hold one. Folding drops capitals, the accents of western European
languages, and everything but letters and digits, so that ``De Smet`` is ``desmet``; text without any is no text.
"""

from __future__ import annotations

ACCENTED = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ"
PLAIN = "aaaaaaceeeeiiiinoooooouuuuyy"
SHORTEST_PHONE = 8


def _folded(column: str) -> str:
    letters = f"translate(lower({column}), '{ACCENTED}', '{PLAIN}')"
    return f"nullif(regexp_replace({letters}, '[^a-z0-9]', '', 'g'), '')"


def _hashed(*parts: str) -> str:
    joined = " || '|' || ".join(parts)
    return f"hashtextextended({joined}, 0)"


# A number is told by its digits behind the trunk zero or the code of a neighbouring country.
_DIGITS = r"regexp_replace(regexp_replace(phone, '[^0-9+]', '', 'g'), '^((\+|00)(31|32|33|49|352)0?|0)|\+', '', 'g')"

PERSON = ("like_name", "like_phone", "like_birth")
HOUSEHOLD = ("like_address",)

KEYS = {
    "like_name": _hashed(_folded("family_name"), _folded("given_name"), _folded("postcode")),
    "like_phone": f"CASE WHEN length({_DIGITS}) >= {SHORTEST_PHONE} THEN {_hashed(_DIGITS)} END",
    # Days since an epoch: the text of a date depends on a session's settings, and a stored key must not.
    "like_birth": _hashed(_folded("family_name"), "CAST(birth_date - DATE '2000-01-01' AS text)"),
    # A street without a number is no household.
    "like_number": "hashtextextended(substring(street, '[0-9]+'), 0)",
    "like_address": f"CASE WHEN street ~ '[0-9]' THEN {_hashed(_folded('street'), _folded('postcode'))} END",
}
