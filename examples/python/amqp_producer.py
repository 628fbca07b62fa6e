"""Enqueues a task over AMQP.

    pip install pika
    python amqp_producer.py amqp://guest:guest@127.0.0.1:5672/%2f email.send '{"to": "a@b.c"}' [PREFIX]

PREFIX is `rabbitmq.prefix` of the configuration ("clawpool" unless it was changed). Prints the task's id. What the pool
does not take comes back on the queue PREFIX.rejects, with the headers code, message and field.
"""

import json
import sys
import uuid

import pika


def main(address, kind, payload="null", prefix="clawpool"):
    # An id of our own makes sending repeatable: the pool adds a task with a known id only once.
    task = {"id": str(uuid.uuid4()), "kind": kind, "payload": json.loads(payload)}

    connection = pika.BlockingConnection(pika.URLParameters(address))
    channel = connection.channel()
    # With confirms, basic_publish returns when RabbitMQ has the message for good, and raises when it has not.
    channel.confirm_delivery()
    channel.basic_publish(
        exchange=f"{prefix}.ingress",
        routing_key="",
        # One task, or an array of up to 1,000. MessagePack does as well: content type application/msgpack.
        body=json.dumps(task),
        properties=pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,  # persistent
        ),
        mandatory=True,
    )
    connection.close()
    print(task["id"])


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
