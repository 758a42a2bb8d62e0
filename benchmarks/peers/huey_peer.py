"""huey: one consumer with four worker threads; none of 1, 2, 8, 16, 32 and 64 was clearly quicker.

For `executors`, eight threads or two processes.
"""

from entry import EXECUTOR, JOBS, URL, add_one_by_one, main, mark, run_command
from huey import RedisHuey

huey = RedisHuey("bench", url=URL)


@huey.task()
def noop(i):
    mark()


def fill():
    for n in range(JOBS):
        noop(n)


def work():
    kind, workers = ("process", "2") if EXECUTOR == "process" else ("thread", "8" if EXECUTOR else "4")
    run_command("huey_consumer", "huey_peer.huey", "-k", kind, "-w", workers, "-q")


if __name__ == "__main__":
    # A task is filed under its module's name, so that the producer must know this module as the consumer does.
    import huey_peer

    main(fill=huey_peer.fill, work=work, add=lambda: add_one_by_one(huey_peer.noop))
