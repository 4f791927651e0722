/* The process table: sorted by a column, as a list or as a tree of parents and children. It sorts itself again after
   each update, unless somebody is at it: pointer or focus inside, or text selected there. */
const table = document.getElementById('proc-table'), body = document.getElementById('procs');
const wrap = table.closest('.table-wrap'), panel = table.closest('.panel');
const heads = [...table.querySelectorAll('th[data-sort]')];
const whole = Number(table.dataset.wholeMb) || 0;
const DEEPEST = 6;
const collator = new Intl.Collator(document.documentElement.lang, {numeric: false, sensitivity: 'base'});
let tree = false, due = false;

/* A row's values. CPU is written with one decimal and memory with none, in any language: the digits say it all. */
const digits = element => { const said = element?.textContent.replace(/\D/g, ''); return said ? Number(said) : -1; };
const cell = (row, name) => row.cells[heads.findIndex(head => head.dataset.sort === name)];
const values = {
  cpu: row => digits(cell(row, 'cpu').querySelector('.metric > span')),
  mem: row => digits(cell(row, 'mem').querySelector('.metric > span')),
  pid: row => Number(row.id.split('-')[1]),
  threads: row => digits(cell(row, 'threads')),
  start: row => Date.parse(cell(row, 'start').querySelector('time')?.dateTime) || 0,
};
const valueOf = name => values[name] || (row => cell(row, name).textContent);

function order() {
  const head = heads.find(each => each.hasAttribute('aria-sort')), value = valueOf(head.dataset.sort);
  const way = head.getAttribute('aria-sort') === 'descending' ? -1 : 1;
  const rows = [...body.rows].map(row => [row, value(row)]);
  rows.sort(([, a], [, b]) => way * (typeof a === 'number' ? a - b : collator.compare(a, b)));
  return rows.map(([row]) => row);
}

/* Children under their parents, each family in the chosen order. A row whose parent is not shown is a root. */
function branches(rows) {
  const byPid = new Map(rows.map(row => [row.id.split('-')[1], row])), children = new Map(), roots = [];
  for (const row of rows) {
    const parent = byPid.get(row.dataset.parent);
    if (!parent || parent === row) roots.push(row);
    else if (children.has(parent)) children.get(parent).push(row);
    else children.set(parent, [row]);
  }
  const done = new Map();
  const walk = (row, depth) => {
    if (done.has(row)) return;
    done.set(row, depth);
    for (const child of children.get(row) || []) walk(child, depth + 1);
  };
  for (const row of roots) walk(row, 0);
  for (const row of rows) walk(row, 0);   // a circle of parents, which a reused PID can make
  return done;
}

function indent(row, depth) {
  const said = depth ? String(Math.min(depth, DEEPEST)) : undefined;
  if (row.dataset.pmDepth !== said) said ? row.dataset.pmDepth = said : delete row.dataset.pmDepth;
}

function sort() {
  due = false;
  const rows = order(), depths = tree ? branches(rows) : null, wanted = depths ? [...depths.keys()] : rows;
  for (const row of rows) indent(row, depths?.get(row));
  move(wanted);
  observer.takeRecords();
}

/* Brings the rows into this order and moves as few as can be: laying out a row that stays costs nothing. */
function move(wanted) {
  const places = new Map([...body.rows].map((row, place) => [row, place]));
  const stay = longestRise(wanted.map(row => places.get(row)));
  let after = null;
  for (let place = wanted.length - 1; place >= 0; place -= 1) {
    if (!stay.has(place)) body.insertBefore(wanted[place], after);
    after = wanted[place];
  }
}

/* Which entries, by their index, make up the longest rising subsequence. */
function longestRise(numbers) {
  const tails = [], before = [];
  numbers.forEach((number, index) => {
    let low = 0, high = tails.length;
    while (low < high) { const middle = low + high >> 1; numbers[tails[middle]] < number ? low = middle + 1 : high = middle; }
    before[index] = low ? tails[low - 1] : -1;
    tails[low] = index;
  });
  const kept = new Set();
  for (let index = tails.at(-1) ?? -1; index >= 0; index = before[index]) kept.add(index);
  return kept;
}

function bars() {
  for (const row of body.rows) {
    bar(row, 'cpu', 10 * 100);
    bar(row, 'mem', whole);
  }
}

function bar(row, name, full) {
  const place = cell(row, name), svg = place.querySelector('.bar'), value = digits(place.querySelector('.metric > span'));
  if (row[`pm_${name}`] === value) return;
  row[`pm_${name}`] = value;
  if (value < 0 || !full) return svg.replaceChildren();
  let rect = svg.firstElementChild;
  if (!rect) { rect = svg.appendChild(document.createElementNS(svg.namespaceURI, 'rect')); rect.setAttribute('height', '100%'); }
  rect.setAttribute('width', `${Math.min(100, 100 * value / full).toFixed(1)}%`);
}

/* Asked for when it happens: asking at each update would lay the page out once more. */
let selecting = false;
document.addEventListener('selectionchange', () => {
  const chosen = getSelection();
  selecting = !chosen.isCollapsed && body.contains(chosen.anchorNode);
});
const busy = () => wrap.matches(':hover') || wrap.contains(document.activeElement) || selecting;

function updated() {
  bars();
  if (busy()) due = true;
  else sort();
  observer.takeRecords();
}

const observer = new MutationObserver(updated);
observer.observe(body, {childList: true, subtree: true, characterData: true});
for (const left of ['pointerleave', 'focusout']) wrap.addEventListener(left, () => setTimeout(() => { if (due && !busy()) sort(); }));

table.tHead.addEventListener('click', event => {
  const head = event.target.closest('a') && event.target.closest('th[data-sort]');
  if (!head) return;
  event.preventDefault();
  const now = head.getAttribute('aria-sort'), first = head.dataset.first || 'ascending';
  const turned = now === 'descending' ? 'ascending' : 'descending';
  for (const each of heads) each.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', now ? turned : first);
  wrap.scrollTop = 0;
  sort();
});

panel.addEventListener('click', event => {
  const button = event.target.closest('[data-layout]');
  if (!button) return;
  tree = button.dataset.layout === 'tree';
  for (const each of panel.querySelectorAll('[data-layout]')) each.setAttribute('aria-pressed', String(each === button));
  sort();
});

bars();
