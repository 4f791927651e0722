/* Travels in time on the server page. The scrubber, a click on a chart, the clock field and the links to the samples
   beside it all lead to an address with ?at=, which the page also works with unaided. A page of the past stays and
   takes only what is another: one request at a time, and of what is wanted meanwhile the latest. */
import {clockTime, hubNow} from './clock.js';
import {swap} from './swap.js';

const $ = id => document.getElementById(id);
const past = document.body.dataset.time === 'past';
const PAGE_STEP = 600, SLOW = 300;  // seconds, milliseconds
const KEPT = 'pm-scrub';  // the next page's scrubber has the focus again, for the next key
/* The timeline's stretch as an address has it; a choice of a length also says where that ends, which a moment keeps. */
const stretch = query => query.get('from') ? `${query.get('from')} ${query.get('to')}` : query.get('range');
let wanted = null, running = false, dragging = false, step = '', drawn = stretch(new URLSearchParams(location.search));

export const iso = ms => new Date(ms).toISOString().replace('.000Z', 'Z');
const shown = () => past ? Date.parse($('asof').dataset.at) : hubNow();
const inside = (scrub, ms) => ms >= scrub.min * 1000 && ms < scrub.max * 1000 + 1000;

/* The page's address at another moment. The timeline stays where it is as long as the moment is on it; a stretch of the
   reader's own moves along, so that the moment is in its middle. */
function address(ms) {
  ms = Math.min(ms, hubNow());
  const query = new URLSearchParams(location.search), shown = new URLSearchParams($('lanes').dataset.window);
  query.set('at', iso(ms));
  for (const name of ['from', 'to']) shown.has(name) && inside($('scrub'), ms) ? query.set(name, shown.get(name)) : query.delete(name);
  if (shown.has('from') && !query.has('from')) {
    const {min, max} = $('scrub'), end = Math.min(hubNow(), ms + 500 * (max - min));
    query.set('from', iso(1000 * Math.floor(end / 1000 - (max - min))));
    query.set('to', iso(1000 * Math.floor(end / 1000)));
  }
  return `?${query}`.replaceAll('%3A', ':');
}

export function travel(search, again = false) {
  if (!past) {
    if (document.activeElement?.id === 'scrub') sessionStorage.setItem(KEPT, '1');
    return location.assign(search);
  }
  history[again ? 'replaceState' : 'pushState'](null, '', search);
  load(search);
}

async function load(search) {
  wanted = search;
  if (running) return;
  running = true;
  const busy = setTimeout(() => $('proc-table').setAttribute('aria-busy', 'true'), SLOW);
  while (wanted) {
    const now = wanted;
    wanted = null;
    try { await bring(now); } catch { document.dispatchEvent(new CustomEvent('htmx:sendError')); }
  }
  clearTimeout(busy);
  $('proc-table').removeAttribute('aria-busy');
  running = false;
  const next = step;
  step = '';
  if (next) to(next);
}

async function bring(search) {
  const query = new URLSearchParams(search), at = Date.parse(query.get('at'));
  const here = stretch(query) === drawn && inside($('scrub'), at);
  const answer = await fetch(`then/${search}${here ? '' : '&lanes=1'}`);
  if (!answer.ok || answer.redirected) return location.assign(search);
  const html = await answer.text();
  if (dragging && wanted) return;
  drawn = stretch(query);
  swap(html);
}

/* Where the playhead stands, before the hub has answered. */
function place(ms) {
  const scrub = $('scrub'), share = Math.min(1, Math.max(0, (ms / 1000 - scrub.min) / (scrub.max - scrub.min)));
  const x = `${(100 * share).toFixed(2)}%`, flag = $('flag'), [box, text] = flag.children;
  flag.setAttribute('x', x);
  for (const mark of [flag, $('head')]) mark.removeAttribute('visibility');
  for (const end of ['x1', 'x2']) $('head').setAttribute(end, x);
  $('after')?.setAttribute('x', x);
  $('after')?.setAttribute('width', `${(100 - 100 * share).toFixed(2)}%`);
  box.setAttribute('x', share < .05 ? 0 : share > .95 ? -72 : -36);
  text.setAttribute('x', share < .05 ? 36 : share > .95 ? -36 : 0);
  text.textContent = clockTime(ms);
  scrub.setAttribute('aria-valuetext', clockTime(ms));
}

