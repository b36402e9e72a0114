"""What can be wrong with what somebody composes, said so that it can be said again in the reader's language.

Errors
------
ComposingError
├── InvalidContentError    the content is no content; ``problems`` says what and where
├── BracesError            something between braces is no personal field (PersonalTextError of one text)
└── MarketingInServiceError  a service mail holds blocks that sell (I15)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from app.segments.problems import Message, Problem


class ComposingError(Exception):
    """Something a person composed cannot be used; ``code`` is a stable word."""

    code = "composing_error"


class InvalidContentError(ComposingError):
    """The content cannot be read; nothing was saved."""

    code = "content_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path or 'content'}: {problem.message}" for problem in self.problems))

    def by_field(self, translate: Callable[[str], str] = str) -> dict[str, list[str]]:
        """Return the problems as ``{path: [sentence, …]}``, in the language of ``translate``."""
        found: dict[str, list[str]] = {}
        for problem in self.problems:
            found.setdefault(problem.path or "content", []).append(problem.message.said_in(translate))
        return found


class BracesError(ComposingError, ValueError):
    """What stands between braces in a text is no personal field; ``message`` says what to do."""

    code = "braces"

    def __init__(self, message: Message) -> None:
        super().__init__(str(message))
        self.message = message


class MarketingInServiceError(ComposingError):
    """A service mail holds blocks that sell something; ``block_ids`` are those."""

    code = "marketing_in_service"

    def __init__(self, block_ids: Sequence[str]) -> None:
        super().__init__(f"{len(block_ids)} blocks of marketing in a service mail")
        self.block_ids = tuple(block_ids)
