"""Celery on Redis or RabbitMQ. Single enqueues: Celery has no bulk call."""

import os
import time

import ledger
from celery import Celery
from celery.signals import worker_ready
from setting import FAST, QUEUE, SERVER

app = Celery("celery_peer", broker=SERVER)
app.conf.task_default_queue = QUEUE
app.conf.task_ignore_result = True
if FAST:
    # "Optimizing" in its guide: short tasks want a high prefetch.
    app.conf.worker_prefetch_multiplier = 128

COMMAND = ["-m", "celery", "--app", "celery_peer", "worker", "--loglevel", "ERROR", "--queues", QUEUE]
# Two workers on one machine need two names.
COMMAND += ["--hostname", f"{os.getpid()}@%h"]
# One process, as for everybody: its default pool adds a process for each core.
COMMAND += ["--pool", "solo", "--without-gossip", "--without-mingle", "--without-heartbeat"] if FAST else []


@app.task(name="work")
def work(body: str) -> None:
    if seconds := ledger.work(body):
        time.sleep(seconds)


@worker_ready.connect
def ready(**_) -> None:
    ledger.write("ready")


def enqueue(bodies: list[str]) -> None:
    for body in bodies:
        work.apply_async((body,))
