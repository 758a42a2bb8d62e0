"""Calls and scripts on a cluster: each goes to the node of its keys, and follows what the nodes say of slots."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from stockyard._aio.randomness import jitter
from stockyard._store.net.asking import asking, without_asking
from stockyard._store.net.connection import Command
from stockyard._store.net.refusals import Redirected, leads_astray
from stockyard._store.net.script_call import ScriptCall, is_unknown_script, load_command
from stockyard._store.net.server_calls import ServerCalls
from stockyard._store.net.slot_map import UNKNOWN_HOST, Node, SlotMap, ranges_of
from stockyard._store.net.slots import key_of, slot_of
from stockyard.config import Address
from stockyard.errors import ReplyLost, ServerError, ServerUnavailable
from stockyard.model.naming import hash_tag

CONNECT_TIMEOUT = 1.0
"""Seconds in which a connection to a node must be open; after that, the cluster may say that another serves."""

_MAP_SECONDS = 1.0
_BETWEEN_MAPS = 0.2
"""Seconds between two looks at the slots."""
_FRESH_SECONDS = 1.0
"""How long a look is good enough for callers whose connections nobody watches."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2
_DIRECT_HOPS = 3
"""How often a call follows a node's word at once; after that it pauses, as two nodes may name each other."""


_CLIENT_LIST = ("CLIENT", "LIST")


class _Target(NamedTuple):
    """Where a call goes next."""

    node: Node
    is_asking: bool = False


