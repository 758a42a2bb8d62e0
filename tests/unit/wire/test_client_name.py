"""Names of connections, by which peers find workers and readers of events."""

import pytest

from stockyard._wire.client_name import reader_client_name, worker_client_name, worker_of, worker_spellings
from stockyard.model.naming import Naming


def test_a_queue_is_named_by_base64_as_node_splits_it() -> None:
    assert worker_client_name(Naming("bull"), "vis", "nw") == "bull:dmlz:w:nw"
    assert worker_client_name(Naming("bull"), "vis") == "bull:dmlz"
    assert worker_client_name(Naming("bull"), "eu:vis") == "bull:eu:dmlz"
    assert reader_client_name(Naming("bull"), "eu:vis") == "bull:eu:dmlz:qe"


def test_a_server_takes_every_name_and_we_find_it() -> None:
    name = worker_client_name(Naming("bull"), "börse eu:vis", "nw")
    assert name == "bull:b%C3%B6rse%20eu:dmlz:w:nw"
    assert worker_of(name, worker_spellings(Naming("bull"), "börse eu:vis")) == "nw"
    assert worker_client_name(Naming("{a}:b+c"), "vis") == "{a}:b+c:dmlz"


@pytest.mark.parametrize(
    ("client", "worker"),
    [
        ("bull:eu:dmlz", ""),
        ("bull:eu:dmlz:w:nw", "nw"),
        ("bull:eu:dmlz:w:a:w:b", "a:w:b"),
        ("bull:ZXU6dmlz", ""),
        ("bull:ZXU6dmlz:w:nw", "nw"),
        ("bull:eu:dmlz:qe", None),
        ("bull:eu:dmlzx", None),
        ("bull:dmlz:w:nw", None),
        ("", None),
    ],
)
def test_a_worker_is_known_in_either_spelling(client: str, worker: str | None) -> None:
    assert worker_of(client, worker_spellings(Naming("bull"), "eu:vis")) == worker


def test_a_prefix_may_look_like_a_worker() -> None:
    assert worker_of("a:w:dmlz", worker_spellings(Naming("a:w"), "vis")) == ""
    assert worker_of("a:w:dmlz:w:nw", worker_spellings(Naming("a:w"), "vis")) == "nw"
