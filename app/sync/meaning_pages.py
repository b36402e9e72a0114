"""The pages on which a house says what the words of its sources mean here: seen before it is done, done at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app.accounts.access import current_actor, requires
from app.activities.models import Activity
from app.consent.models import Purpose
from app.contacts.normalise import cleaned
from app.sync import connections, meanings
from app.sync.connections import UnknownConnection
from app.sync.field_mapping import Meaning, Word
from app.sync.meanings import Change, SourceWord
from app.sync.models import Connection
from app.ui import request_scope
from app.ui.languages import current_language
from integrations.base import OfferKind
from integrations.catalogue import SYSTEMS

blueprint = Blueprint("meanings", __name__, url_prefix="/connections", template_folder="templates")

Answer = str | tuple[str, int] | Response
NAME_LENGTH_MAX = 60
GENRES_MAX = 300


@blueprint.get("/words")
@requires("marketer")
def overview() -> Answer:
    """Show every source with how many of its words nobody said anything about."""
    session = request_scope.session()
    counts = meanings.count_new_words(session)
    found = [each for each in connections.list_connections(session) if each.id in counts]
    return render_template("meanings/overview.html", connections=found, counts=counts, systems=SYSTEMS)


@blueprint.get("/<int:connection_id>/words")
@requires("marketer")
def show(connection_id: int) -> Answer:
    """Show the words of a source and what each is here."""
    return _page(_found(connection_id))


@blueprint.post("/<int:connection_id>/words/preview")
@requires("marketer")
def preview(connection_id: int) -> Answer:
    """Show what would change, with nothing stored yet."""
    connection = _found(connection_id)
    session = request_scope.session()
    said, problem = _said(session_words(connection_id))
    if problem:
        flash(problem, "error")
        return _page(connection), 422
    changes = meanings.preview(session, connection_id, said)
    if not changes:
        flash(_("Nothing would change."), "info")
        return redirect(url_for("meanings.show", connection_id=connection_id))
    shown = [change for change in changes if not _stays(change)]
    return render_template(
        "meanings/preview.html",
        connection=connection,
        changes=shown,
        staying=len(changes) - len(shown),
        purposes=dict(_purposes()),
        typed=[(name, value) for name, value in request.form.items() if name.startswith(("is-", "name-"))],
        kinds=OfferKind,
    )


@blueprint.post("/<int:connection_id>/words")
@requires("marketer")
def apply(connection_id: int) -> Answer:
    """Store what the words mean, and apply it."""
    connection = _found(connection_id)
    said, problem = _said(session_words(connection_id))
    if problem:
        flash(problem, "error")
        return _page(connection), 422
    if meanings.say(request_scope.session(), connection_id, said, actor=current_actor()):
        flash(_("Done. Genres are right at once; people follow within minutes."), "success")
    return redirect(url_for("meanings.show", connection_id=connection_id))


def session_words(connection_id: int) -> list[SourceWord]:
    """Return the words of a connection as the request sees them."""
    return meanings.words_of(request_scope.session(), connection_id)


def field_of(word: SourceWord) -> str:
    """Return the part of a form field's name that stands for a word: whatever order it is shown in."""
    return hashlib.sha256(f"{word.kind}\n{word.key}".encode()).hexdigest()[:16]


def _page(connection: Connection) -> str:
    words = session_words(connection.id)
    return render_template(
        "meanings/words.html",
        connection=connection,
        system=SYSTEMS[connection.system],
        words=meanings.new_words_by_kind(words),
        kinds=OfferKind,
        new_count=sum(word.is_new for word in words),
        is_catching_up=any(word.is_catching_up for word in words),
        genres=_genres(),
        purposes=_purposes(),
        typed=request.form,
        field_of=field_of,
    )


def _said(words: Sequence[SourceWord]) -> tuple[Mapping[Word, Meaning], str]:
    """Return what the form says of each word it holds, or the sentence about what is wrong with it."""
    said: dict[Word, Meaning] = {}
    for word in words:
        chosen, name = request.form.get(f"is-{field_of(word)}"), cleaned(request.form.get(f"name-{field_of(word)}", ""))
        if name is not None and len(name) > NAME_LENGTH_MAX:
            return {}, _("“%(name)s…” is too long: at most %(max)s characters.", name=name[:20], max=NAME_LENGTH_MAX)
        if word.kind is OfferKind.GENRE and f"name-{field_of(word)}" in request.form:
            said[word.kind, word.key] = Meaning(genre=name)
        elif chosen == "attribute":
            said[word.kind, word.key] = Meaning(attribute=(name or word.label)[:NAME_LENGTH_MAX])
        elif chosen == "nothing":
            said[word.kind, word.key] = Meaning()
        elif chosen and chosen.startswith("purpose:"):
            purpose = chosen.removeprefix("purpose:")
            if purpose not in dict(_purposes()):
                return {}, _("One of the purposes is not there any more. Choose again.")
            said[word.kind, word.key] = Meaning(purpose=purpose)
    return said, ""


def _stays(change: Change) -> bool:
    """Whether saying this only confirms what is so already."""
    word, meaning = change.word, change.meaning
    if word.kind is OfferKind.GENRE:
        return word.meaning is None and meaning.genre == word.key
    return word.meaning is None and meaning.purpose is not None and meaning.purpose == word.settings_purpose


def _genres() -> list[str]:
    each = func.unnest(Activity.genres).label("genre")
    return list(request_scope.session().scalars(select(each).distinct().order_by(each).limit(GENRES_MAX)))


def _purposes() -> list[tuple[str, str]]:
    rows = request_scope.session().scalars(
        select(Purpose).where(Purpose.is_active, Purpose.is_marketing).order_by(Purpose.position)
    )
    return [(purpose.code, purpose.names.get(current_language(), purpose.code)) for purpose in rows]


def _found(connection_id: int) -> Connection:
    try:
        found = connections.get_connection(request_scope.session(), connection_id)
    except UnknownConnection:
        abort(404)
    if found.kind != "source":
        abort(404)
    return found
