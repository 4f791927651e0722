/* Brings HTML fragments into the page by id. A fragment is morphed into the element it replaces, so that focus, an open
   details, a selection and the scroll position survive. Nothing inside an open dialog is touched but a
   topic of the dialog's own.
   hx-swap-oob says where else: "delete" removes the element with that id; "beforeend:#list" (afterbegin, beforebegin,
   afterend) puts an element that has an id, or the children of one that has none, there; one that is there is morphed. What a parser would
   tear out of its place beside other elements (a tbody) comes in a template. */
const PLACES = new Set(['beforebegin', 'afterbegin', 'beforeend', 'afterend']);
let moved = [];

export function swap(html) {
  const parsed = document.createElement('template');
  parsed.innerHTML = html;
  moved = [];
  for (const next of [...parsed.content.children]) for (const each of next.matches('template') ? [...next.content.children] : [next]) place(each);
  flash();
  document.dispatchEvent(new CustomEvent('pm:swapped'));
}

function place(next) {
  const [how, selector] = (next.getAttribute('hx-swap-oob') || 'outerHTML').split(/:(.*)/);
  next.removeAttribute('hx-swap-oob');
  const here = next.id && document.getElementById(next.id);
  if (how === 'delete') return remove(selector ? document.querySelector(selector) : here);
  if (here) return locked(here) || arrive(here, next);
  const anchor = PLACES.has(how) && selector && document.querySelector(selector);
  if (anchor && !locked(anchor)) for (const element of next.id ? [next] : [...next.children]) insert(anchor, how, element);
}

/* In a [data-flash] a span that comes by itself comes because it moved; its hub spares the class. */
function arrive(here, next) {
  morph(here, next);
  if (here.matches('[data-flash] span')) moved.push(here);
}

function insert(anchor, how, element) {
  const here = element.id && document.getElementById(element.id);
  if (here) return morph(here, element);
  anchor.insertAdjacentElement(how, element);
  window.htmx?.process(element);
}

const locked = element => element.closest('dialog[open]') !== null && !element.closest('dialog [data-topic]');
const typing = element => element === document.activeElement && element.matches('input, select, textarea');

function remove(element) {
  if (!element || locked(element)) return;
  const next = element.contains(document.activeElement) && (element.nextElementSibling || element.previousElementSibling);
  element.remove();
  if (next) next.querySelector('a, button')?.focus({preventScroll: true});
}

function morph(old, next) {
  if (old.isEqualNode(next)) return;
  if (!alike(old, next)) { old.replaceWith(next); if (next.nodeType === 1) window.htmx?.process(next); return; }
  if (old.nodeType !== 1) { old.data = next.data; return; }
  if (old.matches('dialog[open]') || typing(old)) return;
  attributes(old, next);
  children(old, next);
}

const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || '') === (b.id || '');

function attributes(old, next) {
  const own = name => name === 'open' && old.nodeName === 'DETAILS' || name.startsWith('data-pm-');
  for (const {name} of [...old.attributes]) if (!next.hasAttribute(name) && !own(name)) old.removeAttribute(name);
  for (const {name, value} of next.attributes) if (old.getAttribute(name) !== value && !own(name)) old.setAttribute(name, value);
  if (next.classList.contains('changed')) moved.push(old);
}

function children(old, next) {
  const known = new Map([...old.children].filter(child => child.id).map(child => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    const here = child.id ? known.get(child.id) : at && !at.id && alike(at, child) ? at : null;
    if (!here) { old.insertBefore(child, at); if (child.nodeType === 1) window.htmx?.process(child); continue; }
    if (here === at) at = at.nextSibling; else old.insertBefore(here, at);
    morph(here, child);
  }
  while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
}

/* A class that is there already does not start its animation again; one reflow for all of them does. */
function flash() {
  for (const element of moved) element.classList.remove('changed');
  if (moved.length) void document.body.offsetWidth;
  for (const element of moved) element.classList.add('changed');
}
