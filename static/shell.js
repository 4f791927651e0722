/* What every page does: theme, dialogs, menus, copying, the keyboard, the palette, failed requests. */
import {clockTime, start as startClock} from './clock.js';

const root = document.documentElement;
const $ = (selector, from = document) => from.querySelector(selector);

function open(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.dispatchEvent(new CustomEvent(`${id}-open`));
}

/* The cookie makes the next page right from its first byte; here the change is at once. */
function switchTheme(button) {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  const form = new FormData(button.form);
  form.set('theme', root.dataset.theme);
  fetch(button.form.action, {method: 'POST', body: form, headers: {'X-Requested-With': 'fetch'}});
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy), word = $('span', button);
  try { await navigator.clipboard.writeText(source.textContent); }
  catch { getSelection().selectAllChildren(source); document.execCommand('copy'); }  // no clipboard over plain http
  const was = word.textContent;
  word.textContent = button.dataset.copied;
  setTimeout(() => { word.textContent = was; }, 1500);
}

document.addEventListener('click', event => {
  const menu = $('details.menu[open]');
  if (menu && !menu.contains(event.target)) menu.open = false;
  if (event.target.matches('dialog[open]')) event.target.close();   // the backdrop
  const button = event.target.closest('button, a');
  if (!button) return;
  if ('themeToggle' in button.dataset) { event.preventDefault(); switchTheme(button); }
  if (button.dataset.open) { event.preventDefault(); open(button.dataset.open); }
  if (button.dataset.copy) copy(button);
  if ('dismiss' in button.dataset) button.closest('.notice').remove();
});
document.addEventListener('change', event => {
  if (event.target.matches('form[data-auto] select')) event.target.form.requestSubmit();
  if ('replan' in event.target.dataset) {   // the plan that is shown is no longer the one that was asked for
    for (const act of document.querySelectorAll('[data-act]')) act.disabled = true;
    event.target.form.requestSubmit();
  }
  const says = event.target.selectedOptions?.[0].dataset.says;   // what the form's button does with this choice
  if (says) $('[value=run]', event.target.form).lastChild.data = says;
  if (event.target.matches('[data-single-keys]')) localStorage.setItem('pm-single-keys', event.target.checked ? 'on' : 'off');
});

/* Keyboard */
const keysOn = () => { try { return localStorage.getItem('pm-single-keys') !== 'off'; } catch { return true; } };
let prefix = '', prefixAt = 0;

function step(by) {
  const rows = [...document.querySelectorAll('main tbody tr')].filter(row => !row.hidden && $('a', row));
  const at = rows.findIndex(row => row.contains(document.activeElement));
  const row = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
  if (row) $('th a, a', row).focus();
}

const KEYS = {
  '/': () => $('main [type=search]')?.focus(),
  j: () => step(1),
  k: () => step(-1),
  r: () => $('#reorder:not([hidden])')?.click(),
  l: () => $('[data-key=l]')?.click(),
  t: () => $('#moment')?.focus(),
  '?': () => open('keys'),
};

document.addEventListener('keydown', event => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); return open('palette'); }
  if (event.key === 'Escape') { const menu = $('details.menu[open]'); if (menu) { menu.open = false; $('summary', menu).focus(); } }
  if (event.target.matches('input, textarea, select, [contenteditable]') || event.ctrlKey || event.metaKey || event.altKey) return;
  if ($('dialog[open]') || !keysOn()) return;
  const key = event.key.toLowerCase(), pair = Date.now() - prefixAt < 1500 ? `${prefix} ${key}` : key;
  prefix = key; prefixAt = Date.now();
  const place = pair !== key && $(`.nav a[data-keys="${CSS.escape(pair)}"]`);
  if (place) return place.click();
  if (KEYS[key] && !event.repeat | 'jk'.includes(key)) { event.preventDefault(); KEYS[key](); }
});

/* Palette: arrows choose, Enter goes there; the list is fetched as one types. */
const palette = $('#palette');
function choose(by) {
  const options = [...palette.querySelectorAll('[data-href]')];
  if (!options.length) return $('input', palette).removeAttribute('aria-activedescendant');
  const now = options.findIndex(option => option.ariaSelected === 'true');
  const next = by ? (now + by + options.length) % options.length : 0;
  options.forEach((option, place) => { option.ariaSelected = String(place === next); });
  options[next].scrollIntoView({block: 'nearest'});
  $('input', palette).setAttribute('aria-activedescendant', options[next].id);
}
palette?.addEventListener('keydown', event => {
  if (event.key === 'Escape') { event.preventDefault(); palette.close(); }  // a search field would only be emptied
  const by = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (by) { event.preventDefault(); choose(by); }
  const chosen = event.key === 'Enter' && $('[aria-selected=true]', palette);
  if (chosen) { event.preventDefault(); location.assign(chosen.dataset.href); }
});
palette?.addEventListener('click', event => {
  const chosen = event.target.closest('[data-href]');
  if (chosen) location.assign(chosen.dataset.href);
});
palette?.addEventListener('htmx:afterSwap', () => choose(0));

/* A request that failed is said, not swallowed. */
function failed(status) {
  $('#request-failed')?.remove();
  const notice = $(status ? '#error-notice' : '#silence-notice').content.cloneNode(true);
  ($('dialog[open] .dialog-body') || $('#notices')).prepend(notice);
  if (status) $('#request-failed [data-status]').textContent = status;
  $('#request-failed time').textContent = clockTime(Date.now());
}
document.addEventListener('htmx:responseError', event => failed(event.detail.xhr.status));
document.addEventListener('htmx:sendError', ({detail}) => {
  if (!detail?.elt?.matches('[hx-trigger^=every]')) failed(0);  // nobody asked for what refreshes itself
});

startClock();
for (const box of document.querySelectorAll('[data-single-keys]')) box.checked = keysOn();
$('main form [aria-invalid]')?.focus();   // what is to be put right, first
