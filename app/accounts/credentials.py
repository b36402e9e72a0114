"""Finding out whose a log-in address and password are. The same person may work for several houses."""

from __future__ import annotations

from app.accounts import directory
from app.accounts.models import User
from app.accounts.users import find_user, normalise_email, password_matches
from app.db import ScopedSession, enter_organisation
from app.keyring import Keyring


def find_by_password(session: ScopedSession, keyring: Keyring, *, email: str, password: str) -> list[User]:
    """Return everybody with this address and this password, one per organisation; none where either is wrong.

    Takes as long for an address nobody has as for a wrong password. Leaves the session scoped to the last
    organisation it looked at: the caller enters the one it wants.
    """
    places = directory.find(session, keyring, "login", normalise_email(email))
    if not places:
        password_matches(None, password)
        return []
    matching = []
    for place in places:
        enter_organisation(session, place.organisation_id)
        user = find_user(session, place.target_id)
        if password_matches(user, password) and user is not None:
            matching.append(user)
    return matching
