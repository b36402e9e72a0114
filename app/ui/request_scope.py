"""One request, one transaction, one organisation.

A page asks for ``session()``; the transaction is committed when the answer is a success and rolled back when it is
not, so that nothing is ever half-saved. ``accounts.access`` decides whose organisation the request is for.
"""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, current_app, g

from app.db import ScopedSession, enter_organisation, open_session
from app.runtime import Runtime

FIRST_ERROR_STATUS = 400


def runtime() -> Runtime:
    """Return the runtime of the application that serves this request."""
    return cast(Runtime, current_app.extensions["zaallicht"])


def session() -> ScopedSession:
    """Return this request's session, scoped to its organisation (or to none, where nobody is signed in)."""
    if "session" not in g:
        g.session = open_session(runtime().engine, g.get("organisation_id"))
    return cast(ScopedSession, g.session)


def enter(organisation_id: int) -> None:
    """Scope the request to an organisation; the transaction that is already open follows."""
    g.organisation_id = organisation_id
    if "session" in g:
        enter_organisation(g.session, organisation_id)


def let_go() -> None:
    """End the open transaction before the network is spoken to; the next use of the session opens another.

    What was written so far is kept, whatever the answer becomes: write after the call, not before it.
    """
    if "session" in g:
        g.session.commit()


def finish(response: Response) -> Response:
    """Commit on success, roll back otherwise; a commit that fails becomes the request's failure."""
    held: ScopedSession | None = g.get("session")
    if held is not None:
        if response.status_code < FIRST_ERROR_STATUS:
            held.commit()
        else:
            held.rollback()
    return response


def close(_error: BaseException | None = None) -> None:
    """Give the connection back, whatever happened."""
    held: ScopedSession | None = g.pop("session", None)
    if held is not None:
        held.close()


def install(app: Flask) -> None:
    """Bind the transaction to the request's life."""
    app.after_request(finish)
    app.teardown_appcontext(close)
