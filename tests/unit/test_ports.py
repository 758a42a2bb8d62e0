"""Ports of servers that tests start: each pytest worker has its own."""

from tests.support import ports


def test_a_row_of_ports_stays_in_the_range_of_its_worker() -> None:
    own = range(ports._lowest, ports._lowest + ports._PER_WORKER)
    for _ in range(2 * ports._PER_WORKER // 6):
        first = ports.free_ports(6)
        assert first in own
        assert first + 5 in own
