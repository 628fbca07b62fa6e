// What the page is better with, and works without: times of the reader's own zone, and figures that stay
// new. The page is asked for again while somebody looks at it, and what differs is put in its place; what the
// reader has opened, ticked or written stays.

'use strict';

const page = document.getElementById('page');
const link = document.getElementById('link');

// Times, local.

const shortTime = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const longTime = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  timeZoneName: 'short',
});

function localTimes(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const whole = longTime.format(at);
    if (time.hasAttribute('data-near')) {
      time.title = whole;
    } else {
      time.title = at.toISOString();
      const isToday = new Date().toDateString() === at.toDateString();
      time.textContent = isToday ? shortTime.format(at) : whole;
    }
  }
}

function nameZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const offset = longTime.formatToParts(new Date()).find(part => part.type === 'timeZoneName');
  document.getElementById('zone').textContent = offset ? `${zone} (${offset.value})` : zone;
}

// The new page, put over the old one.

// By attribute: `form.id` would be a field of that name.
const keyOf = node => node.nodeType === Node.ELEMENT_NODE
  ? node.getAttribute('id') || node.getAttribute('data-key') || '' : '';
const isAlike = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

function isReaders(element, name) {
  // What the reader has opened, chosen or written.
  return (element.nodeName === 'DETAILS' && name === 'open')
    || (['INPUT', 'OPTION', 'TEXTAREA'].includes(element.nodeName) && ['checked', 'selected', 'value'].includes(name)
      && element.type !== 'hidden');
}

function mergeAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!isReaders(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!isReaders(old, name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

function mergeChildren(old, fresh) {
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = at;
    // A row that has moved up is looked for below; one without a key is taken where it is.
    if (keyOf(wanted)) {
      while (found && !isAlike(found, wanted)) found = found.nextSibling;
    } else if (!found || !isAlike(found, wanted)) {
      found = null;
    }
    if (!found) {
      old.insertBefore(wanted, at);
      continue;
    }
    if (found !== at) old.insertBefore(found, at);
    else at = at.nextSibling;
    mergeNode(found, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function mergeNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  mergeAttributes(old, fresh);
  if (old.nodeName === 'TEXTAREA') return;
  mergeChildren(old, fresh);
}

// A log that was read to its end stays at its end.
function keepEnds(change) {
  const atEnd = [...page.querySelectorAll('.log')].filter(log => log.scrollHeight - log.scrollTop - log.clientHeight < 8);
  change();
  for (const log of atEnd) log.scrollTop = log.scrollHeight;
}

// Asking again.

let since = null;
let timer = null;
let failures = 0;

function say(isLive, why = 'no answer from the dispatcher') {
  const clock = shortTime.format(new Date());
  if (isLive) {
    since = null;
    failures = 0;
    if (link.className !== 'live') link.className = 'live';
    link.textContent = 'live';
    link.title = `as of ${clock}`;
  } else {
    failures += 1;
    since ??= clock;
    link.className = 'stale';
    link.textContent = `${why} since ${since}: these figures are old; asking again`;
  }
  document.body.classList.toggle('stale', !isLive);
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(10000) });
  // The session has ended: the reader is led to where it begins.
  if (answer.redirected && new URL(answer.url).pathname === '/sign-in') return location.reload();
  if (answer.status >= 500) return false;
  // What the page is about is gone, or the reader may not see it any more.
  if (!answer.ok) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('page');
  if (!fresh) return false;
  localTimes(fresh);
  keepEnds(() => mergeNode(page, fresh));
  return true;
}

// Somebody who reads a menu or writes is not disturbed.
const isBusy = () => {
  const at = document.activeElement;
  return Boolean(at && page.contains(at) && ['INPUT', 'TEXTAREA', 'SELECT'].includes(at.nodeName) && at.type !== 'checkbox')
    || !getSelection().isCollapsed;
};

function schedule() {
  clearTimeout(timer);
  const seconds = Number(page.dataset.live);
  if (!seconds || document.hidden) return;
  const wait = Math.min(seconds * 1000 * 2 ** Math.min(failures, 2), 5000);
  timer = setTimeout(tick, Math.max(wait, seconds * 1000));
}

async function tick() {
  try {
    if (isBusy()) {
      link.textContent = 'waits while you write or mark';
    } else {
      say((await refresh()) !== false, 'the dispatcher has no figures');
    }
  } catch {
    say(false);
  }
  schedule();
}

localTimes(document);
nameZone();
if (page.dataset.live) {
  say(true);
  schedule();
  document.addEventListener('visibilitychange', () => document.hidden ? clearTimeout(timer) : tick());
}
// A long change goes on by itself.
document.querySelector('form[data-goes-on]')?.submit();
