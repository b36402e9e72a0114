"""Capitals of a rule's texts, brought down as the database brings down those of the rows."""

from __future__ import annotations


def lowered(text: str) -> str:
    """Return a text without surrounding blanks and in lower case, letter by letter as PostgreSQL's lower() does.

    Python's own makes two letters of İ and minds where a sigma stands: the name İbrahim would not equal itself.
    """
    return "".join(letter.lower()[0] for letter in text.strip())
