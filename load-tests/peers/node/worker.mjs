// A worker that tells whoever measures it what happens: lines in the file PEER_LEDGER.

import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Worker } from "bullmq";
import { connection, fast, name } from "./setting.mjs";

const TASKS = Number(process.env.PEER_TASKS);
const write = (line) => appendFileSync(process.env.PEER_LEDGER, `${line}\n`);

let runs = 0;
let first = 0;

function count() {
  runs += 1;
  if (runs === 1) first = performance.now();
  if (runs === TASKS) write(`drained ${(performance.now() - first) / 1000}`);
}

async function work(job) {
  const [word, value] = job.data.split(" ");
  if (word === "sleep") {
    write("started");
    await sleep(Number(value) * 1000);
  } else if (word === "mark") {
    write(`mark ${Number(process.hrtime.bigint() - BigInt(value)) / 1e9}`);
  } else {
    count();
  }
}

const worker = new Worker(name, work, { connection, ...(fast ? { concurrency: 100 } : {}) });
await worker.waitUntilReady();
write("ready");