class ClusterCalls(ServerCalls):
    """Runs calls on a cluster; a subclass knows how to wait, and has the nodes' connections.

    Args:
        address, call_timeout: those of ``ServerCalls``.
    """

    def __init__(self, address: Address, *, call_timeout: float) -> None:
        super().__init__(address, call_timeout=call_timeout)
        self._seeds = [Node(host, port) for host, port in address.hosts]
        self._slots = SlotMap()
        self._answered: Node | None = None
        self._doubted: Node | None = None
        self._looked = -_BETWEEN_MAPS
        self._looker = 0
        """The process that looks at the slots now: a child that was forked meanwhile does not wait for it."""

    @property
    def _is_unwatched(self) -> bool:
        """Whether nobody looks at the slots for the caller, as none can without a loop."""
        return False

    @property
    def _is_looking(self) -> bool:
        return self._looker == os.getpid()

    @abstractmethod
    def _calls_on(self, node: Node) -> ServerCalls:
        """Return what runs calls on one node, and gives up soon when that is away."""

    @abstractmethod
    async def _pause(self, seconds: float) -> None:
        """Wait."""

    @abstractmethod
    async def _all(self, calls: Sequence[Awaitable[list[Any]]]) -> list[list[Any] | BaseException]:
        """Wait for several calls on different nodes; an error takes the place of its replies."""

    async def leads_to_primary(self) -> bool:
        # A replica of a cluster refuses what is for its primary.
        return True

    def drop_idle(self) -> None:
        """Do nothing: a node that a slot has left still has others."""

    async def ask(
        self, commands: Sequence[Command], *, timeout: float | None = None, needs_primary: bool = False
    ) -> list[Any]:
        return await self.run_many([], *commands, timeout=timeout)

    async def run_many(
        self,
        calls: Sequence[ScriptCall],
        *also: Command,
        timeout: float | None = None,
        needs_primary: bool = False,
        stays: bool = False,
        then: Command | None = None,
    ) -> list[Any]:
        """Run scripts, and plain commands after them, each on the node of its first key; see ``ServerCalls``.

        What a node refused unrun, as its keys are elsewhere or are being moved, is sent again, until the timeout.
        ``then`` goes with calls of one slot; its reply is missing where they ran in the middle of a move.
        """
        if _CLIENT_LIST in also:
            return await self._run_with_clients(calls, also, timeout or self.call_timeout)
        limit = timeout or self.call_timeout
        deadline = time.monotonic() + limit
        wanted: list[ScriptCall | Command] = [*map(guarded, calls), *also]
        slots = [_slot_of(each) for each in wanted]
        if also and also[0][0] == "MULTI":
            # All of a transaction goes where its keys are.
            slots = [next((slot for slot in slots if slot is not None), None)] * len(slots)
        replies: list[Any] = [None] * len(wanted)
        last: list[Any] = []
        targets: dict[int, _Target | None] = dict.fromkeys(range(len(wanted)))
        pause, hops = _FIRST_PAUSE, 0
        if self._doubted is not None or (self._is_unwatched and self._looked < time.monotonic() - _FRESH_SECONDS):
            # Another may serve in the place of a node by now.
            await self.look(deadline)
        try:
            while True:
                try:
                    for at in targets:
                        targets[at] = targets[at] or await self._target(slots[at], deadline)
                except ServerUnavailable as error:
                    if not hops:
                        raise
                    # What others of the calls answered is not lost.
                    for at in (at for at, target in targets.items() if target is None):
                        replies[at] = error
                    return replies
                last[:] = await self._run_once(wanted, targets, replies, deadline, limit, then)
                again = {
                    at: self._follow(replies[at], tried)
                    for at, tried in targets.items()
                    if _did_not_run(replies[at])
                }
                if also and also[0][0] == "MULTI" and again:
                    again = {at: next(iter(again.values())) for at in targets}
                if not again or (stays and not all(again.values())):
                    return replies + last
                targets = again
                hops += 1
                if hops > _DIRECT_HOPS or not all(targets.values()):
                    self._note_trouble(str(replies[next(iter(targets))]))
                    wait = jitter(pause)
                    if time.monotonic() + wait >= deadline:
                        return replies
                    await self._pause(wait)
                    pause = min(pause * 2, _LONGEST_PAUSE)
                    await self.look(deadline)
        finally:
            self.trouble = ""

    def script_command(self, call: ScriptCall) -> Command:
        return guarded(call).command()

    async def _run_with_clients(
        self, calls: Sequence[ScriptCall], also: Sequence[Command], limit: float
    ) -> list[Any]:
        """Run calls with ``CLIENT LIST`` among them, which each node answers for its own connections."""
        at = len(calls) + also.index(_CLIENT_LIST)
        rest = [command for command in also if command != _CLIENT_LIST]
        replies = await self.run_many(calls, *rest, timeout=limit)
        nodes = await self.primaries()
        lists = await self._all([node.ask_once([_CLIENT_LIST], timeout=limit) for node in nodes])
        # A node that is away has no connections that anybody could see.
        found = [answer[0] for answer in lists if not isinstance(answer, BaseException)]
        refused = next((reply for reply in found if not isinstance(reply, bytes)), None)
        return [*replies[:at], b"".join(found) if refused is None else refused, *replies[at:]]

    async def place_now(self, key: str | None) -> Address:
        """Return the address of the node that serves a key as the cluster now says; without a key, of any node.

        Raises:
            ServerUnavailable: no node says, or none serves it.
        """
        deadline = time.monotonic() + self.call_timeout
        await self.look(deadline)
        target = await self._target(None if key is None else slot_of(key), deadline)
        return self.address.at(*target.node)

    def note(self, refusal: Redirected) -> None:
        """Take in where a node says that a slot is."""
        if not refusal.is_asking and refusal.node.host != UNKNOWN_HOST:
            self._slots.point(refusal.slot, refusal.node)

    def doubt(self, node: Node) -> None:
        """Take in that a node did not answer, or serves no slots any more: others are asked first from now on."""
        self._doubted = node

    async def primaries(self) -> list[ServerCalls]:
        """Return every primary that serves slots; the errors are those of ``look``."""
        if not self._slots.is_known:
            await self.look(time.monotonic() + self.call_timeout)
        return [self._calls_on(node) for node in self._slots.primaries]

    async def at(self, key: str) -> ServerCalls:
        """Return the node that serves a key; the errors are those of ``place_now``."""
        target = await self._target(slot_of(key), time.monotonic() + self.call_timeout)
        return self._calls_on(target.node)

    async def look(self, deadline: float) -> None:
        """Ask a node which one serves which slot; not within 200 ms of the last time, and one caller at a time.

        Raises:
            ServerUnavailable: no node has ever said so, and none does now.
        """
        while self._is_looking and not self._slots.is_known and time.monotonic() < deadline:
            await self._pause(_FIRST_PAUSE)
        if self._is_looking or time.monotonic() - self._looked < _BETWEEN_MAPS:
            return
        self._looker = os.getpid()
        try:
            await self._look()
        finally:
            self._looker = 0
            self._looked = time.monotonic()

    async def _look(self) -> None:
        failures: list[str] = []
        nodes = dict.fromkeys([*self._slots.primaries, *self._seeds])
        # First the node that answered last: one that is away takes a second to show it. Last the one in doubt:
        # cut off from the others, it would go on naming itself.
        for node in sorted(nodes, key=lambda each: (each == self._doubted, each != self._answered)):
            try:
                (slots,) = await self._calls_on(node).ask_once([("CLUSTER", "SLOTS")], timeout=_MAP_SECONDS)
            except ServerError as error:
                failures.append(f"{node.host}:{node.port}: {error}")
                continue
            if not isinstance(slots, list):
                failures.append(f"{node.host}:{node.port}: {slots}")
                continue
            ranges = ranges_of(slots, node)
            if ranges:
                self._slots.replace(ranges)
                self._answered, self._doubted = node, None
                return
            failures.append(f"{node.host}:{node.port} knows no node that serves slots")
        if not self._slots.is_known:
            raise ServerUnavailable(
                f"no node of the cluster at {self.address} says which slots there are; asked were:\n  "
                + "\n  ".join(failures)
            )

    async def _target(self, slot: int | None, deadline: float) -> _Target:
        if not self._slots.is_known:
            await self._look_until_known(deadline)
        if slot is None:
            return _Target(self._slots.primaries[0])
        pause = _FIRST_PAUSE
        while (node := self._slots.node_of(slot)) is None:
            refusal = ServerUnavailable(f"no node of the cluster at {self.address} serves slot {slot} now")
            self._note_trouble(str(refusal))
            await self._pause_until(deadline, pause, refusal)
            pause = min(pause * 2, _LONGEST_PAUSE)
            await self.look(deadline)
        return _Target(node)

    async def _look_until_known(self, deadline: float) -> None:
        pause = _FIRST_PAUSE
        refusal = ServerUnavailable(f"no node of the cluster at {self.address} has said which slots there are")
        while True:
            try:
                await self.look(deadline)
            except ServerUnavailable as error:
                refusal = error
                self._note_trouble(str(error))
            if self._slots.is_known:
                return
            await self._pause_until(deadline, pause, refusal)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pause_until(self, deadline: float, pause: float, refusal: ServerUnavailable) -> None:
        """Wait about so long; raise the refusal if that would be past the deadline."""
        wait = jitter(pause)
        if time.monotonic() + wait >= deadline:
            raise refusal
        await self._pause(wait)

    async def _run_once(
        self,
        wanted: Sequence[ScriptCall | Command],
        targets: dict[int, _Target | None],
        replies: list[Any],
        deadline: float,
        limit: float,
        then: Command | None,
    ) -> list[Any]:
        """Send each call to its target, and put the replies in their places; a lost reply is raised.

        Returns the reply to ``then``, if there is one.
        """
        groups: dict[_Target, list[int]] = {}
        for at, target in targets.items():
            assert target is not None
            groups.setdefault(target, []).append(at)
        # Replies that come late prolong the time, as on one server.
        left = max(deadline - time.monotonic(), limit / 2)
        sent = [
            self._send_to(target, [wanted[at] for at in numbers], left, then) for target, numbers in groups.items()
        ]
        answers = await (one_by_one(sent) if len(sent) == 1 else self._all(sent))
        for (target, numbers), answer in zip(groups.items(), answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, ServerUnavailable):
                if isinstance(answer, ReplyLost):
                    self.doubt(target.node)
                raise answer
            for index, at in enumerate(numbers):
                replies[at] = answer if isinstance(answer, BaseException) else answer[index]
        if then is None:
            return []
        (numbers, *_), (answer, *_) = groups.values(), answers
        return [] if isinstance(answer, BaseException) else answer[len(numbers) :]

    async def _send_to(
        self, target: _Target, wanted: Sequence[ScriptCall | Command], left: float, then: Command | None
    ) -> list[Any]:
        calls = self._calls_on(target.node)
        if not target.is_asking:
            scripts = [each for each in wanted if isinstance(each, ScriptCall)]
            plain = [each for each in wanted if not isinstance(each, ScriptCall)]
            return await calls.run_many(scripts, *plain, timeout=left, stays=True, then=then)
        commands = [each.command() if isinstance(each, ScriptCall) else each for each in wanted]
        replies = without_asking(commands, await calls.ask_once(asking(commands), timeout=left))
        for at, each in enumerate(wanted):
            if isinstance(each, ScriptCall) and is_unknown_script(replies[at]):
                again = [load_command(each.script), *asking([commands[at]])]
                *_, replies[at] = await calls.ask_once(again, timeout=left)
        return replies

    def _follow(self, refusal: ServerUnavailable, tried: _Target | None) -> _Target | None:
        """Return where a node says that the keys are; None when that is to be found out."""
        if tried is not None and leads_astray(refusal):
            self.doubt(tried.node)
        if not isinstance(refusal, Redirected) or refusal.node.host == UNKNOWN_HOST:
            return None
        self.note(refusal)
        return _Target(refusal.node, is_asking=refusal.is_asking)


