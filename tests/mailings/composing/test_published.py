"""The API's description of content says what the reader of content does."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.composing.published import content_components
from app.mailings.composing.starts import STARTS, started
from tests.mailings.composing.letters_of_content import content_json_of
from tests.mailings.composing.test_content import EVERYTHING


@pytest.fixture(scope="module")
def described() -> Draft202012Validator:
    whole: dict[str, Any] = {
        "components": {"schemas": content_components()},
        "$ref": "#/components/schemas/MailContent",
    }
    resource = Resource.from_contents(whole, default_specification=DRAFT202012)
    return Draft202012Validator(whole, registry=Registry().with_resource("", resource))


def test_what_can_be_read_fits_the_description(described: Draft202012Validator) -> None:
    contents = [content_json_of(*EVERYTHING), *(started(start, ["nl", "fr", "en"]) for start in STARTS)]
    for content in contents:
        assert list(described.iter_errors(content)) == []
        assert list(described.iter_errors(content_json(parse_content(content)))) == []


@pytest.mark.parametrize(
    "block", [{"type": "poem"}, {"type": "spacer", "height": 4000}, {"type": "button", "shape": "round"}]
)
def test_what_is_refused_does_not_fit_it(described: Draft202012Validator, block: dict[str, Any]) -> None:
    assert list(described.iter_errors(content_json_of(block)))
