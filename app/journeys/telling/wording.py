"""What sentences are made with: the translations of the reader's language, durations, lists and ordinals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?=.)(?:(?P<Y>\d{1,4})Y)?(?:(?P<M>\d{1,5})M)?(?:(?P<W>\d{1,5})W)?(?:(?P<D>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<h>\d{1,6})H)?(?:(?P<m>\d{1,6})M)?(?:(?P<s>\d{1,6})S)?)?"
)


@dataclass(frozen=True, slots=True)
class Wording:
    """gettext and ngettext of the reader's language (with fillings by name), and that language's code."""

    gettext: Callable[..., str]
    ngettext: Callable[..., str]
    language: str

    def duration(self, text: object) -> str:
        """``P2DT4H`` as “2 days and 4 hours”; nothing for what is no duration. The sign is not told."""
        ngettext = self.ngettext
        found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None:
            return ""
        count = {unit: int(found[unit] or 0) for unit in "YMWDhms"}
        parts = [
            ngettext("%(num)s year", "%(num)s years", count["Y"]) if count["Y"] else "",
            ngettext("%(num)s month", "%(num)s months", count["M"]) if count["M"] else "",
            ngettext("%(num)s week", "%(num)s weeks", count["W"]) if count["W"] else "",
            ngettext("%(num)s day", "%(num)s days", count["D"]) if count["D"] else "",
            ngettext("%(num)s hour", "%(num)s hours", count["h"]) if count["h"] else "",
            ngettext("%(num)s minute", "%(num)s minutes", count["m"]) if count["m"] else "",
            ngettext("%(num)s second", "%(num)s seconds", count["s"]) if count["s"] else "",
        ]
        return self.both([part for part in parts if part])

    def either(self, words: Sequence[str]) -> str:
        """“a, b or c”."""
        _ = self.gettext
        return self._joined(words, lambda first, last: _("%(first)s or %(last)s", first=first, last=last))

    def both(self, words: Sequence[str]) -> str:
        """“a, b and c”."""
        _ = self.gettext
        return self._joined(words, lambda first, last: _("%(first)s and %(last)s", first=first, last=last))

    def ordinal(self, number: int) -> str:
        """“5th”; the tenth is the last that has a word of its own in French and Dutch."""
        _ = self.gettext
        words = {
            1: _("first"),
            2: _("second"),
            3: _("third"),
            4: _("fourth"),
            5: _("fifth"),
            6: _("sixth"),
            7: _("seventh"),
            8: _("eighth"),
            9: _("ninth"),
            10: _("tenth"),
        }
        return words.get(number) or _("number %(number)s", number=number)

    def quoted(self, name: object, gap: str) -> str:
        """A name in quotation marks, or what is still to be chosen."""
        _ = self.gettext
        return _("“%(name)s”", name=name) if name else f"({gap})"

    def _joined(self, words: Sequence[str], join: Callable[[str, str], str]) -> str:
        if len(words) < 2:
            return words[0] if words else ""
        return join(", ".join(words[:-1]), words[-1])


def sign_of(text: object) -> int:
    """-1 before, 1 after, 0 for a duration of nothing or what is no duration."""
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or not any(int(found[unit] or 0) for unit in "YMWDhms"):
        return 0
    return -1 if found["sign"] == "-" else 1