/* The moment as the page shows it, in the reader's zone. */
function settle() {
  const scrub = $('scrub'), {start, end} = $('lanes').dataset;
  Object.assign(scrub, {disabled: false, min: start, max: end});  // while it has the focus no swap touches it
  if (past && !dragging && !wanted) {
    scrub.value = shown() / 1000;
    if (!$('flag').hasAttribute('visibility')) place(shown());
    document.title = document.title.replace(/\[[^\]]*\]/, `[${clockTime(shown())}]`);
  }
  for (const field of document.querySelectorAll('[data-moment]')) {
    if (field === document.activeElement || field.id === 'with' && !field.dataset.moment) continue;
    if (field.id !== 'moment' && field.pmShown === field.dataset.moment) continue;  // what was typed since stays
    field.pmShown = field.dataset.moment;
    const ms = field.id === 'moment' ? shown() : Date.parse(field.dataset.moment);
    field.value = new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
  }
}

function to(name) {
  if (running) { step = name; return; }
  const link = document.querySelector(`#asof [data-step=${name}]`);
  if (link) travel(link.getAttribute('href'));
  else if (!past && name === 'previous') travel(address(hubNow() - 10000));
}

/* The marks of commands and services on the timeline, as moments. */
function event(way) {
  const {min, max} = $('scrub'), at = shown(), least = (max - min) * 0.1;
  const all = [...document.querySelectorAll('#lanes .thin a > svg')].map(mark => min * 1000 + (max - min) * parseFloat(mark.getAttribute('x')) * 10);
  const found = all.filter(ms => way * (ms - at) > least).sort((a, b) => way * (a - b))[0];
  if (found) travel(address(Math.ceil(found / 1000) * 1000));
}

document.addEventListener('input', ({target}) => {
  if (target.id !== 'scrub') return;
  place(target.value * 1000);
  if (past) travel(address(target.value * 1000), dragging);
  dragging = true;
});
document.addEventListener('change', ({target}) => {
  if (target.id !== 'scrub') return;
  dragging = false;
  travel(address(target.value * 1000), true);
});

const KEYS = {
  ArrowLeft: () => to('previous'), ArrowDown: () => to('previous'), ArrowRight: () => to('next'), ArrowUp: () => to('next'),
  PageUp: () => travel(address(shown() + PAGE_STEP * 1000)), PageDown: () => travel(address(shown() - PAGE_STEP * 1000)),
  '[': () => event(-1), ']': () => event(1),
};
document.addEventListener('keydown', pressed => {
  if (pressed.ctrlKey || pressed.metaKey || pressed.altKey) return;
  const on = pressed.target;
  if (on.id === 'scrub' && KEYS[pressed.key]) { pressed.preventDefault(); KEYS[pressed.key](); }
  const free = on.id === 'scrub' || !on.matches('input, textarea, select');
  if (pressed.key === 'Escape' && past && free && !$('pick') && !document.querySelector('dialog[open], details.menu[open]')) document.querySelector('[data-key=l]').click();
}, true);

document.addEventListener('click', clicked => {
  if (clicked.ctrlKey || clicked.metaKey || clicked.shiftKey || clicked.button) return;
  const link = clicked.target.closest('a'), plot = clicked.target.closest('#lanes .plot');
  if (past && link && 'travel' in link.dataset) { clicked.preventDefault(); travel(link.getAttribute('href')); }
  if (past && link?.closest('#range') && link.id !== 'explain' && !link.hasAttribute('download')) {
    const query = new URLSearchParams(link.search);
    query.set('at', iso(shown()));
    clicked.preventDefault();
    travel(`?${query}`.replaceAll('%3A', ':'));
  }
  if (link || !plot) return;
  const {left, width} = plot.getBoundingClientRect(), {min, max} = $('scrub');
  travel(address(1000 * Math.round(Number(min) + (max - min) * (clicked.clientX - left) / width)));
});

/* A clock field is in the reader's zone, an address in UTC. */
document.addEventListener('formdata', ({target, formData}) => {
  for (const field of target.querySelectorAll('[data-moment]')) {
    if (field.value) formData.set(field.name, iso(new Date(field.value).getTime()));
    else formData.delete(field.name);
  }
});
document.addEventListener('submit', submitted => {
  const field = $('moment');
  if (!past || submitted.target.id !== 'moment-form' || !field.value) return;
  submitted.preventDefault();
  field.blur();
  travel(address(new Date(field.value).getTime()));
});

addEventListener('popstate', () => past && new URLSearchParams(location.search).get('at') ? load(location.search) : location.reload());
document.addEventListener('pm:swapped', settle);
document.addEventListener('htmx:load', settle);
document.addEventListener('htmx:beforeSwap', ({target, detail}) => {
  if (target.id === 'lanes' && (dragging || document.activeElement === $('scrub'))) detail.shouldSwap = false;
});
settle();
if (sessionStorage.getItem(KEPT)) {
  sessionStorage.removeItem(KEPT);
  $('scrub').focus();
}
