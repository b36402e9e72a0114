"""An audience that lands as files: run from end to end, opt-outs both ways, and the page where people fetch them."""

from __future__ import annotations

import io
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.audit import SYSTEM
from app.accounts.models import AuditEvent
from app.audiences.beat import keep_audiences
from app.audiences.files.folder import files_of, forget_removed, read_file
from app.audiences.models import Audience
from app.sync.connections import create_connection, read_settings, remove_connection
from tests.audiences.world import World
from tests.conftest import make_user, signed_in
from tests.standins.sftp_server import PASSWORD, USER, SftpStandIn

AN, BO, CAS = "an@example.org", "bo@example.org", "cas@example.org"


def connect(world: World, system: str, settings: dict[str, str], secrets: dict[str, str] | None = None) -> int:
    filled = read_settings(system, settings, secrets or {}, allows_loopback=True)
    with world.transaction() as session:
        return create_connection(session, world.runtime.keyring, filled, name="Postbode", actor=SYSTEM).id


def an_audience(world: World, connection_id: int) -> int:
    return world.audience(
        connection_id=connection_id,
        list_ref="lezers",
        list_name="lezers",
        field_mapping={"VOORNAAM": "given_name"},
    )


def lines(world: World, connection_id: int, name: str) -> list[str]:
    with world.transaction() as session:
        content = read_file(session, world.runtime.keyring, connection_id, name)
    return content.decode("utf-8-sig").splitlines() if content is not None else []


def test_an_audience_lands_in_files_that_people_fetch_and_noes_travel_both_ways(
    world: World, client: FlaskClient
) -> None:
    connection_id = connect(world, "csv", {"lists": "lezers", "columns": "VOORNAAM"})
    for email in (AN, BO, CAS):
        world.person(email, given_name=email[:2].title())
    world.person("nee@example.org", permitted=False)
    audience_id = an_audience(world, connection_id)
    assert world.run(audience_id).state == "done"
    assert world.states(audience_id) == {AN: "in", BO: "in", CAS: "in"}
    assert [line.split(";")[:2] for line in lines(world, connection_id, "lezers.csv")] == [
        ["EMAIL", "VOORNAAM"],
        [AN, "An"],
        [BO, "Bo"],
        [CAS, "Ca"],
    ]
    # A no from here leaves the file and stands among the opt-outs.
    world.withdraw(AN)
    world.later(minutes=16)
    world.scheduled(audience_id)
    assert not [line for line in lines(world, connection_id, "lezers.csv") if AN in line]
    assert [line.split(";")[0] for line in lines(world, connection_id, "lezers-opt-outs.csv")] == ["EMAIL", AN]
    # A no from there comes back in a file, by a person, and counts here.
    signed_in(client, make_user(world.runtime, world.organisation, "viewer"))
    page = f"/audiences/files/{connection_id}"
    assert client.get(page).status_code == 403
    signed_in(client, make_user(world.runtime, world.organisation, "marketer"))
    assert "lezers" in client.get(page).text
    bad = {"list": "lezers", "file": (io.BytesIO(b"niets"), "leeg.csv")}
    assert "geen e-mailadres" in client.post(f"{page}/opt-outs", data=bad, follow_redirects=True).text
    sent = {"list": "lezers", "file": (io.BytesIO(f"naam;e-mail\nBo;{BO}\n".encode()), "uitschrijvingen.csv")}
    assert "1 uitschrijving" in client.post(f"{page}/opt-outs", data=sent, follow_redirects=True).text
    keep_audiences(world.runtime, world.organisation.id)
    assert not world.is_mailable(BO)
    world.later(minutes=16)
    world.scheduled(audience_id)
    assert [line.split(";")[0] for line in lines(world, connection_id, "lezers.csv")] == ["EMAIL", CAS]
    # Who fetches a file is written down; what is not theirs to fetch is not there.
    fetched = client.post(f"{page}/fetch", data={"name": "lezers.csv"})
    assert CAS in fetched.text
    fetched.close()
    for name in ("lezers-previous.csv", "lezers-opt-outs-in.csv", "../x", ""):
        assert client.post(f"{page}/fetch", data={"name": name}).status_code == 404
    with world.transaction() as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("audiences.%"))).all()
        assert {"audiences.fetched_file", "audiences.brought_opt_outs"} <= set(actions)
        stored = b"".join(bytes(row.content_encrypted) for row in files_of(session, connection_id))
        assert CAS.encode() not in stored, "kept encrypted"
        remove_connection(session, connection_id, actor=SYSTEM)
    assert forget_removed(world.runtime, world.organisation.id) > 0


def test_an_audience_lands_on_somebodys_server_and_their_opt_outs_come_from_there(world: World, tmp_path: Path) -> None:
    with SftpStandIn(tmp_path) as server:
        settings = {
            "host": "127.0.0.1",
            "port": str(server.port),
            "user": USER,
            "host_key": server.fingerprint,
            "lists": "lezers",
            "columns": "VOORNAAM",
            "separator": "comma",
            "encoding": "utf8",
        }
        connection_id = connect(world, "sftp", settings, {"password": PASSWORD})
        for email in (AN, BO):
            world.person(email, given_name="Zoë")
        audience_id = an_audience(world, connection_id)
        assert world.run(audience_id).state == "done"
        assert (tmp_path / "lezers.csv").read_text("utf-8").splitlines()[1].startswith(f"{AN},Zoë,")
        (tmp_path / "lezers-opt-outs-in.csv").write_text(f"{BO}\n")
        world.later(minutes=16)
        world.scheduled(audience_id)
        assert not world.is_mailable(BO)
        assert BO not in (tmp_path / "lezers.csv").read_text("utf-8")
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
        # The server is another one since: nothing is written, and the run says why.
        with world.transaction() as session:
            audience = session.get_one(Audience, (world.organisation.id, audience_id))
            assert audience.state == "active"
    world.later(minutes=16)
    assert world.scheduled(audience_id).failure_code == "unreachable"
