"""The layout of an embedded set: what its members are started on, and which folders are refused."""

import re
import socket
from pathlib import Path

import pytest

from stockyard.config import Address
from stockyard.embedded import SetShape
from stockyard.embedded import set_folder as folders
from stockyard.embedded.folder import Folder
from stockyard.embedded.layout import Layout
from stockyard.embedded.set_folder import layout_for, mark_ready, read_layout
from stockyard.errors import EmbeddedServerError, InvalidOption

SENTINEL, CLUSTER = SetShape("sentinel"), SetShape("cluster", 3, 2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder.at(tmp_path / "data")
    made.prepare()
    return made


def test_a_shape_is_that_of_the_address() -> None:
    assert SetShape.of(Address("embedded")) is None
    assert SetShape.of(Address("embedded+sentinel")) == SENTINEL
    assert SetShape.of(Address("embedded+cluster", nodes=3, replicas=2)) == CLUSTER


@pytest.mark.parametrize("shape", [("cluster", 2, 1), ("cluster", 3, 6), ("sentinel", 2, 1), ("sentinel", 1, 0)])
def test_a_shape_that_no_set_has_is_refused(shape: tuple[str, int, int]) -> None:
    with pytest.raises(InvalidOption, match=r"(nodes|replicas) of '\w+' must be"):
        SetShape(*shape)  # type: ignore[arg-type]


def test_a_layout_is_read_as_it_was_written() -> None:
    layout = Layout.new(CLUSTER, list(range(11_000, 11_009)))
    assert Layout.from_json(layout.to_json()) == layout
    assert [member.name for member in layout.members] == [f"node-{number}" for number in range(1, 10)]
    assert layout.url == "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in range(11_000, 11_009))


def test_every_node_starts_with_the_same_view_of_the_cluster() -> None:
    layout = Layout.new(CLUSTER, list(range(11_000, 11_009)))
    views = {layout.first_files(member)["nodes.conf"].replace("myself,", "") for member in layout.members}
    [view] = views
    ranges = [tuple(map(int, found)) for found in re.findall(r" (\d+)-(\d+)$", view, re.M)]
    assert [slot for first, last in ranges for slot in range(first, last + 1)] == list(range(16_384))
    primaries = [member.id for member in layout.members[:3]]
    assert re.findall(r"slave (\w+)", view) == primaries * 2
    assert re.findall(r" 127\.0\.0\.1:1100\d@2100\d,,shard-id=(\w+) ", view) == primaries * 3


def test_every_sentinel_knows_all_others() -> None:
    layout = Layout.new(SENTINEL, list(range(11_000, 11_005)))
    primary, replica, *sentinels = layout.members
    assert layout.first_files(primary)["valkey.conf"] == ""
    assert layout.first_files(replica)["valkey.conf"] == f"replicaof 127.0.0.1 {primary.port}\n"
    for sentinel in sentinels:
        text = layout.first_files(sentinel)["valkey.conf"]
        assert f"sentinel monitor primary 127.0.0.1 {primary.port} 2\n" in text
        assert f"sentinel known-replica primary 127.0.0.1 {replica.port}\n" in text
        assert {each.id for each in sentinels} == set(re.findall(r"[0-9a-f]{40}", text))
    assert layout.url == "redis+sentinel://127.0.0.1:11002,127.0.0.1:11003,127.0.0.1:11004/primary"


def test_a_set_keeps_its_layout_once_it_was_ready(folder: Folder) -> None:
    layout = layout_for(folder, SENTINEL)
    assert layout is not None
    mark_ready(folder)
    assert layout_for(folder, SENTINEL) == layout == read_layout(folder)


def test_one_that_was_never_ready_is_made_from_nothing(folder: Folder) -> None:
    first = layout_for(folder, SENTINEL)
    leftover = folder.path / "nodes" / "node-1" / "leftover"
    leftover.touch()
    (folder.path / "server.log").touch()
    assert layout_for(folder, SENTINEL) != first
    assert not leftover.exists()
    assert layout_for(folder, None) is None
    assert read_layout(folder) is None


def test_a_folder_of_another_shape_is_refused(folder: Folder) -> None:
    layout_for(folder, CLUSTER)
    mark_ready(folder)
    holds = r"holds a cluster of 3 primaries with 2 replicas each, not "
    with pytest.raises(EmbeddedServerError, match=holds + "a Sentinel set"):
        layout_for(folder, SENTINEL)
    with pytest.raises(EmbeddedServerError, match=holds + "a single server"):
        layout_for(folder, None)
    with pytest.raises(EmbeddedServerError, match=holds + "a cluster of 3 primaries with 1 replica each"):
        layout_for(folder, SetShape("cluster", 3, 1))


def test_a_folder_of_a_single_server_is_refused(folder: Folder) -> None:
    (folder.path / "server.log").touch()
    assert layout_for(folder, None) is None
    with pytest.raises(EmbeddedServerError, match="holds a single server, not a Sentinel set"):
        layout_for(folder, SENTINEL)


def test_a_layout_that_was_changed_by_hand_is_refused(folder: Folder) -> None:
    (folder.path / "set.json").write_text("{}")
    with pytest.raises(EmbeddedServerError, match=r"set\.json cannot be read \(KeyError\)"):
        layout_for(folder, SENTINEL)


def test_a_port_that_another_program_took_is_named(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_PORT_TIMEOUT", 0.0)
    layout = layout_for(folder, CLUSTER)
    assert layout is not None
    mark_ready(folder)
    bus = layout.members[1].port + 10_000
    message = rf"another program uses port {bus}, which belongs to node-2"
    with socket.create_server(("127.0.0.1", bus)), pytest.raises(EmbeddedServerError, match=message):
        layout_for(folder, CLUSTER)
    assert layout_for(folder, CLUSTER) == layout
