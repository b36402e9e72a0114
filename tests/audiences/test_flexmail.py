"""An audience on Flexmail, from end to end: what can be held there is, and what cannot come home is not invented."""

from __future__ import annotations

from app.accounts.audit import SYSTEM
from app.sync.connections import create_connection, read_settings
from integrations.esp import flexmail
from tests.audiences.world import World
from tests.integrations.esp.test_flexmail import IMPATIENT
from tests.standins.flexmail import FlexmailStandIn

AN, BO = "an@example.org", "bo@example.org"
TAG = "Zaallicht: lezers"


def test_an_audience_is_kept_in_step_and_a_no_here_is_carried_there(world: World, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(flexmail.Client, "__init__", _impatient(flexmail.Client.__init__))
    with FlexmailStandIn() as there:
        settings = {"account": there.account, "source": "42", "base_url": there.base_url}
        filled = read_settings("flexmail", settings, {"token": there.token}, allows_loopback=True)
        with world.transaction() as session:
            connection = create_connection(session, world.runtime.keyring, filled, name="Flexmail", actor=SYSTEM).id
        for email in (AN, BO):
            world.person(email, given_name="An")
        audience = world.audience(
            connection_id=connection, list_ref="42", list_name="Zaallicht", field_mapping={"first_name": "given_name"}
        )
        assert world.run(audience).state == "done"
        assert world.states(audience) == {AN: "in", BO: "in"}
        assert there.fields_of(AN) == {"zaallicht": TAG}
        world.later(minutes=16)
        calls = len(there.requests)
        assert world.scheduled(audience).state == "done"
        assert len(there.requests) - calls < 8, "nothing changed"
        world.withdraw(AN)
        world.later(minutes=16)
        world.scheduled(audience)
        assert not there.is_mailed(AN)
        assert there.is_mailed(BO)
        # A day later everybody is read: that she is still in Flexmail's list is no reason to tell it again.
        calls = there.counts()["unsubscribe"]
        world.later(hours=25)
        world.scheduled(audience)
        assert there.counts()["unsubscribe"] == calls
        assert world.states(audience) == {BO: "in"}
        assert there.violations == []


def _impatient(init):  # type: ignore[no-untyped-def]
    def made(self, *args, **kwargs):  # type: ignore[no-untyped-def]
        init(self, *args, **(kwargs | {"pace": IMPATIENT}))

    return made
