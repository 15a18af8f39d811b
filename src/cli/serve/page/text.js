// Numbers and states in words, and what is said to screen readers.

export const $ = (id) => document.getElementById(id);

/** Makes an element with a class and children, texts among them. */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** "71.1%"; a score that would be rounded to nothing or to certainty is not. */
export function percent(score) {
  const share = 100 * score;
  if (share > 0 && share < 0.1) return '<0.1%';
  if (share < 100 && share >= 99.95) return '>99.9%';
  return `${share.toFixed(share >= 100 ? 0 : 1)}%`;
}

export function milliseconds(ms) {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(0)} s`;
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
}

export function bytes(n) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit += 1;
  }
  return `${unit && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

const numbers = new Intl.NumberFormat('en');

/** "1 picture", "1,000 pictures". */
export function count(n, noun) {
  return `${numbers.format(n)} ${noun}${n === 1 ? '' : 's'}`;
}

/** ImageNet's labels are lists of synonyms; the first one is what people read. */
export function firstName(label) {
  return label.split(', ')[0];
}

/** What a row says of an item that has no label. */
export function stateOf(item) {
  if (item.state === 'failed') return item.error.message;
  if (item.state === 'done') return item.predictions.length ? item.predictions[0].label : 'no label is likely enough';
  return { waiting: 'waiting', running: 'asking', stopped: 'not asked' }[item.state];
}

let last = 0;
let timer = 0;

/**
 * Has screen readers say something when they have time. What comes in quick succession replaces
 * what was not said yet, so that a folder doesn't talk without end.
 */
export function say(text, apart = 400) {
  clearTimeout(timer);
  const wait = Math.max(50, last + apart - performance.now());
  timer = setTimeout(() => {
    last = performance.now();
    $('said').textContent = text;
  }, wait);
}
