"""celery: results off, the solo pool: the quickest of it, threads (1 to 100) and prefork (2, 4).

For `executors`, prefork with two processes.
"""

from celery import Celery
from entry import EXECUTOR, JOBS, URL, add_one_by_one, main, mark, run_command

app = Celery("bench", broker=URL)
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 64
app.conf.broker_connection_retry_on_startup = True


@app.task(name="noop")
def noop(i):
    mark()


def fill():
    with app.producer_or_acquire() as producer:
        for n in range(JOBS):
            noop.apply_async((n,), producer=producer)


def work():
    pool = ("prefork", "--concurrency", "2") if EXECUTOR == "process" else ("solo",)
    run_command(
        "celery", "-A", "celery_peer", "worker", "--pool", *pool,
        "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING",
    )  # fmt: skip


if __name__ == "__main__":
    main(fill=fill, work=work, add=lambda: add_one_by_one(noop.delay))
