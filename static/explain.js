/* The stretch's times are the reader's own on the page, and UTC in the address. */
const form = document.getElementById('stretch');
const two = value => String(value).padStart(2, '0');

for (const field of form.querySelectorAll('[data-moment]')) {
  const given = field.dataset.moment, at = new Date(/^\d+-\d+-\d+T[\d:.]+$/.test(given) ? `${given}Z` : given);
  if (Number.isNaN(at.getTime())) continue;
  field.value = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

form.addEventListener('formdata', ({formData}) => {
  for (const name of ['from', 'to']) {
    const said = formData.get(name);
    if (said) formData.set(name, new Date(said).toISOString().replace('.000', ''));
  }
});
