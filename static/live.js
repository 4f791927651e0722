/* The page's socket. It tells the hub which topics the page shows ([data-topic], with the version it shows), swaps in the
   fragments that come, and says in #live how the connection is. Rows in a [data-watch=seen] list are watched only while
   they are on the screen, a server only while its page is: its agent reports more often meanwhile. Delivery is at most once: after a reconnect everything is sent again, and every minute what
   is older than the hub's. */
import {clockTime, fullTime, hubNow, spanWords} from './clock.js';
import {swap} from './swap.js';

const QUIET = 5000, DEAD = 15000, OFFLINE = 10000, REFRESH = 60000, SLOWEST = 15000;  // milliseconds
const state = document.getElementById('live'), body = document.body;
const seen = new Set();          // rows on the screen
const watched = new Map();       // topic -> the version this socket was told
let socket = null, tries = 0, heard = Date.now(), data = hubNow(), lostAt = Date.now(), nextAt = 0, waiting = 0, fresh = true;

const lists = new IntersectionObserver(entries => {
  for (const {target, isIntersecting} of entries) isIntersecting ? seen.add(target) : seen.delete(target);
  tell();
}, {rootMargin: '300px 0px'});

function wanted() {
  const topics = new Map();
  for (const element of document.querySelectorAll('[data-topic]')) {
    if (document.hidden && element.dataset.topic.startsWith('server:')) continue;
    const inList = element.closest('[data-watch=seen]');
    if (inList && !element.pmObserved) { element.pmObserved = true; lists.observe(element); }
    if (!inList || seen.has(element)) topics.set(element.dataset.topic, element.dataset.version || '');
  }
  return topics;
}

let told = 0;
function tell() {
  clearTimeout(told);
  told = setTimeout(() => say(wanted(), false), 100);
}

function say(topics, again) {
  if (socket?.readyState !== WebSocket.OPEN) return;
  const watch = {}, leave = [...watched.keys()].filter(topic => !topics.has(topic));
  for (const [topic, version] of topics) if (again || !watched.has(topic)) watch[topic] = fresh ? version : '';
  for (const topic of leave) watched.delete(topic);
  for (const topic of Object.keys(watch)) watched.set(topic, watch[topic]);
  if (leave.length || Object.keys(watch).length) socket.send(JSON.stringify({watch, leave}));
}

function connect() {
  clearTimeout(waiting);
  nextAt = 0;
  const mine = socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`);
  mine.onopen = () => { if (mine === socket) opened(); };
  mine.onmessage = event => { if (mine === socket) received(event.data); };
  mine.onclose = event => { if (mine === socket) closed(event.code); };
}

function opened() {
  tries = 0; lostAt = 0; heard = Date.now(); data = hubNow();
  watched.clear();
  online();
  say(wanted(), true);
  fresh = true;
}

function received(html) {
  heard = Date.now(); data = hubNow();
  if (html.trim()) swap(html);
}

function closed(code) {
  if (code === 4401) return location.reload();
  fresh = false;               // what happened meanwhile is not known: take everything again
  lostAt ||= Date.now();
  nextAt = Date.now() + Math.random() * Math.min(SLOWEST, 500 * 2 ** tries++) + 250;
  waiting = setTimeout(connect, nextAt - Date.now());
  show();
}

function tryNow() {
  if (socket) { socket.onclose = null; socket.close(); }
  connect();
}

function beat() {
  const silence = Date.now() - heard;
  if (socket?.readyState === WebSocket.OPEN) {
    if (silence > DEAD) { const dead = socket; dead.onclose = null; dead.close(); closed(1006); }
    else if (silence > QUIET - 1000) socket.send('{"alive":true}');
  } else if (socket?.readyState === WebSocket.CONNECTING && silence > DEAD && !waiting) tryNow();
  show();
}

/* What the reader sees of it */
function show() {
  if (!state) return;
  const away = lostAt ? Date.now() - lostAt : 0;
  const word = !lostAt ? 'live' : away < OFFLINE ? 'reconnecting' : 'offline';
  if (state.dataset.state !== word) {
    state.dataset.state = word;
    state.querySelector('use').setAttribute('href', '#g-' + word);
    state.querySelector('[role=status]').textContent = state.dataset['word' + word[0].toUpperCase() + word.slice(1)];
  }
  const age = state.querySelector('time');
  age.textContent = word === 'offline' ? clockTime(data) : spanWords(lostAt ? away : Date.now() - heard);
  age.title = fullTime(data);
  if (word === 'offline') offline();
}

function offline() {
  let notice = document.getElementById('offline');
  if (!notice) {
    document.getElementById('notices').prepend(document.getElementById('offline-notice').content.cloneNode(true));
    notice = document.getElementById('offline');
    notice.querySelector('[data-since]').textContent = clockTime(data);
    notice.querySelector('[data-try-now]').addEventListener('click', tryNow);
    body.dataset.link = 'offline';
    acts(false);
  }
  const next = notice.querySelector('[data-next]');
  next.hidden = !nextAt;
  next.querySelector('time').textContent = spanWords(nextAt - Date.now() + 999);
}

function online() {
  document.getElementById('offline')?.remove();
  delete body.dataset.link;
  acts(true);
  show();
}

/* Actions are off while offline; a link keeps its place but does nothing. */
function acts(on) {
  for (const element of document.querySelectorAll('[data-act]')) {
    if (on ? !('pmOff' in element.dataset) : element.disabled) continue;
    if (on) delete element.dataset.pmOff; else element.dataset.pmOff = '';
    if (element.matches('a')) on ? element.removeAttribute('aria-disabled') : element.setAttribute('aria-disabled', 'true');
    else element.disabled = !on;
  }
}
document.addEventListener('click', event => {
  if (event.target.closest('[data-act][aria-disabled=true]')) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);

if (state && body.dataset.time !== 'past') {
  document.addEventListener('pm:swapped', tell);
  document.addEventListener('htmx:load', tell);
  document.addEventListener('visibilitychange', tell);
  addEventListener('online', tryNow);
  addEventListener('pageshow', event => { if (event.persisted) tryNow(); });
  setInterval(beat, 1000);
  setInterval(() => say(wanted(), true), REFRESH);
  wanted();
  connect();
}
