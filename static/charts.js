/* Pointing at the timeline: a line across all lanes with the time and each lane's values at it, and a drag that zooms
   into a stretch. The values come with the lanes ([data-values]); nothing is asked for while the pointer moves. */
import {clockTime, number, shortTime} from './clock.js';
import {iso, travel} from './past.js';

const $ = id => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg', FEW = 6, A_DAY = 86400;  // pixels, seconds
const told = new WeakMap();      // a lane -> its values as they came, and read
let begun = null, picked = false;

function made(name, attributes, ...inside) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function values(lane) {
  const text = lane.dataset.values;
  if (told.get(lane)?.text !== text) told.set(lane, {text, ...JSON.parse(text)});
  return told.get(lane);
}

/* The step at a moment, or the nearest with a value that the curve is drawn through. */
function at(column, seconds) {
  const {first, step, hold} = $('lanes').dataset, place = Math.floor((seconds - first) / step);
  for (let by = 0; by * step <= hold; by++) for (const near of [place - by, place + by]) if (column[near] != null) return near;
  return -1;
}

function words(lane, seconds) {
  const {unit, decimals, series} = values(lane), said = value => number(value, decimals);
  const parts = series.map(([name, css, mean, least, most]) => {
    const place = at(mean, seconds);
    if (place < 0) return null;
    const spread = least && !name ? ` (${said(least[place])}–${said(most[place])})` : '';
    return [name ? `${name} ${said(mean[place])}` : `${said(mean[place])}${unit}${spread}`, name ? css : null];
  }).filter(Boolean);
  if (parts.length && series[0][0]) parts.at(-1)[0] += unit;
  return parts;
}

/* Where a pointer is in time, and where the lanes are drawn. */
function pointed(clientX) {
  const {left, top} = $('lanes').getBoundingClientRect(), plot = document.querySelector('#lanes .plot').getBoundingClientRect();
  const {min, max} = $('scrub'), x = Math.min(plot.width, Math.max(0, clientX - plot.left));
  return {x, seconds: Number(min) + (max - min) * x / plot.width, width: plot.width, long: max - min > A_DAY, left, top};
}

function cross(clientX) {
  $('cross')?.remove();
  const {x, seconds, width, long, top} = pointed(clientX);
  const group = made('g', {id: 'cross', 'font-size': 11, fill: 'var(--ink)', stroke: 'var(--panel)', 'stroke-width': 3, 'paint-order': 'stroke'});
  group.append(made('line', {x1: x, x2: x, y2: '100%', stroke: 'var(--ink-2)', 'stroke-width': 1}));
  document.querySelector('#lanes .overlay').append(group);
  const write = (y, ...inside) => {
    const text = made('text', {y}, ...inside), right = x > width / 2;
    group.append(text);
    const length = text.getComputedTextLength();
    text.setAttribute('x', right ? Math.max(0, x - length - 6) : Math.min(width - length, x + 6));
  };
  write(20, made('tspan', {'font-weight': 600, 'data-time': ''}, (long ? shortTime : clockTime)(1000 * seconds)));
  for (const lane of document.querySelectorAll('#lanes [data-values]')) {
    const parts = words(lane, seconds).map(([text, css], place) =>
      made('tspan', css === null ? {'font-weight': 600} : {class: css, fill: 'var(--series, var(--accent))'}, (place ? ' · ' : '') + text));
    if (parts.length) write(lane.querySelector('.plot').getBoundingClientRect().top - top + 13, ...parts);
  }
}

function pick(clientX) {
  const here = pointed(clientX).x, rect = $('pick') || made('rect', {id: 'pick', height: '100%', fill: 'var(--accent)', opacity: .18});
  rect.setAttribute('x', Math.min(begun.x, here));
  rect.setAttribute('width', Math.abs(begun.x - here));
  document.querySelector('#lanes .overlay').append(rect);
}

function zoom(from, to) {
  const query = new URLSearchParams(location.search);
  query.delete('range');
  query.set('from', iso(1000 * Math.floor(from)));
  query.set('to', iso(1000 * Math.ceil(to)));
  travel(`?${query}`.replaceAll('%3A', ':'));
}

function over() {
  $('cross')?.remove();
  $('pick')?.remove();
  begun = null;
}

document.addEventListener('pointerdown', pressed => {
  picked = false;
  if (pressed.button || !pressed.isPrimary || !pressed.target.closest('#lanes .plot') || pressed.target.closest('a')) return;
  begun = {clientX: pressed.clientX, ...pointed(pressed.clientX)};
});
document.addEventListener('pointermove', moved => {
  if (begun && Math.abs(moved.clientX - begun.clientX) > FEW) picked = true;
  if (begun && picked) pick(moved.clientX);
  if (begun || moved.target.closest?.('#lanes .plot, #lanes .scrub')) cross(moved.clientX);
  else $('cross')?.remove();
});
document.addEventListener('pointerup', released => {
  const ends = begun && picked && [begun.seconds, pointed(released.clientX).seconds].sort((a, b) => a - b);
  over();
  if (ends) zoom(...ends);
});
document.addEventListener('pointercancel', over);
document.addEventListener('selectstart', event => begun && event.preventDefault());
/* The click that ends a drag goes nowhere; Escape gives a drag up. */
document.addEventListener('click', clicked => {
  if (picked && clicked.target.closest('#lanes')) { clicked.preventDefault(); clicked.stopImmediatePropagation(); }
  picked = false;
}, true);
document.addEventListener('keydown', pressed => {
  if (pressed.key !== 'Escape' || !begun) return;
  pressed.stopImmediatePropagation();
  over();
}, true);

async function png() {
  const image = new Image();
  image.src = $('svg-file').href;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), {width: 2 * image.width, height: 2 * image.height});
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  const link = Object.assign(document.createElement('a'), {download: `${document.querySelector('h1').textContent}.png`});
  link.href = URL.createObjectURL(await new Promise(done => { canvas.toBlob(done, 'image/png'); }));
  link.click();
  URL.revokeObjectURL(link.href);
}
document.addEventListener('click', ({target}) => {
  if (target.closest('#png-file')) png().catch(() => document.dispatchEvent(new CustomEvent('htmx:sendError')));
});

const offer = () => { $('png-file').hidden = false; };
document.addEventListener('pm:swapped', offer);
document.addEventListener('htmx:load', offer);
document.addEventListener('htmx:beforeSwap', ({target, detail}) => { if (target.id === 'lanes' && begun) detail.shouldSwap = false; });
document.addEventListener('htmx:oobBeforeSwap', ({detail}) => {
  if (detail.target.id === 'range' && ($('span').open || $('range').contains(document.activeElement))) detail.shouldSwap = false;
});
offer();
