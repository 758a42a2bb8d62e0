"""rq: one worker that runs its jobs in its own process rather than in a fork for each, or two of them."""

from entry import BATCH, EXECUTOR, JOBS, URL, add_one_by_one, main, mark, run_command
from redis import Redis
from rq import Queue


def noop(i):
    mark()


def fill():
    queue = Queue("bench", connection=Redis.from_url(URL))
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        queue.enqueue_many([Queue.prepare_data("rq_peer.noop", args=(n,)) for n in numbers])


def add():
    queue = Queue("bench", connection=Redis.from_url(URL))
    add_one_by_one(lambda n: queue.enqueue("rq_peer.noop", n))


def work():
    options = ("bench", "--url", URL, "--worker-class", "rq.SimpleWorker", "--quiet")
    if EXECUTOR == "process":
        run_command("rq", "worker-pool", *options, "--num-workers", "2")
    run_command("rq", "worker", *options)


if __name__ == "__main__":
    main(fill=fill, work=work, add=add)
