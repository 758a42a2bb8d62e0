"""Says whether an embedded set is whole: all agree on who is primary, and every replica follows one."""

from __future__ import annotations

from collections.abc import Sequence

from stockyard.embedded import probe
from stockyard.embedded.layout import HOST, SERVICE, SLOTS, Layout, Member

Facts = dict[str, str]


def missing(layout: Layout, *, within: float) -> str:
    """Return what a set lacks before it can be used, for a message; empty when it is ready.

    Args:
        layout: its members.
        within: seconds for each of them to answer.
    """
    facts = []
    for member in layout.members:
        place = (HOST, member.port)
        answer = probe.info(place, within=within)
        if not answer:
            return f"{member.name} (port {member.port}) does not answer"
        if layout.shape.kind == "cluster":
            answer |= probe.cluster_info(place, within=within)
        facts.append((member, answer))
    nodes, sentinels = facts[: len(layout.nodes)], facts[len(layout.nodes) :]
    return _missing_links(nodes, layout) or (
        _missing_agreement(sentinels, nodes, layout) if sentinels else _missing_slots(nodes)
    )


def _missing_links(nodes: Sequence[tuple[Member, Facts]], layout: Layout) -> str:
    for member, facts in nodes:
        if facts.get("loading", "0") != "0":
            return f"{member.name} loads its data"
        if facts["role"] == "slave" and facts.get("master_link_status") != "up":
            return f"{member.name} is not linked to its primary"
    primaries = sum(facts["role"] == "master" for _, facts in nodes)
    if primaries != layout.shape.nodes:
        return f"{primaries} members are primaries instead of {layout.shape.nodes}"
    return ""


def _missing_agreement(
    sentinels: Sequence[tuple[Member, Facts]], nodes: Sequence[tuple[Member, Facts]], layout: Layout
) -> str:
    [port] = [member.port for member, facts in nodes if facts["role"] == "master"]
    expected = {
        "name": SERVICE,
        "status": "ok",
        "address": f"{HOST}:{port}",
        "slaves": str(layout.shape.nodes * layout.shape.replicas),
        "sentinels": str(len(sentinels)),
    }
    for member, facts in sentinels:
        seen = dict(part.partition("=")[::2] for part in facts.get("master0", "").split(","))
        if wrong := [name for name, value in expected.items() if seen.get(name) != value]:
            return f"{member.name} sees {', '.join(f'{name}={seen.get(name)}' for name in wrong)}"
    return ""


def _missing_slots(nodes: Sequence[tuple[Member, Facts]]) -> str:
    for member, facts in nodes:
        if facts.get("cluster_state") != "ok" or facts.get("cluster_slots_ok") != str(SLOTS):
            return f"{member.name} says cluster_state:{facts.get('cluster_state')}"
        if facts.get("cluster_known_nodes") != str(len(nodes)):
            return f"{member.name} knows {facts.get('cluster_known_nodes')} of {len(nodes)} nodes"
    return ""
