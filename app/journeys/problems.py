"""What can be wrong with a journey, or with what is asked of one, said in words.

Errors
------
JourneyError
├── InvalidDefinitionError   the definition is not one; ``problems`` says what and where
├── JourneyMissingError      this organisation has no such journey
├── JourneyNameTakenError    another journey has the name
├── JourneyStateError        the journey is not in a state in which this can be done
├── NotPublishableError      ``findings`` stand in the way of publishing
├── ImpossibleFateError      people at ``step_ids`` cannot be moved: the new version has no such step
├── StaleDraftError          somebody else saved the draft meanwhile
├── ImpossibleDraftError     what should be a draft is not an object, too large, or nested too deep
└── JourneyInUseError        people entered the journey, so it stays; it can be archived
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.segments.problems import Problem


class JourneyError(Exception):
    """Something that was asked of a journey cannot be done; ``code`` is a stable word."""

    code = "journey_error"


class InvalidDefinitionError(JourneyError):
    """The JSON is no definition; nothing was kept."""

    code = "definition_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path or 'definition'}: {problem.message}" for problem in self.problems))

    def by_field(self, translate: Callable[[str], str] = str) -> dict[str, list[str]]:
        """The problems as ``{path: [sentence, …]}`` in the language of ``translate``, as the API answers them."""
        found: dict[str, list[str]] = {}
        for problem in self.problems:
            found.setdefault(problem.path or "definition", []).append(problem.message.said_in(translate))
        return found


class JourneyMissingError(JourneyError):
    """There is no journey ``journey_id`` in this organisation."""

    code = "journey_missing"

    def __init__(self, journey_id: int) -> None:
        super().__init__(f"journey {journey_id} does not exist")
        self.journey_id = journey_id


class JourneyNameTakenError(JourneyError):
    """Another journey of the organisation has this name."""

    code = "journey_name_taken"


class JourneyStateError(JourneyError):
    """Journey ``journey_id`` is ``state``, in which this cannot be done."""

    code = "journey_state"

    def __init__(self, journey_id: int, state: str) -> None:
        super().__init__(f"journey {journey_id} is {state}")
        self.journey_id = journey_id
        self.state = state


class NotPublishableError(JourneyError):
    """Journey ``journey_id`` cannot be published yet; ``codes`` say why, ``checking.problems_of`` says it in words."""

    code = "journey_not_publishable"

    def __init__(self, journey_id: int, codes: Iterable[str]) -> None:
        self.journey_id = journey_id
        self.codes = tuple(codes)
        super().__init__(f"journey {journey_id}: {', '.join(self.codes)}")


class ImpossibleFateError(JourneyError):
    """The new version of journey ``journey_id`` has no steps ``step_ids``, so nobody can be moved to them."""

    code = "journey_fate_impossible"

    def __init__(self, journey_id: int, step_ids: Iterable[str]) -> None:
        self.journey_id = journey_id
        self.step_ids = tuple(step_ids)
        super().__init__(f"journey {journey_id} has no steps {', '.join(self.step_ids)}")


class StaleDraftError(JourneyError):
    """The draft of journey ``journey_id`` is at ``edition`` by now; nothing was kept."""

    code = "journey_changed_meanwhile"

    def __init__(self, journey_id: int, edition: int) -> None:
        super().__init__(f"journey {journey_id} is at edition {edition}")
        self.journey_id = journey_id
        self.edition = edition


class ImpossibleDraftError(JourneyError):
    """This is no draft: not an object, too large, nested too deep, or with characters that cannot be kept."""

    code = "journey_draft_impossible"


class JourneyInUseError(JourneyError):
    """People entered journey ``journey_id``, or could now, so it stays."""

    code = "journey_in_use"

    def __init__(self, journey_id: int) -> None:
        super().__init__(f"people entered journey {journey_id}")
        self.journey_id = journey_id
