"""What the pages of the audience share: whose house, which language, how often, and a calm answer to everything.

No log-in, no cookie, no script. A body of more than BODY_BYTES_MAX is not read. Rates are counted per link, per form
and, generously, per network, so that an office or a school behind one address is never locked out; stopping is never
counted and never refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, g, make_response, render_template, request
from sqlalchemy import select
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from app.accounts.house_look import house_ref, look_of
from app.accounts.organisations import LANGUAGES, current_organisation
from app.accounts.rate_limits import Limit, admit, network_of
from app.consent.subjects import contact, contacts_by_subject
from app.consent.tokens import Claims, Kind, make_token, read_token
from app.db import open_session
from app.ui import request_scope
from app.ui.errors import WORDINGS
from app.ui.errors import Wording as ErrorWording
from app.ui.languages import speak

Answer = str | tuple[str, int] | Response

BODY_BYTES_MAX = 64 * 1024
TEN_MINUTES = timedelta(minutes=10)
PER_NETWORK_LOOKS = Limit("public looks", 3000, TEN_MINUTES)
PER_NETWORK_ACTS = Limit("public acts", 600, TEN_MINUTES)
PER_LINK = Limit("link", 60, TEN_MINUTES)


def keep_calm(blueprint: Blueprint) -> None:
    """Bind a blueprint's bodies to a size, and have whatever goes wrong in it answered by a page of the house."""

    def bound() -> None:
        request.max_content_length = BODY_BYTES_MAX
        request.max_form_memory_size = BODY_BYTES_MAX

    blueprint.before_request(bound)
    blueprint.register_error_handler(HTTPException, _answer_trouble)


def enter(kind: Kind, token: str) -> Claims | None:
    """Scope the request to the house the link is of, and speak the person's language; None for a link not ours."""
    claims = read_token(request_scope.runtime().keyring, kind, token)
    if claims is None:
        return None
    request_scope.enter(claims.organisation_id)
    session = request_scope.session()
    contact_id = contacts_by_subject(session, [claims.subject_key]).get(claims.subject_key)
    speak_to(session.scalar(select(contact.c.language).where(contact.c.id == contact_id)))
    return claims


def speak_to(language: str | None) -> None:
    """Speak what the address asks for (``?language=``), else the person's language, else that of the house."""
    house = current_organisation(request_scope.session())
    wanted = (request.args.get("language"), language, house.language)
    speak(next(each for each in wanted if each in LANGUAGES), time_zone=house.time_zone)
    g.public_house = house


def hold_back(counted: Mapping[Limit, str], *, is_act: bool = True) -> timedelta | None:
    """Count what somebody does, with the network it comes from; returns how long to wait where it is too often.

    Counted in a transaction of its own, so that every process sees it at once and a refusal counts nothing.
    """
    runtime = request_scope.runtime()
    network = network_of(request.remote_addr or "")
    per_network = PER_NETWORK_ACTS if is_act else PER_NETWORK_LOOKS
    with open_session(runtime.engine, None) as session, session.begin() as step:
        wait = admit(session, runtime.keyring, {**counted, per_network: network})
        if wait is not None:
            step.rollback()
    return wait


def too_often(wait: timedelta) -> Response:
    """Answer 429 with when to come back. Nothing of the request is kept."""
    seconds = int(wait.total_seconds()) + 1
    answer = make_response(shown("trouble.html", wording=WORDINGS[429], minutes=-(-seconds // 60)), 429)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def shown(template: str, claims: Claims | None = None, **context: Any) -> str:
    """Render a page in the look of the house the request is for; with claims it links to the person's preferences."""
    house = g.get("public_house")
    keyring = request_scope.runtime().keyring
    if house is not None:
        context |= {
            "look": look_of(request_scope.session(), house),
            "house_ref": house_ref(keyring, house.id),
        }
    if claims is not None:
        manage = Claims(kind="preferences", organisation_id=claims.organisation_id, subject_key=claims.subject_key)
        context["preferences_token"] = make_token(keyring, manage)
    name = template if "/" in template else f"consent/{template}"
    return render_template(name, house=house, **context)


def unknown_link() -> Answer:
    """Answer 404 to a link that is none of ours, without a word about whose it might be."""
    return shown("unknown_link.html"), 404


def _answer_trouble(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    # What failed may have failed in the middle of a transaction: the page asks the database nothing.
    g.pop("public_house", None)
    wording: ErrorWording = WORDINGS.get(status) or WORDINGS[400 if status < 500 else 500]
    return make_response(shown("trouble.html", wording=wording, minutes=0), status)
