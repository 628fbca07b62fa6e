"""Enqueues a task over HTTP and waits for its result. Needs Python alone.

    python http_producer.py http://127.0.0.1:7070 email.send '{"to": "a@b.c"}'

Prints the task's id on the first line and its state on the second. CLAWPOOL_TOKEN is sent as the bearer token, if set.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


def call(method, url, body=None):
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("CLAWPOOL_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def enqueue(address, task):
    """Posts a task. While a queue is full the pool answers 503 and says when to come back."""
    while True:
        try:
            return call("POST", f"{address}/v1/tasks", task)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                sys.exit(f"not taken: {error.read().decode()}")  # {"code", "message", "field"}
            time.sleep(float(error.headers.get("Retry-After", 1)))


def main(address, kind, payload="null"):
    accepted = enqueue(address, {"kind": kind, "payload": json.loads(payload)})
    print(accepted["id"], flush=True)
    state = "queued"
    while state not in ("completed", "dead", "cancelled"):
        # Answers as soon as the task is over, or after ten seconds with its state as it stands.
        task = call("GET", f"{address}/v1/tasks/{urllib.parse.quote(accepted['id'])}?wait=10s")
        state = task["state"]
    print(state)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
