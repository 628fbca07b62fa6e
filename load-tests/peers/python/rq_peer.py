"""RQ on Redis. Bulk enqueues of 1,000."""

import time

import ledger
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from setting import FAST, QUEUE, SERVER

redis = Redis.from_url(SERVER)
queue = Queue(QUEUE, connection=redis)

COMMAND = ["rq_peer.py"]


def work(body: str) -> None:
    if seconds := ledger.work(body):
        time.sleep(seconds)


def enqueue(bodies: list[str]) -> None:
    for start in range(0, len(bodies), 1000):
        # By its name: the worker's module is another program.
        jobs = [Queue.prepare_data("rq_peer.work", (body,), result_ttl=0) for body in bodies[start : start + 1000]]
        queue.enqueue_many(jobs)


if __name__ == "__main__":
    # Without a fork for each job, as its guide advises for short ones.
    worker = (SimpleWorker if FAST else Worker)([queue], connection=redis)
    ledger.write("ready")
    worker.work(logging_level="ERROR")
