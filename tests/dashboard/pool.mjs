// A live pool of its own: `clawpool up` with two tokens, and something of everything on it.

import { spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';

import { soon } from './webdriver.mjs';

const { CLAWPOOL_FOLDER: folder, CLAWPOOL_PORT: port, CLAWPOOL_PROGRAM: program } = process.env;

export const base = `http://127.0.0.1:${port}`;
export const OPERATOR = 'the-token-of-ada-the-operator';
export const READER = 'the-token-of-eve-the-reader';

export const HOSTILE = [
  '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)' x='",
  '</textarea></title><script>alert(1)</script>', '\u202etxt.exe\u2066', '\u001b[31mred\u0007', 'a\u0000b', 'x'.repeat(100000),
];

const config = `
profile = "embedded"
[embedded]
data = "${folder}/data"
synchronous = "normal"
[api]
listen = "127.0.0.1:${port}"
[[api.tokens]]
name = "ada"
secret = "${OPERATOR}"
scopes = ["enqueue", "priority", "read", "operate"]
[[api.tokens]]
name = "eve"
secret = "${READER}"
scopes = ["read"]
[[handlers]]
kind = "mail.broken"
exec.command = ["sh", "-c", "echo 'connecting to 10.0.0.7' >&2; echo '<b>no route</b>' >&2; exit 64"]
[[handlers]]
kind = "mail.send"
exec.command = ["sh", "-c", "echo 'progress: half way' >&2; echo '{\\"sent\\": true, \\"to\\": [\\"a@b.c\\"]}'"]
[[handlers]]
kind = "voice.call"
exec.command = ["sleep", "600"]
[[pools]]
name = "main"
min = 2
max = 4
`;

let child = null;

export async function start() {
  writeFileSync(`${folder}/clawpool.toml`, config);
  const log = createWriteStream(`${folder}/pool.log`, { flags: 'a' });
  child = spawn(program, ['--config', `${folder}/clawpool.toml`, 'up'], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  await soon('the dispatcher', async () => (await fetch(`${base}/readyz`)).ok, 60);
}

// As a machine does that loses its power.
export async function kill() {
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

export async function stop() {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

export async function api(method, path, body, token = OPERATOR) {
  const answer = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

export const enqueue = async task => (await api('POST', '/v1/tasks', task)).id;
export const state = async id => (await api('GET', `/v1/tasks/${id}`)).state;

export async function furnish() {
  for (let index = 0; index < 60; index += 1) {
    await enqueue({ kind: index % 3 ? 'clawpool.noop' : 'mail.send', payload: { to: 'a@b.c', index } });
  }
  const dead = [];
  for (let index = 0; index < 6; index += 1) {
    dead.push(await enqueue({ kind: 'mail.broken', payload: { attempt: index, text: HOSTILE[index] }, meta: { note: HOSTILE[index].replace(/\p{Cc}/gu, '') } }));
  }
  for (const text of HOSTILE) await enqueue({ kind: 'mail.send', payload: { text, [text.slice(0, 90)]: [text] } });
  const later = [];
  for (let index = 0; index < 70; index += 1) {
    later.push(await enqueue({ kind: 'report.daily', payload: { index }, delay: '2h' }));
  }
  const running = await enqueue({ kind: 'voice.call', payload: { to: '+49 30 1234' }, session: 'call-7', timeout: '10m' });
  for (const id of dead) await soon(`the death of ${id}`, async () => (await state(id)) === 'dead');
  await soon('the call', async () => (await state(running)) === 'running');
  return { dead, later, running };
}
