// What a person on duty does with the dashboard, in a real browser.

import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';

import { OPERATOR, READER, api, base, enqueue, furnish, kill, start, state, stop } from './pool.mjs';
import { Browser, soon } from './webdriver.mjs';

const { CLAWPOOL_AXE: axe, CLAWPOOL_DRIVER: driver, CLAWPOOL_PICTURES: pictures } = process.env;
const ALL = [[1440, 'light'], [1440, 'dark'], [390, 'light'], [390, 'dark']];
// Half of them show what is too wide or too pale as well.
const looks = process.env.CLAWPOOL_LOOKS === 'all' ? ALL : ALL.filter((_, index) => index % 3 === 0);
const step = text => console.log(`- ${text}`);

async function signIn(browser, token, path = '/') {
  await browser.go(path);
  await browser.type('#token', token);
  await browser.follow('form[action="/sign-in"] button');
}

// Opens the menu of a row, where it is in one, and presses the button of a form.
async function act(browser, action) {
  const form = `form[action="${action}"]`;
  await soon(form, () => browser.find(form));
  await browser.run('document.querySelector(arguments[0]).closest("details")?.setAttribute("open", "")', form);
  await browser.follow(`${form} button`);
}

async function signingIn(browser) {
  step('signing in');
  await browser.go('/tasks?state=dead');
  assert.equal(await browser.path(), '/sign-in?to=%2Ftasks%3Fstate%3Ddead');
  await browser.type('#token', 'a guess');
  await browser.follow('form[action="/sign-in"] button');
  await browser.says('not known here');
  await browser.type('#token', OPERATOR);
  await browser.follow('form[action="/sign-in"] button');
  assert.equal(await browser.path(), '/tasks?state=dead');
  assert.match(await browser.text('.who'), /ada\s+operator/);
  assert.equal(await browser.run('return document.cookie'), '', 'no script sees the token');
  await browser.says('live', '#link');
}

async function actions(browser, { dead, later, running }) {
  step('queues: pause, resume, purge');
  await browser.go('/queues');
  await act(browser, '/queues/normal.p4/pause');
  await browser.says('clawpool queues pause normal.p4', '.told');
  const waiting = await enqueue({ kind: 'mail.send' });
  await act(browser, '/queues/normal.p4/purge');
  await browser.says('Cancel 1 waiting tasks?');
  assert.equal(await state(waiting), 'queued');
  await browser.follow('button.danger');
  await browser.says('1 cancelled', '.told');
  assert.equal(await state(waiting), 'cancelled');
  await act(browser, '/queues/normal.p4/resume');
  await browser.says('is handed out again', '.told');

  step('tasks: start now, cancel, run again, bulk');
  await browser.go(`/tasks/${later[0]}`);
  await act(browser, `/tasks/${later[0]}/run`);
  await browser.says('on its way', '.told');
  await browser.go(`/tasks/${later[1]}`);
  await act(browser, `/tasks/${later[1]}/cancel`);
  assert.equal(await state(later[1]), 'cancelled');
  await browser.go(`/tasks/${running}`);
  await act(browser, `/tasks/${running}/cancel`);
  await soon('the end of the call', async () => (await state(running)) === 'cancelled');
  await browser.says('cancelled', 'h1');
  await browser.press('.edit summary');
  await browser.type('#payload', '{"to": "nobody"}');
  await browser.follow('.edit button');
  await browser.says('This is the new task', '.told');
  await browser.go('/tasks?kind=report.*&state=scheduled');
  const before = (await api('GET', '/v1/tasks?kind=report.*&state=scheduled&limit=500')).items.length;
  await browser.press('tbody tr:nth-child(1) input');
  await browser.press('tbody tr:nth-child(2) input');
  await new Promise(resolve => setTimeout(resolve, 4500));
  assert.equal(await browser.run('return document.querySelectorAll("input[name=ids]:checked").length'), 2, 'ticks stay');
  await browser.follow('button[value="cancel-chosen"]');
  await browser.says('2 cancelled', '.told');
  await browser.follow('button[value="cancel"]');
  await browser.says(`Cancel ${before - 2} tasks?`);
  await browser.follow('button.danger');
  await browser.says(`${before - 2} cancelled`, '.told');

  step('dead letters: edited payload, requeue, discard');
  await browser.go(`/tasks/${dead[0]}`);
  await browser.press('.edit summary');
  await browser.type('#payload', '{"text": "mended"}');
  await browser.follow('.edit button');
  await browser.says('It runs again', '.told');
  await soon('its next death', async () => (await state(dead[0])) === 'dead');
  await browser.go('/dead');
  await browser.says('No retry mends this', 'main');
  await browser.follow('.group button[formaction="/dead/requeue"]');
  await browser.says('Requeue');
  await browser.follow('main .card button');
  await browser.says('on their way again', '.told');
  await soon('all dead again', async () => (await api('GET', '/v1/dead?limit=50')).items.length === dead.length);
  await browser.go('/dead?kind=mail.broken');
  await browser.follow('form.below button[formaction="/dead/discard"]');
  await browser.says(`Discard ${dead.length} dead letters?`);
  await browser.follow('button.danger');
  await browser.says(`${dead.length} discarded`, '.told');

  step('pools and workers: hold a size, keep it, resume, drain');
  await browser.go('/pools');
  await browser.says('running', '.size', 30);
  await browser.type('input[name="size"]', '3');
  await browser.follow('form[action="/pools/main/scale"] button');
  await browser.says('is held at 3 workers', '.told');
  await act(browser, '/pools/main/resume');
  await act(browser, '/pools/main/pause');
  await act(browser, '/pools/main/resume');
  await browser.says('sized by its policies again', '.told');
  await browser.go('/workers');
  await browser.run('document.querySelector(".menu").setAttribute("open", "")');
  await browser.follow('.menu button');
  await browser.says('finishes what it runs', '.told');
  await browser.go('/audit');
  await browser.says('worker.drain');
}

