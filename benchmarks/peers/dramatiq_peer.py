"""dramatiq: one worker process of eight threads, or two of one thread."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from entry import EXECUTOR, JOBS, URL, add_one_by_one, main, mark, run_command

dramatiq.set_broker(RedisBroker(url=URL))


@dramatiq.actor
def noop(i):
    mark()


def fill():
    for n in range(JOBS):
        noop.send(n)


def work():
    processes, threads = ("2", "1") if EXECUTOR == "process" else ("1", "8")
    run_command("dramatiq", "dramatiq_peer", "--processes", processes, "--threads", threads)


if __name__ == "__main__":
    main(fill=fill, work=work, add=lambda: add_one_by_one(noop.send))
