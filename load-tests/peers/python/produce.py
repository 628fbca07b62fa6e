"""produce.py PEER noop COUNT | mark COUNT MILLISECONDS | sleep SECONDS: enqueues, and prints the seconds it took."""

import importlib
import sys
import time

BODY = "x" * 200


def produce(peer, what: str, number: int, pause: float = 0) -> float:
    # Connections and queues are made by the first call, which does not count; `mark 0` cannot be mistaken for a result.
    started = time.monotonic()
    if what == "noop":
        peer.enqueue([BODY])
        started = time.monotonic()
        peer.enqueue([BODY] * (number - 1))
    elif what == "mark":
        for _ in range(number):
            peer.enqueue([f"mark {time.monotonic_ns()}"])
            time.sleep(pause / 1000)
    elif what == "sleep":
        peer.enqueue([f"sleep {number}"])
    return time.monotonic() - started


if __name__ == "__main__":
    name, what, *numbers = sys.argv[1:]
    print(produce(importlib.import_module(f"{name}_peer"), what, *map(int, numbers)))