// Two people: what one changes shows up to the other, who may not change it.
async function two(browser) {
  step('two people');
  const other = await Browser.open(driver, base);
  await signIn(other, READER, '/queues');
  assert.match(await other.text('.who'), /eve\s+reader/);
  assert.equal(await other.run('return document.querySelectorAll("main form").length'), 0, 'nothing is offered');
  const refused = await other.runLong(`
    const done = arguments[0];
    fetch('/queues/high.p2/pause', { method: 'POST', body: new URLSearchParams() }).then(answer => done(answer.status));
  `);
  assert.equal(refused, 403);
  await browser.go('/queues');
  await act(browser, '/queues/high.p2/pause');
  await soon('the other sees it', () => other.run(
    'return document.querySelector("[data-key=\'high.p2\']").innerText.includes("paused")'));
  await act(browser, '/queues/high.p2/resume');
  await other.close();
}

async function hostile(browser) {
  step('hostile texts');
  const { items } = await api('GET', '/v1/tasks?kind=mail.send&limit=100');
  for (const { id } of items.slice(0, 12)) {
    await browser.go(`/tasks/${id}`);
    assert.match(await browser.run('return document.title'), /^Task [0-9a-f]{8} · Clawpool$/);
    assert.equal(await browser.run('return document.querySelectorAll("main img, main script, iframe").length'), 0);
    assert.equal(await browser.run('return document.querySelectorAll("main").length'), 1);
  }
  for (const path of ['/tasks?kind=%3Cscript%3Ealert(1)%3C/script%3E', '/tasks?text=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E']) {
    await browser.go(path);
    assert.equal(await browser.run('return document.querySelectorAll("main img, main script").length'), 0, path);
  }
}

async function lost(browser) {
  step('the loss of the dispatcher, and its return');
  await browser.go('/');
  await browser.says('live', '#link');
  await kill();
  await browser.says('no answer from the dispatcher since', '#link');
  assert.ok(await browser.run('return document.body.classList.contains("stale")'));
  await start();
  await browser.says('live', '#link', 30);
  assert.ok(!await browser.run('return document.body.classList.contains("stale")'));
}

async function accessible(browser, path) {
  if (!axe) return;
  await browser.run(readFileSync(axe, 'utf8'));
  const found = await browser.runLong(`
    const done = arguments[0];
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => done(violations
      .filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.slice(0, 3).map(node => node.html + ' ' + node.any.map(check => check.message).join('; ')).join(' | '))));
  `);
  assert.deepEqual(found, [], path);
}

// Nothing is wider than the window, whatever its width; what is too wide for it scrolls in its own box.
async function fits(browser, path) {
  const wide = await browser.run(`
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.querySelectorAll('body *')]
      .filter(node => node.getBoundingClientRect().right > width + 1 && !node.closest('.scroll, nav'))
      .slice(0, 5).map(node => node.outerHTML.slice(0, 120));
  `);
  assert.deepEqual(wide, [], `${path} is wider than its window`);
  const page = await browser.run('return document.documentElement.scrollWidth <= document.documentElement.clientWidth');
  assert.ok(page, `${path} scrolls sideways`);
}

async function appearance(browser, { dead, running }) {
  step('pictures');
  const pages = {
    overview: '/', tasks: '/tasks', task: `/tasks/${running}`, dead: '/dead', 'dead-task': `/tasks/${dead[1]}`,
    queues: '/queues', queue: '/queues/normal.p4', scheduled: '/scheduled', workers: '/workers?running=yes',
    pools: '/pools', audit: '/audit', config: '/config', confirm: null, nowhere: '/nowhere',
  };
  for (const [name, path] of Object.entries(pages)) {
    for (const [width, theme] of looks) {
      await browser.look(width, theme);
      if (path) {
        await browser.go(path);
      } else {
        await browser.go('/queues');
        await act(browser, '/queues/normal.p4/purge');
      }
      await fits(browser, `${path} at ${width}`);
      await accessible(browser, `${path} at ${width} ${theme}`);
      writeFileSync(`${pictures}/${name}-${width}-${theme}.png`, await browser.picture());
    }
  }
  await browser.look(1440, 'light');
}

let browser;
try {
  await start();
  browser = await Browser.open(driver, base);
  await signingIn(browser);
  const things = await furnish();
  await appearance(browser, things);
  await hostile(browser);
  await two(browser);
  await actions(browser, things);
  await lost(browser);
  step('signing out');
  await browser.go('/');
  await browser.follow('form[action="/sign-out"] button');
  await browser.go('/workers');
  assert.equal(await browser.path(), '/sign-in?to=%2Fworkers');
  // What is refused and what is not there at once is logged by the browser too; a policy that was broken is not.
  const complaints = (await browser.complaints()).filter(text => !/Failed to load resource|ERR_CONNECTION/.test(text));
  assert.deepEqual(complaints, [], 'the browser complains');
  console.log(`the dashboard does what it should; pictures are in ${pictures}`);
} catch (error) {
  console.error(error);
  if (browser) {
    writeFileSync(`${pictures}/failed.png`, await browser.picture().catch(() => ''));
    console.error(await browser.text('body').catch(() => ''));
  }
  process.exitCode = 1;
} finally {
  await browser?.close().catch(() => {});
  await stop();
}
