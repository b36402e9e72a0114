"""What people write, in the one form the store keeps. Pure rules: no database, no clock.

Every function takes text (or None) and returns the kept form, or None for a blank. What cannot be read raises
``Unreadable`` with a code; whoever called says it in the user's words. Nothing is guessed silently.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from app.contacts.words import COUNTRIES, GENDERS, LANGUAGES, MONTHS, NO, YES

TEXT_LENGTH_MAX = 500
IDENTITY_LENGTH_MAX = 320
OLDEST_YEAR = 1000
LATEST_YEAR = 2999
DIALLING_CODES = {"BE": "32", "NL": "31", "LU": "352", "FR": "33", "DE": "49"}
# Luxembourg has no trunk prefix: a leading zero there belongs to the number.
WITH_TRUNK_ZERO = frozenset({"BE", "NL", "FR", "DE"})

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NUMERIC_DATE = re.compile(r"(\d{1,4})[-/. ](\d{1,2})[-/. ](\d{1,4})")
_WORDED_DATE = re.compile(r"(\d{1,2})(?:er|e)?[-/. ]+([^\W\d]+)\.?[-/. ]+(\d{4})")
_TIME = re.compile(r"(?:[T ,]+|\s+(?:om|à|at)\s+)(\d{1,2})[:.hu](\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*(am|pm)?$", re.I)
_TIME_WITH_ZONE = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})$")
_PHONE_EXTRA = re.compile(r"[\s().\-/\u2010-\u2015]")


# A file says the same few words in every row; what they mean is looked up once.
few_words = lru_cache(maxsize=1024)


class Unreadable(ValueError):
    """A value that is there but cannot be understood; ``code`` names the kind of value (``date``, ``amount``, …)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def cleaned(text: str | None) -> str | None:
    """Return text on one line without control characters or outer blanks, at most 500 characters; None for a blank."""
    if text is None:
        return None
    if text.isascii() and text.isprintable():
        if " " not in text:  # most cells are one word
            return text[:TEXT_LENGTH_MAX] or None
    else:
        text = unicodedata.normalize("NFC", _LONE_SURROGATE.sub("", _CONTROL.sub("", text)))
    kept = " ".join(text.split())
    return kept[:TEXT_LENGTH_MAX].rstrip() or None


def identity_key(kind: str, value: str) -> str | None:
    """Return what matching compares for an identity that is no e-mail address; None for a blank.

    System keys are kept as they are: only their owner knows whether case matters.
    """
    kept = cleaned(value)
    if kept is None or len(kept) > IDENTITY_LENGTH_MAX:
        return None
    return kept.replace(" ", "") if kind in ("uitpas", "phone") else kept


def family_name(prefix: str | None, name: str | None) -> str | None:
    """Return a Dutch family name with its prefix (tussenvoegsel) in front: ``van der`` and ``Berg``."""
    return cleaned(" ".join(part for part in (cleaned(prefix), cleaned(name)) if part))


@few_words
def country(text: str | None) -> str | None:
    """Return the ISO 3166 code of a country given by code or by name in Dutch, French, English or German."""
    kept = cleaned(text)
    if kept is None:
        return None
    word = folded(kept)
    if len(kept) == 2 and kept.isascii() and kept.isalpha():
        return kept.upper()
    if word in COUNTRIES:
        return COUNTRIES[word]
    raise Unreadable("country")


@few_words
def language(text: str | None) -> str | None:
    """Return the two-letter code of a language given by code (``nl-BE``, ``dut``) or by name."""
    kept = cleaned(text)
    if kept is None:
        return None
    word = re.split(r"[-_ (]", folded(kept), maxsplit=1)[0]
    if word in LANGUAGES:
        return LANGUAGES[word]
    if len(word) == 2 and word.isascii() and word.isalpha():
        return word
    raise Unreadable("language")


@few_words
def gender(text: str | None) -> str | None:
    """Return ``female``, ``male`` or ``other``, from a word, a letter or a form of address; None for 'unknown'."""
    kept = cleaned(text)
    if kept is None:
        return None
    word = folded(kept).rstrip(".")
    if word not in GENDERS:
        raise Unreadable("gender")
    return GENDERS[word]


def postcode(text: str | None, country_code: str | None = None) -> str | None:
    """Return a postcode as its country writes it: ``9000`` in Belgium, ``1012 AB`` in the Netherlands.

    A Belgian or Dutch country with a code of another shape raises Unreadable; other countries keep what was written.
    """
    kept = cleaned(text)
    if kept is None:
        return None
    bare = re.sub(r"^(?:B|BE|NL|L|F|D)[-\s](?=\d)", "", kept.upper())
    packed = re.sub(r"[\s.\-]", "", bare)
    if re.fullmatch(r"\d{4}\.0", bare):  # a spreadsheet took the code for a number
        packed = bare[:4]
    if re.fullmatch(r"[1-9]\d{3}[A-Z]{2}", packed) and country_code in (None, "NL"):
        return f"{packed[:4]} {packed[4:]}"
    if re.fullmatch(r"[1-9]\d{3}", packed) and country_code in (None, "BE", "NL", "LU"):
        return packed
    if country_code in ("BE", "NL"):
        raise Unreadable("postcode")
    return bare


