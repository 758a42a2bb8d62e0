"""The members of an embedded Sentinel set or cluster, and what their files say at first."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import Literal

from stockyard.config import Address
from stockyard.config.urls import SET_SIZES
from stockyard.errors import InvalidOption

SetKind = Literal["sentinel", "cluster"]
Role = Literal["primary", "replica", "sentinel"]

HOST = "127.0.0.1"
SERVICE = "primary"
BUS = 10_000
"""What a cluster's node adds to its port for the bus."""
SLOTS = 16_384

_SENTINELS = 3
_WATCHED = {"nodes": (1, 1), "replicas": (1, 1)}
_DOWN_AFTER = 2000
_FAILOVER_TIMEOUT = 6000
NODE_TIMEOUT = 2000


@dataclass(frozen=True, slots=True)
class SetShape:
    """What an embedded set is made of.

    Attributes:
        kind: ``sentinel`` (with three Sentinels) or ``cluster``.
        nodes: primaries: one with Sentinels, three or more in a cluster.
        replicas: of each primary.
    """

    kind: SetKind
    nodes: int = 1
    replicas: int = 1

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            InvalidOption: there are no such sets.
        """
        limits = {option: sizes[1:] for option, sizes in SET_SIZES.items()} if self.kind == "cluster" else _WATCHED
        for option, (least, most) in limits.items():
            if not least <= (given := getattr(self, option)) <= most:
                expected = least if least == most else f"from {least} to {most}"
                raise InvalidOption(f"{option} of {self.kind!r} must be {expected}; got {given}")

    @classmethod
    def of(cls, address: Address) -> SetShape | None:
        """Return the shape that an ``embedded+…://`` address asks for; None for a single server."""
        if address.kind == "sentinel":
            return cls("sentinel")
        return cls("cluster", address.nodes, address.replicas) if address.kind == "cluster" else None

    @property
    def url(self) -> str:
        """The URL that starts such a set, without its folder."""
        if self.kind == "sentinel":
            return "embedded+sentinel://"
        return f"embedded+cluster://?nodes={self.nodes}&replicas={self.replicas}"

    def roles(self) -> list[Role]:
        """Return the first role of each member, primaries before replicas, in the order of their ports."""
        primaries: list[Role] = ["primary"] * self.nodes
        replicas: list[Role] = ["replica"] * (self.nodes * self.replicas)
        sentinels: list[Role] = ["sentinel"] * (_SENTINELS if self.kind == "sentinel" else 0)
        return primaries + replicas + sentinels

    def __str__(self) -> str:
        """Return it in words."""
        if self.kind == "sentinel":
            return "a Sentinel set"
        return f"a cluster of {self.nodes} primaries with {self.replicas} replica{'s' * (self.replicas != 1)} each"


@dataclass(frozen=True, slots=True)
class Member:
    """One server process of a set.

    Attributes:
        name: also of its folder, below ``nodes/``.
        role: its first one; a failover changes it.
        port: on the loopback interface, the same for as long as the folder exists.
        id: its name in the cluster or among the Sentinels.
    """

    name: str
    role: Role
    port: int
    id: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The members of one set; kept in its folder, so that it comes back at the same addresses.

    Attributes:
        shape: what was asked for.
        members: primaries, then replicas, then Sentinels.
    """

    shape: SetShape
    members: tuple[Member, ...]

    @classmethod
    def new(cls, shape: SetShape, ports: list[int]) -> Layout:
        """Lay out a new set on these ports."""
        numbers = {"sentinel": 0, "node": 0}
        members = []
        for role, port in zip(shape.roles(), ports, strict=True):
            kind = "sentinel" if role == "sentinel" else "node"
            numbers[kind] += 1
            members.append(Member(f"{kind}-{numbers[kind]}", role, port, secrets.token_hex(20)))
        return cls(shape, tuple(members))

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError, KeyError, TypeError: the text is something else.
        """
        known = json.loads(text)
        return cls(SetShape(**known["shape"]), tuple(Member(**member) for member in known["members"]))

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), indent=1)

    @property
    def nodes(self) -> tuple[Member, ...]:
        """The members that hold data."""
        return tuple(member for member in self.members if member.role != "sentinel")

    @property
    def sentinels(self) -> tuple[Member, ...]:
        """The members that watch the others; none in a cluster."""
        return tuple(member for member in self.members if member.role == "sentinel")

    @property
    def url(self) -> str:
        """The URL for clients."""
        seeds = self.sentinels or self.nodes
        hosts = ",".join(f"{HOST}:{member.port}" for member in seeds)
        return f"redis+{self.shape.kind}://{hosts}" + (f"/{SERVICE}" if self.sentinels else "")

    def first_files(self, member: Member) -> dict[str, str]:
        """Return the files that a member is started on the first time; it changes them itself afterwards.

        They name all the others, so that there is nothing to introduce and no half of a set to complete.
        """
        if member.role == "sentinel":
            return {"valkey.conf": self._sentinel_file(member)}
        if self.shape.kind == "cluster":
            return {"valkey.conf": "", "nodes.conf": self._cluster_file(member)}
        primary = self._primary_of(member)
        return {"valkey.conf": "" if primary is member else f"replicaof {HOST} {primary.port}\n"}

    def _primary_of(self, member: Member) -> Member:
        return self.nodes[self.nodes.index(member) % self.shape.nodes]

    def _sentinel_file(self, member: Member) -> str:
        primary, *replicas = self.nodes
        lines = [
            f"sentinel myid {member.id}",
            f"sentinel monitor {SERVICE} {HOST} {primary.port} {_SENTINELS // 2 + 1}",
            f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER}",
            f"sentinel failover-timeout {SERVICE} {_FAILOVER_TIMEOUT}",
            *(f"sentinel known-replica {SERVICE} {HOST} {replica.port}" for replica in replicas),
            *(
                f"sentinel known-sentinel {SERVICE} {HOST} {other.port} {other.id}"
                for other in self.sentinels
                if other is not member
            ),
        ]
        return "\n".join(lines) + "\n"

    def _cluster_file(self, member: Member) -> str:
        lines = [self._cluster_line(other, is_itself=other is member) for other in self.nodes]
        return "\n".join([*lines, f"vars currentEpoch {self.shape.nodes} lastVoteEpoch 0"]) + "\n"

    def _cluster_line(self, member: Member, *, is_itself: bool) -> str:
        """Return a member's line in ``nodes.conf``, in the form that every server since Redis 4 reads.

        The shard's name stands where older ones read a port's end or a host's name. Without it, a primary that has
        no replica knows no shard of its own, and breaks off at the first SPUBLISH (seen with Valkey 9.1).
        """
        number, count = self.nodes.index(member) % self.shape.nodes, self.shape.nodes
        is_primary = member.role == "primary"
        flags = ("myself," if is_itself else "") + ("master" if is_primary else "slave")
        shard = self._primary_of(member).id
        primary = "-" if is_primary else shard
        place = f"{HOST}:{member.port}@{member.port + BUS},,shard-id={shard}"
        line = f"{member.id} {place} {flags} {primary} 0 0 {number + 1} connected"
        first, after = SLOTS * number // count, SLOTS * (number + 1) // count
        return f"{line} {first}-{after - 1}" if is_primary else line
