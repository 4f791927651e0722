/* Filters a table's rows as one types: [data-filter=ID] is the box of the tbody with that id, [data-only=STATE] a choice
   beside it. What an update brings is filtered before it is painted. */
for (const box of document.querySelectorAll('[data-filter]')) filter(box, document.getElementById(box.dataset.filter));

function filter(box, body) {
  const panel = box.closest('.panel'), none = document.getElementById(`${body.id}-none`);
  const choices = [...panel.querySelectorAll('[data-only]')];
  let only = '';

  function apply() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of body.rows) {
      const out = only && row.dataset.state !== only || words.length && !mentions(row, words);
      if (row.hidden !== Boolean(out)) row.hidden = Boolean(out);
      if (!out) shown += 1;
    }
    none.hidden = shown > 0 || !body.rows.length;
    const chosen = only && choices.find(choice => choice.dataset.only === only).textContent.toLowerCase();
    none.querySelector('[data-words]').textContent = [box.value.trim(), chosen].filter(Boolean).join(' ');
  }

  box.addEventListener('input', apply);
  panel.addEventListener('click', event => {
    const choice = event.target.closest('[data-only]'), clear = event.target.closest('[data-clear]');
    if (choice) only = choice.dataset.only;
    else if (clear) { box.value = ''; only = ''; box.focus(); }
    else return;
    event.preventDefault();
    for (const each of choices) each.dataset.only === only ? each.setAttribute('aria-current', 'true') : each.removeAttribute('aria-current');
    apply();
  });
  new MutationObserver(apply).observe(body, {childList: true, subtree: true, characterData: true});
  document.addEventListener('pm:swapped', apply);   // a row that came unchanged came without its hidden
  only = choices.find(choice => choice.hasAttribute('aria-current'))?.dataset.only ?? '';
  apply();
}

/* Names and command lines, as far as a reader would search them; numbers that move are left out. */
function mentions(row, words) {
  const text = [...row.cells].filter(cell => !cell.querySelector('.metric')).map(cell => cell.title + ' ' + cell.textContent).join(' ');
  const titled = [...row.querySelectorAll('th [title]')].map(part => part.title).join(' ');
  const all = `${text} ${titled}`.toLowerCase();
  return words.every(word => all.includes(word));
}
