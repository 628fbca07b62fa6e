"""Taskiq on Redis streams, its Redis broker that acknowledges. Single enqueues, 64 under way: Taskiq has no bulk call."""

import asyncio

import ledger
from setting import FAST, QUEUE, SERVER
from taskiq import TaskiqEvents
from taskiq_redis import RedisStreamBroker

# A group that begins with the stream, or a worker that comes after its tasks would never see them.
broker = RedisStreamBroker(SERVER, queue_name=QUEUE, consumer_id="0", max_connection_pool_size=100)
loop = asyncio.new_event_loop()

COMMAND = ["-m", "taskiq", "worker", "taskiq_peer:broker", "--log-level", "ERROR"]
COMMAND += ["--workers", "1", "--max-async-tasks", "100", "--max-prefetch", "100"] if FAST else []


@broker.task(task_name="work")
async def work(body: str) -> None:
    if seconds := ledger.work(body):
        await asyncio.sleep(seconds)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def ready(_) -> None:
    ledger.write("ready")


def enqueue(bodies: list[str]) -> None:
    loop.run_until_complete(send(bodies))


async def send(bodies: list[str]) -> None:
    waiting = iter(bodies)

    async def one_after_another() -> None:
        for body in waiting:
            await work.kiq(body)

    await asyncio.gather(*(one_after_another() for _ in range(min(64, len(bodies)))))