def phone(text: str | None, country_code: str | None = None) -> str | None:
    """Return a phone number with its country (``+32470123456``) where that is known, else its digits."""
    kept = cleaned(text)
    if kept is None:
        return None
    digits = _PHONE_EXTRA.sub("", kept.replace("(0)", ""))
    digits = f"+{digits[2:]}" if digits.startswith("00") else digits
    if not re.fullmatch(r"\+?\d{6,15}", digits):
        raise Unreadable("phone")
    if digits.startswith("+"):
        return digits
    if digits.startswith("0") and country_code in WITH_TRUNK_ZERO:
        return f"+{DIALLING_CODES[country_code]}{digits[1:]}"
    return digits


def day(text: str | None) -> date | None:
    """Return a date written as dd/mm/yyyy, d-m-yyyy, dd.mm.yyyy, yyyy-mm-dd or with its month in words.

    Day before month, as everybody here writes it; a month above twelve is unreadable rather than turned round. A
    time behind the date is left out.
    """
    kept = cleaned(text)
    if kept is None:
        return None
    bare = _TIME.sub("", re.sub(r"(?:Z|[+-]\d{2}:?\d{2})$", "", kept) if _TIME_WITH_ZONE.search(kept) else kept)
    if match := _NUMERIC_DATE.fullmatch(bare):
        return _numeric_day(*match.groups())
    if match := _WORDED_DATE.fullmatch(folded(bare)):
        month = MONTHS.get(match[2][:4]) or MONTHS.get(match[2][:3])
        if month:
            return _checked_day(int(match[3]), month, int(match[1]))
    raise Unreadable("date")


def is_past_birth(day: date, *, at: datetime) -> bool:
    """Whether somebody can have been born on a day at an instant, somewhere on earth."""
    return day <= (at + timedelta(hours=14)).date()


def moment(text: str | None) -> datetime | None:
    """Return a date with its time; naive, in local time, unless an offset is written. Midnight where no time is."""
    kept = cleaned(text)
    if kept is None:
        return None
    if _TIME_WITH_ZONE.search(kept):
        try:
            return datetime.fromisoformat(kept.replace(" ", "T", 1).replace(" ", ""))
        except ValueError:
            raise Unreadable("date") from None
    on = day(kept)
    if on is None:
        raise Unreadable("date")
    hour, minute, second = _clock_time(kept)
    return datetime(on.year, on.month, on.day, hour, minute, second)  # noqa: DTZ001  the caller knows the zone


def amount(text: str | None) -> Decimal | None:
    """Return an amount in cents' precision from ``1.234,50 €``, ``1,234.50``, ``EUR 12`` or ``12,5``.

    The last mark is the decimal one when one or two digits follow it; with three it parts thousands, unless the
    number has but that mark and begins with zero.
    """
    kept = cleaned(text)
    if kept is None:
        return None
    bare = re.sub(r"(?i)eur(?:o)?|[€\s'’]", "", kept)
    bare = re.sub(r",(?:-|–)+$", "", bare)
    is_negative = bare.startswith(("-", "−", "(")) or bare.endswith("-")
    bare = bare.strip("-−()")
    if not re.fullmatch(r"\d[\d.,]*", bare):
        raise Unreadable("amount")
    try:
        value = Decimal(_with_decimal_point(bare)).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise Unreadable("amount") from None
    if value >= Decimal("10000000000"):
        raise Unreadable("amount")
    return -value if is_negative else value


def whole_number(text: str | None) -> int | None:
    """Return a whole number that counts something; ``2.0`` and ``2,00`` from a spreadsheet are 2."""
    kept = cleaned(text)
    if kept is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(?:[.,]0+)?", kept)
    if match is None:
        raise Unreadable("number")
    return int(match[1])


def yes_no(text: str | None) -> bool | None:
    """Return what a yes/no word in Dutch, French or English says; None for a blank or 'unknown'."""
    kept = cleaned(text)
    if kept is None:
        return None
    word = folded(kept).strip(" .!")
    if word in YES:
        return True
    if word in NO:
        return False
    if word in ("onbekend", "inconnu", "unknown", "?", "-", "null", "n/a", "nvt", "n.v.t"):
        return None
    raise Unreadable("yes_no")


def folded(text: str) -> str:
    """Return text for comparison with the tables of words: lower case, without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _numeric_day(first: str, middle: str, last: str) -> date:
    if len(first) == 4:
        return _checked_day(int(first), int(middle), int(last))
    if len(first) <= 2 and len(last) == 4:
        return _checked_day(int(last), int(middle), int(first))
    raise Unreadable("date")


def _checked_day(year: int, month: int, day_of_month: int) -> date:
    try:
        found = date(year, month, day_of_month)
    except ValueError:
        raise Unreadable("date") from None
    if not OLDEST_YEAR <= found.year <= LATEST_YEAR:
        raise Unreadable("date")
    return found


def _clock_time(text: str) -> tuple[int, int, int]:
    match = _TIME.search(text)
    if match is None:
        return 0, 0, 0
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    if match[4]:
        hour = hour % 12 + (12 if match[4].lower() == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise Unreadable("date")
    return hour, minute, second


def _with_decimal_point(number: str) -> str:
    point, comma = number.rfind("."), number.rfind(",")
    mark = "." if point > comma else ","
    whole, found, fraction = number.rpartition(mark)
    if not found:
        return number
    has_both = point >= 0 and comma >= 0
    parts_thousands = len(fraction) == 3 and not has_both and not whole.startswith("0")
    if parts_thousands or whole.count(mark):
        whole, fraction = number, ""
    for separator in ".,":
        parts = whole.split(separator)
        if len(parts) > 1 and any(len(part) != 3 for part in parts[1:]):
            raise Unreadable("amount")
    whole = whole.replace(".", "").replace(",", "")
    return f"{whole}.{fraction}" if fraction else whole
