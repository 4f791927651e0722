/* The search's times are the reader's own on the page, and UTC in the address; what was not chosen stays out of it. */
const form = document.getElementById('find');
const two = value => String(value).padStart(2, '0');

function local(ms) {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

for (const field of form.querySelectorAll('[data-moment]')) {
  const given = field.dataset.moment, ms = Date.parse(/^\d+-\d+-\d+T[\d:.]+$/.test(given) ? `${given}Z` : given);
  if (!Number.isNaN(ms)) field.value = local(ms);
}

form.addEventListener('formdata', ({formData}) => {
  const when = formData.get('when'), wanted = {at: ['at'], between: ['from', 'to']}[when] || [];
  for (const name of ['at', 'from', 'to']) {
    const said = formData.get(name);
    if (said && wanted.includes(name)) formData.set(name, new Date(said).toISOString().replace('.000', ''));
    else formData.delete(name);
  }
  if (!formData.get('where')) formData.delete('where');
  if (when === 'now') formData.delete('when');
});

/* A choice that needs no more said searches at once. */
form.addEventListener('change', ({target}) => {
  if (target.name === 'when' && !['at', 'between'].includes(target.value) && form.elements.q.value.trim()) form.requestSubmit();
});
