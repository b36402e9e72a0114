"""Opt-outs written back to Ticketmatic: only ever a no, only where it is meant, and known again as our own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from integrations.base import ConsentState, MemberStatus, Permanent, PushOutcome, Transient, UnknownOutcome
from integrations.json_api import JsonApi
from integrations.sources.ticketmatic import Ticketmatic
from integrations.sources.ticketmatic_opt_outs import BY_THEMSELVES, mark_of
from tests import needs
from tests.integrations.sources.test_ticketmatic import IN, OUT, UNKNOWN, on, pull
from tests.standins.contract import Contract
from tests.standins.ticketmatic import NEWSLETTER, PARTNERS, TicketmaticHouse, TicketmaticStandin, contact

AN = "an@example.org"
NEWS, NEWS_OF_PARTNERS = str(NEWSLETTER), str(PARTNERS)


@pytest.fixture
def standin() -> Iterator[TicketmaticStandin]:
    house = TicketmaticHouse()
    house.put("contacts", contact(1, email=AN))
    house.say(1, NEWSLETTER, IN)
    house.say(1, PARTNERS, IN, "api")
    with TicketmaticStandin(house) as served:
        yield served


@pytest.fixture
def source(standin: TicketmaticStandin) -> Iterator[Ticketmatic]:
    opened = on(standin, mark="a1b2")
    yield opened
    opened.close()


def statuses(standin: TicketmaticStandin, number: int = 1) -> dict[int, int]:
    return {said["optinid"]: said["status"] for said in standin.house.contacts[number]["optins"]}


def writes(standin: TicketmaticStandin) -> list[object]:
    return [request.body for request in standin.requests if request.method != "GET"]


def test_each_opt_in_with_a_purpose_is_a_list_that_says_what_it_is_for(source: Ticketmatic) -> None:
    held = {one.list_id: one for one in source.lists_holding(AN.upper())}
    assert {key: (one.status, one.purposes) for key, one in held.items()} == {
        NEWS: (MemberStatus.SUBSCRIBED, ("newsletter",)),
        NEWS_OF_PARTNERS: (MemberStatus.SUBSCRIBED, ("partner_offers",)),
    }
    assert source.lists_holding("nobody@example.org") == []


def test_only_a_yes_somebody_chose_themselves_counts_as_signing_up_there(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    chosen, ticked = source.lists_holding(AN)
    assert chosen.signed_up_at is not None
    assert chosen.signed_up_at < standin.house.now
    assert ticked.signed_up_at is None
    standin.house.say(1, NEWSLETTER, IN, "backoffice")
    assert source.lists_holding(AN)[0].signed_up_at is None
    assert "backoffice" not in BY_THEMSELVES


def test_an_opt_out_changes_one_opt_in_and_nothing_else_and_says_whose_it_is(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    result = source.unsubscribe(NEWS, AN)
    assert (result.outcome, result.status) == (PushOutcome.DONE, MemberStatus.UNSUBSCRIBED)
    assert statuses(standin) == {NEWSLETTER: OUT, PARTNERS: IN}
    said = {"optinid": NEWSLETTER, "status": OUT, "info": {"method": "api", "remarks": mark_of("a1b2")}}
    assert writes(standin) == [{"optins": [said]}]
    assert source.unsubscribe(NEWS, AN).outcome is PushOutcome.DONE
    assert len(writes(standin)) == 1


def test_whoever_was_never_asked_is_set_to_no_and_a_stranger_is_not_made(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    standin.house.put("contacts", contact(2, email="bo@example.org"))
    standin.house.say(2, PARTNERS, UNKNOWN)
    assert {one.status for one in source.lists_holding("bo@example.org")} == {MemberStatus.PENDING}
    assert source.unsubscribe(NEWS_OF_PARTNERS, "bo@example.org").status is MemberStatus.UNSUBSCRIBED
    assert source.unsubscribe(NEWS, "nobody@example.org").status is MemberStatus.ABSENT
    assert set(standin.house.contacts) == {1, 2}


def test_an_address_of_two_customers_is_out_when_both_are(standin: TicketmaticStandin, source: Ticketmatic) -> None:
    standin.house.put("contacts", contact(2, email=AN.title()))
    standin.house.put("contacts", contact(3, email=f"x{AN}"))
    standin.house.put("contacts", contact(4, email=AN, isdeleted=True, status="deleted"))
    standin.house.say(2, NEWSLETTER, OUT)
    assert source.lists_holding(AN)[0].status is MemberStatus.SUBSCRIBED
    source.unsubscribe(NEWS, AN)
    assert [statuses(standin, number).get(NEWSLETTER) for number in (1, 2, 3, 4)] == [OUT, OUT, None, None]


def test_our_own_opt_out_is_not_read_back_as_news_and_that_of_anybody_else_is(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    source.unsubscribe(NEWS, AN)

    def noes(opened: Ticketmatic) -> list[str | None]:
        people = [one for page in pull(opened, "contacts") for one in page.contacts]
        return [said.purpose for one in people for said in one.consents if said.state is ConsentState.OUT]

    assert noes(source) == []
    other = on(standin, mark="other")
    assert noes(other) == ["newsletter"]
    other.close()


def test_a_no_to_everything_reaches_the_mail_tool_where_there_is_one(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    assert source.suppress(AN)
    assert standin.unsubscribed == [AN]
    assert standin.house.contacts[1]["subscribed"] is False
    standin.has_mail_tool = False
    assert not source.suppress(AN)


def test_an_erasure_sets_every_opt_in_to_no_and_keeps_the_customer(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    for held in source.lists_holding(AN):
        assert source.erase(held.list_id, AN).outcome is PushOutcome.DONE
    assert set(statuses(standin).values()) == {OUT}
    assert not standin.house.contacts[1]["isdeleted"]


def test_keys_that_may_only_read_say_so(standin: TicketmaticStandin, source: Ticketmatic) -> None:
    standin.may_write = False
    with pytest.raises(Permanent) as caught:
        source.unsubscribe(NEWS, AN)
    assert caught.value.code == "may_not_write"
    assert not source.suppress(AN)


def test_faults_are_waited_out_and_an_opt_out_nobody_confirmed_is_unknown(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    standin.fail(429, times=2, body=b"", Retry_After="1")
    standin.fail(502, body=b"<html>")
    assert source.unsubscribe(NEWS, AN).outcome is PushOutcome.DONE
    api: JsonApi = source._api
    for times, error in ((4, UnknownOutcome), (0, Transient)):
        standin.fail(500, times=times)
        standin.fail(429, times=4 - times, body=b"")
        with pytest.raises(error) as caught:
            api.put("contacts/1", {"optins": []})
        assert AN not in str(caught.value)


def test_what_is_written_fits_the_shapes_of_the_vendors_own_library(
    standin: TicketmaticStandin, source: Ticketmatic
) -> None:
    source.unsubscribe(NEWS, AN)
    source.suppress(AN)
    folder = needs.contracts("ticketmatic")
    contract = Contract(folder / "ticketmatic.derived.openapi.json")
    written = [request for request in standin.requests if request.method != "GET"]
    assert len(written) == 2
    for request in written:
        assert contract.faults_of_request(request.method, request.path, request.query, request.body) == []
    sample = json.loads((folder / "samples" / "contact.put-optins.request.synthetic.json").read_text())
    assert {key for said in sample["optins"] for key in said} == {
        key for said in written[0].body["optins"] for key in said
    }
