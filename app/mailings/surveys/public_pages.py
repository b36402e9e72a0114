"""The page of a mail's questions. It is opened by pressing an answer in the mail, which is chosen then; nothing is kept
before the person sends it, because scanners of mail press links too."""

from __future__ import annotations

from flask import Blueprint, request

from app.accounts.access import public
from app.consent.public_pages import PER_LINK, Answer, hold_back, keep_calm, shown, speak_to, too_often, unknown_link
from app.mailings.composing.personal_fields import is_known
from app.mailings.composing.personal_text import say
from app.mailings.composing.viewing import read_view_token
from app.mailings.surveys.answering import AskedOf, asked_in, keep_answers
from app.ui import request_scope

blueprint = Blueprint("surveys", __name__, template_folder="../templates")
keep_calm(blueprint)


@blueprint.get("/s/<token>")
@public
def ask(token: str) -> Answer:
    """Show the questions of a mail, with the answer chosen that was pressed in it."""
    found = _enter(token)
    if found is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token}, is_act=False)
    if wait is not None:
        return too_often(wait)
    chosen = {request.args.get("question", ""): request.args.get("answer", "")}
    return _page(found, given=chosen)


@blueprint.post("/s/<token>")
@public
def answer(token: str) -> Answer:
    """Keep what was answered, and thank."""
    found = _enter(token)
    if found is None:
        return unknown_link()
    wait = hold_back({PER_LINK: token})
    if wait is not None:
        return too_often(wait)
    asked = found
    given = {question.id: request.form.get(question.id, "") for question in asked.questions}
    if not keep_answers(request_scope.session(), asked, given):
        return _page(asked, given=given, is_empty=True)
    return shown("surveys/thanks.html")


def _enter(token: str) -> AskedOf | None:
    runtime = request_scope.runtime()
    read = read_view_token(runtime.keyring, token)
    if read is None:
        return None
    organisation_id, delivery_id = read
    request_scope.enter(organisation_id)
    asked = asked_in(request_scope.session(), delivery_id)
    if asked is None:
        return None
    speak_to(asked.language)
    return asked


def _page(asked: AskedOf, *, given: dict[str, str], is_empty: bool = False) -> str:
    words = {question.id: say(question.words, asked.fields, is_known) for question in asked.questions}
    return shown("surveys/ask.html", asked=asked, words=words, given=given, is_empty=is_empty)
