"""Dramatiq on Redis or RabbitMQ. Single enqueues: Dramatiq has no bulk call, and by default it waits for no confirm."""

import time

import dramatiq
import ledger
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from setting import FAST, QUEUE, SERVER

broker = RabbitmqBroker(url=SERVER) if SERVER.startswith("amqp") else RedisBroker(url=SERVER)


class Ready(dramatiq.Middleware):
    def after_worker_boot(self, broker, worker) -> None:
        ledger.write("ready")


broker.add_middleware(Ready())
dramatiq.set_broker(broker)

COMMAND = ["-m", "dramatiq", "dramatiq_peer", "--queues", QUEUE]
COMMAND += ["--processes", "1", "--threads", "8"] if FAST else []


@dramatiq.actor(queue_name=QUEUE)
def work(body: str) -> None:
    if seconds := ledger.work(body):
        time.sleep(seconds)


def enqueue(bodies: list[str]) -> None:
    for body in bodies:
        work.send(body)
