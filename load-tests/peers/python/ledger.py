"""What a worker tells whoever measures it: lines in the file PEER_LEDGER."""

import multiprocessing
import os
import time

TASKS = int(os.environ.get("PEER_TASKS", "0"))

# Shared by all processes that a worker forks.
runs = multiprocessing.Value("Q", 0)
first = multiprocessing.Value("d", 0.0)


def write(line: str) -> None:
    with open(os.environ["PEER_LEDGER"], "a") as file:
        file.write(line + "\n")


def work(body: str) -> float:
    """Notes what there is to note about a task that starts; returns for how many seconds it sleeps."""
    word, _, value = body.partition(" ")
    if word == "sleep":
        write("started")
        return float(value)
    if word == "mark":
        write(f"mark {(time.monotonic_ns() - int(value)) / 1e9:.6f}")
    else:
        count()
    return 0.0


def count() -> None:
    with runs.get_lock():
        runs.value += 1
        run = runs.value
    if run == 1:
        first.value = time.monotonic()
    if run == TASKS:
        write(f"drained {time.monotonic() - first.value:.6f}")