async def one_by_one(calls: Sequence[Awaitable[list[Any]]]) -> list[list[Any] | BaseException]:
    """Make calls one after the other, also where no loop runs; an error takes the place of its replies."""
    answers: list[list[Any] | BaseException] = []
    for call in calls:
        try:
            answers.append(await call)
        except ServerError as error:
            answers.append(error)
    return answers


def guarded(call: ScriptCall) -> ScriptCall:
    """Return a call with a key that never exists behind its own.

    In a slot that is being moved, keys that a script finds on its way may be on either node: without this key, a
    script whose declared keys are all there would begin, and break off in the middle of its writes.
    """
    if not call.keys:
        return call
    return call._replace(keys=(*call.keys, f"{_up_to_tag(call.keys[0])}::guard"))


def _up_to_tag(key: str) -> str:
    """Return a key up to its hash tag: in the same slot, and where a user may use the keys of a prefix alone."""
    tag = hash_tag(key)
    return f"{{{key}}}" if tag == key else key[: key.index(f"{{{tag}}}") + len(tag) + 2]


def _slot_of(wanted: ScriptCall | Command) -> int | None:
    key = key_of(wanted) if not isinstance(wanted, ScriptCall) else wanted.keys[0] if wanted.keys else None
    return None if key is None else slot_of(key)


def _did_not_run(reply: Any) -> bool:
    return isinstance(reply, ServerUnavailable)
