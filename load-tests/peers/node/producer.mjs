// producer.mjs noop COUNT | mark COUNT MILLISECONDS | sleep SECONDS: enqueues, and prints the seconds it took.
// Bulk enqueues of 1,000.

import { setTimeout as sleep } from "node:timers/promises";

import { Queue } from "bullmq";
import { connection, name } from "./setting.mjs";

const BODY = "x".repeat(200);
// Nothing is kept of a job that is done, as nothing is asked about it.
const options = { removeOnComplete: true };
const queue = new Queue(name, { connection });

const enqueue = (bodies) => queue.addBulk(bodies.map((body) => ({ name: "work", data: body, opts: options })));

async function produce(what, number, pause) {
  let started = performance.now();
  if (what === "noop") {
    // Connections are made by the first call, which does not count.
    await enqueue([BODY]);
    started = performance.now();
    for (let left = number - 1; left > 0; left -= 1000) {
      await enqueue(Array(Math.min(left, 1000)).fill(BODY));
    }
  } else if (what === "mark") {
    for (let sent = 0; sent < number; sent += 1) {
      await queue.add("work", `mark ${process.hrtime.bigint()}`, options);
      await sleep(pause);
    }
  } else {
    await enqueue([`sleep ${number}`]);
  }
  return (performance.now() - started) / 1000;
}

const [what, ...numbers] = process.argv.slice(2);
console.log(await produce(what, ...numbers.map(Number)));
await queue.close();
