/* The confirmation: htmx loads it into #confirm, this opens it as a dialog and brings focus back where it came from. */
const dialog = document.getElementById('confirm');
let opener = null, row = '';

dialog.addEventListener('htmx:afterSwap', event => {
  if (event.target !== dialog) return;
  window.htmx.process(dialog);   // now: htmx itself would wait until an Enter could slip through as a plain request
  if (!dialog.open) {
    opener = document.activeElement;
    row = opener?.closest('tr')?.id;
    dialog.showModal();
  }
  (dialog.querySelector('[aria-invalid]') || dialog.querySelector('#confirm-problem') || dialog.querySelector('[autofocus]'))?.focus();
});

/* What asks for a name to be typed can be confirmed when it is; without this script the hub says so. */
function must() {
  const typed = dialog.querySelector('[data-must]');
  if (typed) dialog.querySelector('[value=run]').disabled = typed.value.trim() !== typed.dataset.must;
}
dialog.addEventListener('input', must);
dialog.addEventListener('htmx:afterSwap', must);

dialog.addEventListener('click', event => {
  if (event.target.closest('[data-close]')) { event.preventDefault(); dialog.close(); }
});

dialog.addEventListener('close', () => {
  dialog.replaceChildren();
  const button = opener?.isConnected ? opener : document.getElementById(opener?.id || 'none');
  const here = button || row && ['a.status', 'a'].map(link => document.querySelector(`#${CSS.escape(row)} ${link}`)).find(Boolean);
  here?.focus({preventScroll: true});
});

document.body.addEventListener('pm:asked', () => dialog.close());
