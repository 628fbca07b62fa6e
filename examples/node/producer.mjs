// Enqueues a task over HTTP and waits for its result. Needs Node 18 or later and nothing else.
//
//   node producer.mjs http://127.0.0.1:7070 email.send '{"to": "a@b.c"}'
//
// Prints the task's id on the first line and its state on the second. CLAWPOOL_TOKEN is sent as the bearer token, if set.

const [address, kind, payload = "null"] = process.argv.slice(2);
if (!kind) {
  console.error("usage: node producer.mjs ADDRESS KIND [PAYLOAD]");
  process.exit(64);
}

const headers = { "content-type": "application/json" };
if (process.env.CLAWPOOL_TOKEN) headers.authorization = `Bearer ${process.env.CLAWPOOL_TOKEN}`;

// While a queue is full the pool answers 503 and says when to come back.
async function enqueue(task) {
  for (;;) {
    const response = await fetch(`${address}/v1/tasks`, { method: "POST", headers, body: JSON.stringify(task) });
    if (response.ok) return response.json();
    if (response.status !== 503) throw new Error(`not taken: ${await response.text()}`); // {code, message, field}
    const seconds = Number(response.headers.get("retry-after") ?? 1);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
}

// Answers as soon as the task is over, or after ten seconds with its state as it stands.
async function finished(id) {
  for (;;) {
    const response = await fetch(`${address}/v1/tasks/${id}?wait=10s`, { headers });
    if (!response.ok) throw new Error(`task ${id}: ${await response.text()}`);
    const task = await response.json();
    if (["completed", "dead", "cancelled"].includes(task.state)) return task;
  }
}

const { id } = await enqueue({ kind, payload: JSON.parse(payload) });
console.log(id);
console.log((await finished(id)).state);
