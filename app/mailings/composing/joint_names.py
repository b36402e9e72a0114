"""The names above a mail that several people read: those of everybody it was meant for.

A mailing to a mailbox that people share goes there once. It is for whoever of them is in its segments: the one who has
the delivery, and those who were left out because that one gets it. Where one of them has no first name, or they are too
many to greet, nobody is named and the greeting is the neutral one. A journey is about one person, and names them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select, tuple_

from app.contacts.households import Sharer, names_at
from app.db import ScopedSession
from app.mailings.models import MailingLeftOut

NAMED_MAX = 3
AND = {"nl": "en", "fr": "et", "en": "and"}

Names = tuple[str | None, str | None]


def joint_names(session: ScopedSession, mails: Sequence[tuple[int, int]], *, language: str) -> dict[int, Names]:
    """Return (given name, family name) for each contact whose mailing is read by others it was meant for too.

    ``mails``: (contact id, mailing id). Whoever reads their mail alone is left out.
    """
    readers = names_at(session, [contact_id for contact_id, _mailing_id in mails]) if mails else {}
    wanted = [
        (mailing_id, other.contact_id)
        for contact_id, mailing_id in mails
        for other in readers.get(contact_id, ())
        if other.contact_id != contact_id
    ]
    if not wanted:
        return {}
    row = MailingLeftOut
    meant = set(
        session.execute(
            select(row.mailing_id, row.contact_id).where(
                row.reason == "shared_address", tuple_(row.mailing_id, row.contact_id).in_(wanted)
            )
        ).all()
    )
    found = {}
    for contact_id, mailing_id in mails:
        people = readers.get(contact_id, ())
        together = [each for each in people if each.contact_id == contact_id or (mailing_id, each.contact_id) in meant]
        if len(together) > 1:
            found[contact_id] = names_together(together, language=language)
    return found


def names_together(people: Sequence[Sharer], *, language: str) -> Names:
    """Return what several people are called together: "An en Bo", and the family name they have in common."""
    given = list(dict.fromkeys(each.given_name for each in people))
    families = {each.family_name for each in people}
    family = families.pop() if len(families) == 1 else None
    names = [name for name in given if name]
    if len(names) < len(given) or len(names) > NAMED_MAX:
        return None, family
    *first, last = names
    return f"{', '.join(first)} {AND[language]} {last}" if first else last, family
