"""Sentinels are asked one after the other, and the one that answered is asked first the next time."""

from collections.abc import Sequence
from typing import Any

import pytest

from stockyard import ServerUnavailable
from stockyard._store.net.refusals import refusal_of
from stockyard._store.net.sentinels import Sentinels
from stockyard.config import Address
from stockyard.errors import ReplyLost

HOSTS = (("s1", 26379), ("s2", 26379), ("s3", 26379))
ADDRESS = Address(
    "redis+sentinel",
    hosts=HOSTS,
    service="primary",
    username="u",
    password="p",
    sentinel_password="sp",
    database=2,
)
PRIMARY = [b"10.0.0.7", b"6380"]


class Members:
    """What each Sentinel answers, by its host; an error is raised, at the connection or at the call."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.open: list[str] = []

    def connect(self, address: Address) -> "Member":
        return Member(self, address)


class Member:
    """A connection to one of them."""

    def __init__(self, members: Members, address: Address) -> None:
        self._members = members
        self._address = address

    async def open(self, timeout: float) -> None:
        assert 0 < timeout < 1
        assert (self._address.username, self._address.password, self._address.database) == (None, "sp", 0)
        self._members.asked.append(self._address.host)
        self._members.open.append(self._address.host)
        if isinstance(answer := self._members.answers[self._address.host], ServerUnavailable):
            raise answer

    async def ask(self, commands: Sequence[Sequence[Any]], timeout: float) -> list[Any]:
        assert commands == [("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "primary")]
        assert 0 < timeout < 1
        answer = self._members.answers[self._address.host]
        if isinstance(answer, ReplyLost):
            raise answer
        return [answer]

    async def close(self) -> None:
        self._members.open.remove(self._address.host)


@pytest.mark.parametrize("silence", [ServerUnavailable("no answer"), ReplyLost("timed out")])
async def test_a_silent_one_is_passed_over_and_not_asked_first_again(silence: Exception) -> None:
    sentinels = Sentinels(ADDRESS)
    members = Members(s1=silence, s2=PRIMARY, s3=PRIMARY)
    assert await sentinels.locate(members.connect) == Address("redis", "10.0.0.7", 6380, None, "u", "p", 2)
    assert members.asked == ["s1", "s2"]
    await sentinels.locate(members.connect)
    assert members.asked == ["s1", "s2", "s2"]
    members.answers["s2"] = silence
    await sentinels.locate(members.connect)
    assert members.asked[3:] == ["s2", "s1", "s3"]
    assert members.open == []


async def test_one_that_does_not_know_the_name_yet_is_passed_over() -> None:
    members = Members(s1=None, s2=None, s3=PRIMARY)
    assert (await Sentinels(ADDRESS).locate(members.connect)).host == "10.0.0.7"


async def test_all_fail() -> None:
    members = Members(
        s1=ServerUnavailable("no answer"),
        s2=None,
        s3=refusal_of("NOPERM this user has no permissions to run the 'sentinel' command", "s3"),
    )
    with pytest.raises(ServerUnavailable) as refused:
        await Sentinels(ADDRESS).locate(members.connect)
    first, *each = str(refused.value).splitlines()
    assert first.startswith("no Sentinel of redis+sentinel://")
    for line, host, why in zip(
        each, ("s1", "s2", "s3"), ("no answer", "of the name 'primary'", "NOPERM"), strict=True
    ):
        assert host in line
        assert why in line
    assert members.open == []


async def test_one_that_still_starts_says_so() -> None:
    members = Members(**dict.fromkeys(("s1", "s2", "s3"), refusal_of("LOADING Redis is loading", "s1")))
    with pytest.raises(ServerUnavailable, match="still loading"):
        await Sentinels(ADDRESS).locate(members.connect)


async def test_who_need_not_know_ask_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    sentinels = Sentinels(ADDRESS)
    members = Members(s1=PRIMARY)
    for _ in range(3):
        await sentinels.refresh(members.connect)
    assert members.asked == ["s1"]
    monkeypatch.setattr(sentinels, "_ask_again", 0.0)
    members.answers["s1"] = [b"10.0.0.8", b"6380"]
    await sentinels.refresh(members.connect)
    assert members.asked == ["s1", "s1"]
    assert not sentinels.is_current(Address("redis", "10.0.0.7", 6380, None, "u", "p", 2))


async def test_while_none_answers_they_do_not_ask_at_each_call() -> None:
    sentinels = Sentinels(ADDRESS)
    members = Members(**dict.fromkeys(("s1", "s2", "s3"), ServerUnavailable("no answer")))
    for _ in range(3):
        await sentinels.refresh(members.connect)
    assert members.asked == ["s1", "s2", "s3"]
