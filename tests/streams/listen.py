"""Opens the streams, and says what they cost. Called by tests/streams/run with address, process id and count."""

import json
import os
import re
import selectors
import socket
import sys
import time
import urllib.error
import urllib.request
import uuid

# Of each stream whose reader reads, and of each whose reader has stopped.
MOST_KIB = 64
MOST_KIB_STUCK = 128

address, process, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
host, port = address.split(":")
base = f"http://{address}"
began = time.monotonic()


def memory():
    """Resident bytes of the dispatcher, without its file's pages."""
    with open(f"/proc/{process}/status", encoding="utf-8") as status:
        return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1)) * 1024


def processor():
    """Seconds of processor time that the dispatcher has taken."""
    with open(f"/proc/{process}/stat", encoding="utf-8") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def say(what, streams=0):
    """Fails where a stream costs more than it may."""
    each = (memory() - idle) / streams / 1024 if streams else 0
    told = f", {each:.1f} KiB a stream" if streams else ""
    print(f"{time.monotonic() - began:6.1f} s  {what}: {memory() / 2**20:.1f} MiB{told}", flush=True)
    assert each <= MOST_KIB, f"more than {MOST_KIB} KiB"


def call(path, method="GET", body=None):
    request = urllib.request.Request(base + path, method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def open_streams():
    with urllib.request.urlopen(base + "/metrics", timeout=60) as answer:
        return int(re.search(r"^clawpool_event_streams (\d+)$", answer.read().decode(), re.M).group(1))


def open_stream(is_slow=False):
    """A slow one takes little into its system's memory, and so much less of what it does not read."""
    stream = socket.socket()
    if is_slow:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    stream.connect((host, int(port)))
    stream.sendall(f"GET /v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n".encode())
    stream.setblocking(False)
    return stream


class Listeners:
    """Reads what comes, and counts entries of the audit log by stream. Only the end of what came is kept."""

    def __init__(self, streams):
        self.selector = selectors.DefaultSelector()
        self.heard = {}
        self.rest = {}
        self.opened = set()
        for stream in streams:
            self.selector.register(stream, selectors.EVENT_READ)
            self.heard[stream] = 0
            self.rest[stream] = b""

    def read(self, wait):
        for key, _ in self.selector.select(wait):
            stream = key.fileobj
            piece = stream.recv(1 << 20)
            if not piece:
                sys.exit("a stream ended")
            text = self.rest[stream] + piece
            self.heard[stream] += text.count(b"event: audit\n")
            if b"event: open\n" in text:
                self.opened.add(stream)
            # A name that is cut in two is counted with the next piece.
            self.rest[stream] = text[-12:]

    def until(self, what, done):
        end = time.monotonic() + 300
        while not done():
            if time.monotonic() > end:
                sys.exit(f"waited in vain for {what}")
            self.read(0.2)


def all_heard(listeners, number):
    listeners.until(f"{number} entries", lambda: min(listeners.heard.values()) >= number)
    listeners.read(0)
    assert max(listeners.heard.values()) == number, "told twice"


assert call("/v1/queues") == 200
idle = memory()
say("no stream")
# A tenth of them will never read.
slow = [open_stream(is_slow=True) for _ in range(count // 10)]
streams = []
listeners = Listeners([])
for number in range(len(slow), count):
    streams.append(open_stream())
    if (number + 1) % 500 == 0 or number + 1 == count:
        fresh = Listeners(streams[len(listeners.heard):])
        fresh.until("the beginning", lambda: len(fresh.opened) == len(fresh.heard))
        listeners = Listeners(streams)
    if (number + 1) % 2500 == 0:
        say(f"{number + 1} streams", number + 1)
assert open_streams() == count
assert call("/v1/events") == 503, "one more is refused"
assert call("/v1/queues") == 200, "others enter"
print(f"one more stream: 503; GET /v1/queues: 200", flush=True)

used = processor()
start = time.monotonic()
listeners.until("ten seconds", lambda: time.monotonic() > start + 10)
share = (processor() - used) / (time.monotonic() - start)
print(f"nothing happens: {share * 100:.1f} % of a core", flush=True)

used = processor()
start = time.monotonic()
assert call("/v1/queues/background/pause", "POST") == 200
all_heard(listeners, 1)
took = time.monotonic() - start
print(f"all heard of a change after {took:.2f} s, {processor() - used:.2f} s of processor time", flush=True)
say("after a change that all heard", count)

# Nobody reads for a moment, while much happens.
changes = 60
for number in range(changes):
    assert call(f"/v1/queues/background/{'resume' if number % 2 == 0 else 'pause'}", "POST") == 200
time.sleep(3)
say(f"{changes} changes that nobody reads", count)
all_heard(listeners, changes + 1)
say("all of them read, each once", count)

# So much happens that the readers who take nothing hold the server up, until it cuts them.
start = time.monotonic()
used = processor()
before = peak = memory()
while open_streams() > len(streams):
    # Some 160 fill what the systems take for them.
    for _ in range(5 if changes < 200 else 1):
        ids = [str(uuid.uuid4()) for _ in range(50)]
        assert call("/v1/tasks/cancel", "POST", {"ids": ids}) == 200
        changes += 1
    for _ in range(100):
        listeners.read(0.01)
    peak = max(peak, memory())
    if time.monotonic() > start + 1800:
        sys.exit(f"{open_streams() - len(streams)} readers take nothing and hold their streams")
all_heard(listeners, changes + 1)
took = time.monotonic() - start
each = (peak - before) / len(slow) / 1024
print(
    f"{len(slow)} readers that take nothing are cut after {took:.0f} s and {changes} changes, "
    f"{processor() - used:.1f} s of processor time; each took {each:.1f} KiB more at most",
    flush=True,
)
assert each <= MOST_KIB_STUCK, f"more than {MOST_KIB_STUCK} KiB"
say("the others heard all, each once", count)

for stream in streams + slow:
    stream.close()
call("/v1/queues/background/resume", "POST")
while open_streams() > 0:
    time.sleep(0.5)
say("all are gone")
