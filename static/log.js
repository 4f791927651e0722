/* Follows a log: while Follow is ticked and the page is seen, asks every few seconds for what came since the last cursor.
   The hub answers with a place for the lines, which come over the page's socket. */
const EVERY = 3000, LONGEST = 600000, MOST = 2000;   // milliseconds, milliseconds, lines kept on the page
let follow = false, asking = false, since = 0, level = '', atEnd = true;

const lines = () => document.getElementById('log-lines');
const box = () => document.querySelector('[data-follow]');

function dress() {
  const follower = box();
  if (!follower) return;
  follower.closest('label').hidden = false;
  follower.checked = follow;
}

function stop(ended) {
  follow = false;
  dress();
  if (ended) document.getElementById('log-ended').hidden = false;
}

function ask() {
  const log = lines(), form = document.getElementById('log-form');
  if (!follow || asking || document.hidden || !form) return;
  if (Date.now() - since > LONGEST) return stop(true);
  if (!log) return form.querySelector(`#log-${level || 'all'}`).click();
  if (document.body.dataset.link === 'offline' || log.querySelector('[aria-busy=true]')) return;
  if (log.lastElementChild?.matches('.notice[data-state]') || log.lastElementChild?.querySelector('.notice[data-state]')) return stop();
  const after = [...log.querySelectorAll('[data-cursor]')].pop()?.dataset.cursor || '';
  asking = true;
  window.htmx.ajax('POST', form.action, {
    source: form, target: log, swap: 'beforeend', values: {after, level: form.querySelector('[aria-pressed=true]')?.value || ''},
  }).finally(() => { asking = false; });
}

/* Drops what holds no lines any more, and the oldest lines past what a page carries; stays at the end if it was there. */
function tidy() {
  const log = lines();
  if (!log) return;
  const answers = [...log.children];
  for (const answer of answers.slice(0, -1)) {
    if (!answer.matches('[aria-busy]') && !answer.querySelector('[data-cursor] > *, .notice')) answer.remove();
  }
  const all = log.querySelectorAll('[data-cursor] > *');
  for (const line of [...all].slice(0, Math.max(0, all.length - MOST))) line.remove();
  if (all.length) log.querySelector('.empty')?.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

document.addEventListener('change', event => {
  if (!event.target.matches('[data-follow]')) return;
  follow = event.target.checked;
  since = Date.now();
  atEnd = true;
  document.getElementById('log-ended').hidden = true;
  ask();
});
document.addEventListener('click', event => {
  if (event.target.closest('#log-form [name=level]')) { level = event.target.value; atEnd = true; }
});
document.addEventListener('scroll', event => {
  if (event.target === lines()) atEnd = event.target.scrollHeight - event.target.scrollTop - event.target.clientHeight < 40;
}, true);
document.addEventListener('pm:swapped', tidy);
document.body.addEventListener('htmx:afterSwap', () => { dress(); tidy(); });
setInterval(ask, EVERY);
dress();
