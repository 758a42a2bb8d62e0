"""rq: one worker that runs its jobs in its own process rather than in a fork for each."""

from entry import BATCH, JOBS, URL, main, mark, run_command
from redis import Redis
from rq import Queue


def noop(i):
    mark()


def fill():
    queue = Queue("bench", connection=Redis.from_url(URL))
    for start in range(0, JOBS, BATCH):
        numbers = range(start, min(start + BATCH, JOBS))
        queue.enqueue_many([Queue.prepare_data("rq_peer.noop", args=(n,)) for n in numbers])


def work():
    run_command("rq", "worker", "bench", "--url", URL, "--worker-class", "rq.SimpleWorker", "--quiet")


if __name__ == "__main__":
    main(fill=fill, work=work)
