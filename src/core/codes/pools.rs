use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1601",
        "Driver silent",
        "What starts and stops a pool's workers (the container engine, the Kubernetes API) does not answer.",
        "Check that it runs and that this program may talk to it. Until then the pool keeps its size.",
    ),
    (
        "CP-1602",
        "Driver cannot serve the pool",
        "What starts and stops a pool's workers answers that it cannot: no such service, image, program or \
        right.",
        "Do what the message says, then run `clawpool config check`.",
    ),
    (
        "CP-1603",
        "Worker program cannot be started",
        "The system refuses to start the pool's program. It is tried again, each time later.",
        "Check that [[pools]] command names a program that exists and may be run, then `clawpool workers \
        restart POOL`.",
    ),
    (
        "CP-1604",
        "Worker fails at its start",
        "A worker dies again and again before it has done anything. The breaker is open: no new start for a \
        while.",
        "`clawpool workers crashes` shows its last words; mend what they name, then `clawpool workers \
        restart POOL`.",
    ),
    (
        "CP-1605",
        "Workers die too often",
        "Workers died more often than restart.limit and restart.per_hour allow. The next start waits until \
        they do.",
        "`clawpool workers crashes` shows what they die of and what they ran; `clawpool workers restart \
        POOL` does not wait.",
    ),
    (
        "CP-1606",
        "Worker waits for its restart",
        "A worker died, and the pool's restart policy is manual.",
        "See `clawpool workers crashes`, then `clawpool workers restart POOL`.",
    ),
    (
        "CP-1607",
        "Worker not replaced",
        "A worker died, and the pool's restart policy is none.",
        "See `clawpool workers crashes`, then `clawpool workers restart POOL`; another policy in \
        [pools.restart] replaces it.",
    ),
    (
        "CP-1608",
        "Worker hung",
        "A worker did not beat for a lease, so its supervisor killed it. Its tasks start elsewhere.",
        "`clawpool workers crashes` shows what it ran. Were many hung at once, look at the machine: memory, \
        disk, suspension.",
    ),
    (
        "CP-1609",
        "Every worker unhealthy",
        "No worker of the pool was healthy, so the emergency policy replaced them all.",
        "See `clawpool workers crashes` and the machine's memory and disk; `clawpool autoscaler status` \
        shows the pool now.",
    ),
    (
        "CP-1610",
        "Worker over its memory limit",
        "A worker, with the programs of its tasks, takes more than max_memory. It finishes what it runs, \
        and is replaced.",
        "Look for a leak in what it runs, or raise the pool's max_memory.",
    ),
    (
        "CP-1611",
        "Worker has run its tasks",
        "A worker has run max_tasks tasks. It finishes what it runs, and is replaced.",
        "Nothing: this is as configured. Raise the pool's max_tasks where it happens too often.",
    ),
    (
        "CP-1620",
        "Store takes no writes",
        "The store does not answer, or answers and takes no writes: no task is taken, started or ended \
        until it does.",
        "The text says why: give it memory or disk, start it, or end its failover. Everything then goes on \
        by itself.",
    ),
    (
        "CP-1621",
        "Broker takes no messages",
        "A broker does not answer, or is blocked for want of memory or disk: its queues take no tasks until \
        it recovers.",
        "The text says why: free memory or disk on its machine, or start it. Everything then goes on by \
        itself.",
    ),
    (
        "CP-1622",
        "Tasks have lost their messages",
        "Tasks are recorded as waiting or running, and the broker has no message for them: a queue was \
        purged or damaged.",
        "Enqueue them again with the same ids, which costs no second run, or cancel them: `clawpool tasks \
        list` names them.",
    ),
    (
        "CP-1623",
        "Messages were put back",
        "Tasks had fallen out of their queue. The broker still had their messages, which were put back to \
        its front.",
        "Nothing, they run. Who took them out of the queue is worth a question.",
    ),
    (
        "CP-1624",
        "Something unreadable was set aside",
        "A record, message, dead letter or note is nothing that this program has written. All beside it \
        goes on.",
        "Redis keeps it as {PREFIX}:x:…, SQLite in the table set_aside, for 30 days. Enqueue its task again \
        if it has to run.",
    ),
    (
        "CP-1625",
        "Probed service down",
        "What an entry of [[probes]] looks at has failed as often in turn as its failures say.",
        "The text says how it failed: start or mend the service, or correct the probe.",
    ),
    (
        "CP-1626",
        "Probed service slow",
        "What an entry of [[probes]] looks at answers later than its slow allows, several times in turn.",
        "Look at the service and the network to it; where this is its usual pace, raise the probe's slow.",
    ),
    (
        "CP-1627",
        "Dispatcher stands still",
        "A part of the dispatcher (the text names it) has not gone on for long, although nothing has ended.",
        "Look at its log and the machine's load, and restart it: another dispatcher leads meanwhile. Report \
        it with the log.",
    ),
    (
        "CP-1630",
        "Too few files, processes or memory",
        "The system has no open file, process or memory for another worker just now. It is tried again \
        every second.",
        "Raise the limits of the service (LimitNOFILE, TasksMax, memory), or lower api.connections and the \
        pool's size.",
    ),
];
