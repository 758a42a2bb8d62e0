"""dramatiq: one worker process of eight threads."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from entry import JOBS, URL, main, mark, run_command

dramatiq.set_broker(RedisBroker(url=URL))


@dramatiq.actor
def noop(i):
    mark()


def fill():
    for n in range(JOBS):
        noop.send(n)


def work():
    run_command("dramatiq", "dramatiq_peer", "--processes", "1", "--threads", "8")


if __name__ == "__main__":
    main(fill=fill, work=work)
