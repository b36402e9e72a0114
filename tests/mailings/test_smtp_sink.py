"""Some hundred mails to a relay that is not ours: postfix's own smtp-sink."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.mailings.models import MailSetting
from bench.send import smtp_sink
from tests import needs
from tests.mailings.house_with_post import HouseWithPost


@pytest.mark.slow
def test_some_hundred_mails_go_to_somebody_elses_relay(house: HouseWithPost) -> None:
    people = [house.person(f"an@huis{number}.example") for number in range(200)]
    house.mail_to(*people)
    with smtp_sink(needs.smtp_sink()) as port:
        with house.transaction() as session:
            session.scalars(select(MailSetting)).one().relay_port = port
        house.send()
    assert house.states() == ["accepted"] * 200
