"""In a run of an audience, after the opt-outs came home and before anybody is pushed: noes go out to the system."""

from __future__ import annotations

from app.audiences.clearing.carrying import carry_round
from app.audiences.clearing.line import release_line, take_line
from app.audiences.clearing.visits import Visit
from app.audiences.results import PersonResult, store_results
from app.audiences.work import Work


def clear_first(work: Work) -> None:
    """Carry whatever is due to the destination of a run, and note on the run what concerned its list.

    Where another worker is carrying there at this moment, that is enough: the gate keeps everybody out who said no.
    Raises ConnectorError and LeaseLost; what was carried until then is committed.
    """
    line = take_line(work.runtime, work.audience.organisation_id, work.place.connection_id, is_answering=True)
    if line is None:
        return
    try:
        while True:
            done = carry_round(line, work.destination, reached=work.reached)
            _note(work, done.visits)
            if done.problem is not None:
                raise done.problem
            if not done.visits:
                return
    finally:
        release_line(line)


def _note(work: Work, visits: list[Visit]) -> None:
    here = [visit for visit in visits if work.place.list_ref in visit.leaves]
    told = [
        PersonResult(
            visit.errand.subject_key,
            "unsubscribe",
            "refused" if visit.failure else "done",
            visit.errand.contact_id,
            visit.failure,
        )
        for visit in here
        if visit.failure or visit.outcome
    ]
    with work.fenced() as session:  # renews the lease of the run, too: there may be many rounds
        store_results(session, work.run_id, told)
    work.counts["unsubscribed"] += sum(result.outcome == "done" for result in told)
