"""What can be wrong with a rule, said so that it can be said again in the reader's language.

Errors
------
SegmentError
├── InvalidRuleError      the rule itself is wrong; ``problems`` says what and where
├── SegmentMissingError   a rule, page or call names a segment this organisation does not have
├── SegmentCycleError     a segment would, through others, refer to itself
├── SegmentInUseError     a segment cannot go while something still uses it
├── NameTakenError        another segment of the organisation has the name
├── ActivityMissingError  a page or call names an activity this organisation does not have
├── NothingInCommonError  an activity has no genre, series or venue that others could share
├── TooSlowError          the answer was not there within the time that was given
├── NamesGoneError        genres, series or venues of a rule existed once, and no longer do
├── FailedRuleError       the database cannot work out the rule over the data there is
└── ChangesForgottenError a reader of entries and exits stayed away longer than they are kept
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


def N_(text: str) -> str:  # noqa: N802 (the name that translation tools look for)
    """Mark ``text`` for the translation catalogue without translating it yet."""
    return text


class Message(str):
    """An English sentence that remembers its untranslated text and its fillings.

    It is a plain string wherever one is expected (marshmallow, logs, tests); ``said_in`` gives it in another language.
    """

    __slots__ = ("fillings", "msgid")
    msgid: str
    fillings: Mapping[str, Any]

    def __new__(cls, msgid: str, **fillings: Any) -> Message:
        message = super().__new__(cls, msgid % fillings if fillings else msgid)
        message.msgid = msgid
        message.fillings = fillings
        return message

    def format(self, *_args: object, **_fillings: object) -> Message:
        """Stay as it is: marshmallow formats every error message, which would drop the untranslated text."""
        return self

    def said_in(self, translate: Callable[[str], str]) -> str:
        """This sentence through ``translate`` (gettext of the reader's language), with its fillings."""
        text = translate(self.msgid)
        return text % self.fillings if self.fillings else text


class FieldError(ValueError):
    """A node of a rule refuses a value of ``field``; the parser turns it into an error with a path."""

    def __init__(self, field: str, message: Message) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rule: where (``"rules.0.between"``; empty for the rule itself), and a sentence."""

    path: str
    message: Message


class SegmentError(Exception):
    """Something a person asked of segments cannot be done; ``code`` is a stable word."""

    code = "segment_error"


class InvalidRuleError(SegmentError):
    """The rule is not a rule; nothing was evaluated or saved."""

    code = "rule_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path or 'rule'}: {problem.message}" for problem in self.problems))

    def by_field(self, translate: Callable[[str], str] = str) -> dict[str, list[str]]:
        """The problems as ``{path: [sentence, …]}`` in the language of ``translate``, as the API answers them."""
        found: dict[str, list[str]] = {}
        for problem in self.problems:
            found.setdefault(problem.path or "rule", []).append(problem.message.said_in(translate))
        return found


class SegmentMissingError(SegmentError):
    """There is no segment ``segment_id`` in this organisation."""

    code = "segment_missing"

    def __init__(self, segment_id: int) -> None:
        super().__init__(f"segment {segment_id} does not exist")
        self.segment_id = segment_id


class SegmentCycleError(SegmentError):
    """The segments in ``path`` refer to one another in a circle, so none of them has a meaning."""

    code = "segment_cycle"

    def __init__(self, path: Iterable[int]) -> None:
        self.path = tuple(path)
        super().__init__(f"segments refer to themselves: {' > '.join(map(str, self.path))}")


class SegmentInUseError(SegmentError):
    """Segment ``segment_id`` is still used by ``users``, pairs of (kind, id)."""

    code = "segment_in_use"

    def __init__(self, segment_id: int, users: Iterable[tuple[str, int]]) -> None:
        self.segment_id = segment_id
        self.users = tuple(users)
        super().__init__(f"segment {segment_id} is used by {len(self.users)} other things")


class NameTakenError(SegmentError):
    """Another segment of the organisation has this name."""

    code = "segment_name_taken"


class ActivityMissingError(SegmentError):
    """There is no activity ``activity_id`` in this organisation."""

    code = "activity_missing"

    def __init__(self, activity_id: int) -> None:
        super().__init__(f"activity {activity_id} does not exist")
        self.activity_id = activity_id


class NothingInCommonError(SegmentError):
    """Activity ``activity_id`` has no genre, series or venue, so nothing says who would like it."""

    code = "activity_without_kin"

    def __init__(self, activity_id: int) -> None:
        super().__init__(f"activity {activity_id} has no genre, series or venue")
        self.activity_id = activity_id


class TooSlowError(SegmentError):
    """The database had no answer within the time limit; nothing was changed, and it may be asked again."""

    code = "segment_too_slow"


class NamesGoneError(SegmentError):
    """Some of the ``names`` that a rule asks for existed at its last full evaluation, and no longer do."""

    code = "segment_names_gone"

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        super().__init__(f"{len(self.names)} names of the rule no longer exist")


class FailedRuleError(SegmentError):
    """The database stopped with an error over this rule; ``sqlstate`` says which."""

    code = "segment_failed"

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(f"the database stopped with {sqlstate}")


class ChangesForgottenError(SegmentError):
    """What follows the cursor is partly no longer kept; nothing was read."""

    code = "segment_changes_forgotten"

    def __init__(self, cursor: int) -> None:
        super().__init__(f"the entries and exits that follow position {cursor} are no longer all kept")
        self.cursor = cursor


def flatten(errors: object, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """marshmallow's nested errors as a flat run of problems, in the order of the rule."""
    if isinstance(errors, Mapping):
        for key, inner in errors.items():
            step = () if key == "_schema" else (str(key),)
            yield from flatten(inner, path + step)
    elif isinstance(errors, list):
        for inner in errors:
            yield from flatten(inner, path)
    else:
        message = errors if isinstance(errors, Message) else Message(str(errors))
        yield Problem(".".join(path), message)
