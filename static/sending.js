/* Signals: a row's link opens its confirmation as a dialog; there, only what the chosen signal needs is asked for. */
document.getElementById('procs')?.addEventListener('click', event => {
  const link = event.target.closest('a.btn');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !window.htmx) return;
  event.preventDefault();
  if (document.body.dataset.link !== 'offline') window.htmx.ajax('GET', link.href, {source: link, target: '#confirm', swap: 'innerHTML'});
});

function choose(form) {
  const chosen = form.querySelector('[name=do]:checked'), button = form.querySelector('[value=run]');
  for (const field of form.querySelectorAll('[data-when]')) field.hidden = field.dataset.when !== chosen.value;
  for (const plain of form.querySelectorAll('[data-plain]')) plain.hidden = true;
  form.querySelector('#do-h').textContent = chosen.dataset.hint;
  form.querySelector('[data-says]').textContent = chosen.dataset.button;
  button.classList.toggle('danger', 'danger' in chosen.dataset);
  button.classList.toggle('primary', !('danger' in chosen.dataset));
}

const started = from => { for (const form of from.querySelectorAll('[data-sending]')) if (form.elements.do) choose(form); };
document.addEventListener('change', event => { if (event.target.matches('[data-sending] [name=do]')) choose(event.target.form); });
document.addEventListener('htmx:afterSwap', event => started(event.target));
started(document);
