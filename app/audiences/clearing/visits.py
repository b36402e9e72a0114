"""One errand at the destination: look where they are, and take them off every list they must leave.

Nothing here opens a transaction. What is already as it should be is not written again: who is out stays as they are
there, so that the vendor keeps who did it, and an opt-out that came from there is not sent back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from app.audiences.clearing import outcomes
from app.audiences.clearing.errands import Errand
from integrations.base import DestinationCapabilities, Membership, MemberStatus, OptOutTaker, PushOutcome

MAILABLE = frozenset({MemberStatus.SUBSCRIBED, MemberStatus.PENDING})


@dataclass(slots=True)
class Visit:
    """An errand under way: where the person is there, what is to be done, and how it ended.

    ``outcome`` set: done. ``failure`` set: not done, to be tried again. Neither: to be tried again soon.
    """

    errand: Errand
    memberships: Sequence[Membership] = ()
    leaves: list[str] = field(default_factory=list)
    outcome: str | None = None
    failure: str | None = None
    is_not_possible: bool = False


def begin(errand: Errand) -> Visit:
    """Return the visit, over before any call where there is nothing to ask there."""
    visit = Visit(errand)
    if not errand.is_erasure and not errand.standing.is_no:
        visit.outcome = outcomes.OVERTAKEN
    elif errand.address is None:
        visit.outcome, visit.is_not_possible = outcomes.ADDRESS_UNKNOWN, True
    return visit


def look(visit: Visit, destination: OptOutTaker, purposes_of: Callable[[str], Collection[str]]) -> None:
    """Ask where they are, and decide what they must leave. ``purposes_of`` a list is what it serves, where it does not
    say so itself.

    Raises ConnectorError.
    """
    errand = visit.errand
    visit.memberships = destination.lists_holding(errand.address or "")
    if errand.is_erasure:
        visit.leaves = [one.list_id for one in visit.memberships]
        return
    staying = [one for one in visit.memberships if one.status in MAILABLE]
    must = [one for one in staying if errand.standing.must_leave(one.list_id, one.purposes or purposes_of(one.list_id))]
    own = [one for one in must if _signed_up_there(errand, one)]
    visit.leaves = [one.list_id for one in must if one not in own]
    if visit.leaves and errand.is_again and errand.is_looping:
        visit.failure = outcomes.LOOP
    elif not visit.leaves:
        visit.outcome = _quiet_outcome(visit.memberships, staying, own)


def _signed_up_there(errand: Errand, one: Membership) -> bool:
    """Whether they came back to this list themselves, after their last no, as far as the vendor can show it."""
    since = errand.standing.since
    return errand.is_again and one.signed_up_at is not None and since is not None and one.signed_up_at > since


def _quiet_outcome(memberships: Sequence[Membership], staying: Sequence[Membership], own: Sequence[Membership]) -> str:
    if not memberships:
        return outcomes.NOT_KNOWN
    if own:
        return outcomes.SIGNED_UP_THERE
    return outcomes.OTHER_PURPOSE if staying else outcomes.ALREADY_OUT


def needs_telling(visit: Visit, destination: OptOutTaker) -> bool:
    """Whether anything is to be changed there."""
    if visit.failure is not None or visit.is_not_possible or visit.outcome == outcomes.OVERTAKEN:
        return False
    return bool(visit.leaves) or visit.outcome is None or is_to_be_blocked(visit, destination)


def is_to_be_blocked(visit: Visit, destination: OptOutTaker) -> bool:
    """Whether the address belongs on the list that stands above all lists: nobody is put there who is not known."""
    is_total = visit.errand.is_erasure or visit.errand.standing.is_total
    is_due = is_total and visit.outcome != outcomes.SIGNED_UP_THERE
    return is_due and bool(visit.memberships) and _can_block(destination)


def _can_block(destination: OptOutTaker) -> bool:
    """A box office may feed a mail tool of its own, which it can be told of."""
    can = destination.capabilities
    return can.has_suppression_list if isinstance(can, DestinationCapabilities) else can.writes_opt_outs


def tell(visit: Visit, destination: OptOutTaker) -> None:
    """Carry it out: block first, where it is about everything, then leave every list. Raises ConnectorError."""
    errand, address = visit.errand, visit.errand.address or ""
    if is_to_be_blocked(visit, destination):
        destination.suppress(address)
    act = destination.erase if errand.is_erasure else destination.unsubscribe
    for list_id in visit.leaves:
        result = act(list_id, address)
        if result.outcome is not PushOutcome.DONE:
            visit.failure = result.code or "refused"
            return
    if errand.is_erasure:
        visit.outcome = _erasure_outcome(visit, destination)
    elif visit.leaves:
        visit.outcome = outcomes.UNSUBSCRIBED


def _erasure_outcome(visit: Visit, destination: OptOutTaker) -> str:
    if not visit.memberships:
        return outcomes.NOT_KNOWN
    can = destination.capabilities
    if not isinstance(can, DestinationCapabilities):
        return outcomes.OPTED_OUT_ONLY
    return outcomes.ERASED if can.erases_for_good else outcomes.DELETED
