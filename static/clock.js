/* Times on the page: ages tick by the hub's clock, absolute times are told in the reader's own zone and language. */
const body = document.body, said = document.documentElement.lang || 'en';
const lang = said === 'en' ? 'en-GB' : said;  // Sun 22 Nov 2026, as the hub writes it
const loaded = performance.getEntriesByType('navigation')[0]?.responseStart ?? 0;
const offset = Number(body.dataset.now || Date.now()) - (performance.timeOrigin + loaded);
const [S, MIN, H, D] = (body.dataset.units || 's min h d').split(' ');
const time = new Intl.DateTimeFormat(lang, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
const full = new Intl.DateTimeFormat(lang, {weekday: 'short', day: 'numeric', month: 'short', year: 'numeric',
  hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short'});
const minute = new Intl.DateTimeFormat(lang, {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'});
const day = new Intl.DateTimeFormat(lang, {weekday: 'short', day: 'numeric', month: 'short', year: 'numeric'});
const short = new Intl.DateTimeFormat(lang, {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23'});
const date = new Intl.DateTimeFormat(lang, {day: 'numeric', month: 'short'});
const FORMS = {time, full, day, short};
const zone = full.formatToParts(Date.now()).find(part => part.type === 'timeZoneName').value;
const whole = new Intl.NumberFormat(lang);

export const hubNow = () => Date.now() + offset;
export const clockTime = ms => time.format(ms);
export const fullTime = ms => full.format(ms);
export const shortTime = ms => short.format(ms);
export const number = (value, decimals) => value.toLocaleString(lang, {minimumFractionDigits: decimals, maximumFractionDigits: decimals});

export function spanWords(ms) {
  const s = Math.max(0, ms / 1000);
  const [count, unit] = s < 60 ? [s, S] : s < 3600 ? [s / 60, MIN] : s < 86400 ? [s / 3600, H] : [s / 86400, D];
  return `${whole.format(Math.floor(count))} ${unit}`;
}

/* 12:34, 1:02:03 */
function left(ms) {
  const s = Math.max(0, Math.floor(ms / 1000)), two = value => String(value).padStart(2, '0'), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function ages() {
  const now = hubNow();
  for (const element of document.querySelectorAll('time[data-age]')) {
    const words = spanWords(now - Date.parse(element.dateTime));
    write(element, element.dataset.age === 'ago' ? body.dataset.ago.replace('{}', words) : words);
  }
  for (const element of document.querySelectorAll('time[data-until]')) write(element, left(Date.parse(element.dateTime) - now));
}

/* The hub writes absolute times in UTC, for pages without scripts. */
function zones() {
  for (const element of document.querySelectorAll('time[data-age], time[data-at], time[data-until], time[data-then]')) {
    if (element.pmSaid === element.dateTime + element.title) continue;
    const when = Date.parse(element.dateTime);
    element.title = full.format(when);
    if ('at' in element.dataset) write(element, (FORMS[element.dataset.at] || time).format(when));
    element.pmSaid = element.dateTime + element.title;
  }
  for (const mark of document.querySelectorAll('[data-clock]')) write(mark, minute.format(Date.parse(mark.dataset.clock)));
  for (const mark of document.querySelectorAll('[data-day]')) write(mark, date.format(Date.parse(mark.dataset.day)));
  for (const name of document.querySelectorAll('[data-zone]')) write(name, zone);
  for (const field of document.querySelectorAll('[data-zone-name]')) field.value = full.resolvedOptions().timeZone;
}

export function start() {
  const both = () => { zones(); ages(); };
  both();
  document.addEventListener('pm:swapped', both);
  document.addEventListener('htmx:load', both);
  setInterval(ages, 1000);
}
