/* New incidents, on every page: their number in the title and, for those who asked for it in this browser, a sound and a
   desktop notice, once however many tabs are open. What is new is told by #nav-incidents, which the page's socket keeps;
   an element with data-tell says by an event of that name when its version is another one. */
const $ = id => document.getElementById(id);
const KEPT = {sound: 'pm-alerts-sound', desktop: 'pm-alerts-desktop', told: 'pm-alerts-told'};
const PREFIX = /^\(\d+\+?\) /;
const versions = new Map();   // of what tells
let audio = null;

const kept = name => { try { return localStorage.getItem(KEPT[name]); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(KEPT[name], value); } catch { /* private mode: only for this page */ } };
const wants = name => kept(name) === 'on' && (name !== 'desktop' || window.Notification?.permission === 'granted');

function title(count) {
  const rest = document.title.replace(PREFIX, '');
  document.title = count ? `(${count > 99 ? '99+' : count}) ${rest}` : rest;
}

/* One tab at a time looks at what was told and says that it tells it now. Without locks (plain http) two tabs may both. */
function once(newest, tell) {
  const claim = () => {
    if (Number(kept('told')) >= newest) return;
    keep('told', newest);
    tell();
  };
  if (navigator.locks) navigator.locks.request('pm-alerts', claim); else claim();
}

function beep() {
  audio ||= new AudioContext();
  audio.resume();   // a page that was never pressed must stay silent: then this waits
  for (const [after, tone] of [[0, 880], [.18, 660]]) {
    const from = audio.currentTime + after, voice = audio.createOscillator(), loud = audio.createGain();
    voice.frequency.value = tone;
    loud.gain.setValueAtTime(.0001, from);
    loud.gain.exponentialRampToValueAtTime(.2, from + .02);
    loud.gain.exponentialRampToValueAtTime(.0001, from + .16);
    voice.connect(loud).connect(audio.destination);
    voice.start(from);
    voice.stop(from + .17);
  }
  document.dispatchEvent(new CustomEvent('pm:beep'));
}

function notice({severity, said, url, newest}) {
  const shown = new Notification(`${severity}: ${said}`, {tag: `pm-incident-${newest}`, icon: document.querySelector('link[rel=icon]').href});
  shown.onclick = () => { window.focus(); location.assign(url); shown.close(); };
}

function look() {
  const nav = $('nav-incidents');
  if (!nav) return;
  title(Number(nav.dataset.count));
  const newest = Number(nav.dataset.newest);
  if (newest && (wants('sound') || wants('desktop'))) once(newest, () => {
    if (wants('sound')) beep();
    if (wants('desktop')) notice(nav.dataset);
  });
}

function tell() {
  for (const element of document.querySelectorAll('[data-tell]')) {
    const before = versions.get(element.id), now = element.dataset.version;
    versions.set(element.id, now);
    if (before !== undefined && before !== now) document.dispatchEvent(new CustomEvent(element.dataset.tell));
  }
}

/* The choice, on the page of incidents. What is open when it is made is no news. */
async function choose(box) {
  const name = box.dataset.notice, menu = $('notices-menu');
  $('notices-say').textContent = '';
  if (box.checked && name === 'desktop' && await window.Notification?.requestPermission() !== 'granted') {
    box.checked = false;
    $('notices-say').textContent = menu.dataset.denied;
  }
  if (box.checked) keep('told', $('nav-incidents').dataset.newest);
  keep(name, box.checked ? 'on' : 'off');
  if (box.checked && name === 'sound') beep();
}

document.addEventListener('change', event => { if (event.target.matches('[data-notice]')) choose(event.target); });
for (const box of document.querySelectorAll('[data-notice]')) box.checked = wants(box.dataset.notice);

/* A row that was acknowledged has no button any more: its link has the focus then. */
document.addEventListener('htmx:afterSwap', ({target}) => {
  if (document.activeElement === document.body) target.closest?.('tr')?.querySelector('th a')?.focus({preventScroll: true});
});

document.addEventListener('pm:swapped', () => { look(); tell(); });
addEventListener('pageshow', look);
tell();
