/* The list keeps the reader's order: it only says when another sort would look different now, and when servers were added. */
const table = document.querySelector('table[data-sort]'), list = document.getElementById('servers');
const totals = () => Number(document.getElementById('totals')?.dataset.servers || 0);
const PLACES = {status: 0, cpu: 1, mem: 2, load: 3, uptime: 4};  // in data-order
const place = PLACES[table?.dataset.sort], down = table?.dataset.largestFirst === '1', atFirst = totals();

const value = row => { const said = row.dataset.order.split(' ')[place]; return said === '-' ? NaN : Number(said); };

function inOrder() {
  let last = NaN;
  for (const row of list.rows) {
    const now = value(row);
    if (down ? now > last : now < last) return false;
    if (Number.isNaN(last) && !Number.isNaN(now) && row !== list.rows[0] && row.previousElementSibling && Number.isNaN(value(row.previousElementSibling))) return false;
    last = now;
  }
  return true;
}

let due = 0;
function look() {
  due = 0;
  if (place !== undefined) document.getElementById('reorder').hidden = inOrder();
  document.getElementById('newer').hidden = totals() <= atFirst;
}
document.addEventListener('pm:swapped', () => { due ||= setTimeout(look, 200); });

/* Rows that moved between two screens of the list may come twice. */
document.addEventListener('htmx:oobBeforeSwap', event => {
  if (event.detail.target !== list) return;
  for (const row of event.detail.fragment.querySelectorAll('tr[id]')) if (document.getElementById(row.id)) row.remove();
});
