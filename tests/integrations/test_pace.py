"""Asking no faster than a vendor allows."""

from __future__ import annotations

from integrations import pace
from integrations.json_api import JsonApi
from integrations.pace import Pace, pace_of
from tests.standins.pretix import PretixStandin


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_no_minute_sees_more_calls_than_allowed_beyond_the_first_burst(pretix_standin: PretixStandin) -> None:
    clock = Clock()
    paced = Pace(360, monotonic=clock)
    headers = {"Authorization": f"Token {pretix_standin.house.token}"}
    api = JsonApi(pretix_standin.url, headers=headers, allows_loopback=True, sleep=clock.sleep, pace=paced)
    for _ in range(pace.BURST):
        api.get("/api/v1/organizers/stadstheater/")
    assert clock.now == 1000.0, "a short reading waits for nothing"
    for _ in range(30):
        api.get("/api/v1/organizers/stadstheater/")
    assert 4.9 <= clock.now - 1000.0 <= 5.1, "thirty more at six a second"
    clock.now += 3600
    assert paced.take() == 0.0
    api.close()


def test_all_who_speak_with_one_account_share_its_pace() -> None:
    one = pace_of("https://tickets.example", "huis", calls_per_minute=33)
    assert one is pace_of("https://tickets.example", "huis", calls_per_minute=33)
    assert one is not pace_of("https://tickets.example", "andere", calls_per_minute=33)
    assert pace_of("https://tickets.example", "huis", calls_per_minute=None) is None
