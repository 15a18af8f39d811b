// What the page does: takes pictures in, has them answered, shows the answers.

import * as api from './api.js';
import { csv, save } from './csv.js';
import { listen } from './intake.js';
import { Queue } from './queue.js';
import { Table } from './table.js';
import { $, bytes, count, firstName, make, percent, say, stateOf } from './text.js';
import * as thumbs from './thumbs.js';
import { Viewer } from './viewer.js';

let items = [];
let number = 0;
let model = { rollup: false };
/** Pictures wait until the network is known: what may be asked depends on it. */
let ready = null;

const narrow = matchMedia('(max-width: 899px)');
const viewer = new Viewer();
const table = new Table(choose);
const queue = new Queue(changed);

// ---- Pictures in

function add(found) {
  if (found.length === 0) return;
  notice('');
  const fresh = found.map(({ file, path }) => {
    number += 1;
    return { id: number, file, path, state: 'waiting', predictions: [], group: null, timing: null, error: null };
  });
  const first = items.length === 0;
  items = items.concat(fresh);
  $('start').hidden = true;
  $('work').hidden = false;
  $('list').hidden = items.length < 2;
  $('filter').hidden = items.length < 9;
  $('panes').classList.toggle('several', items.length > 1);
  table.items = items;
  if (first) choose(fresh[0], null);
  ask(fresh);
  say(`${count(fresh.length, 'picture')} taken`);
}

/** Has items answered, once it is known what may be asked; not at all if there is no token. */
async function ask(wanted) {
  ready ??= meet();
  refresh();
  const allowed = await ready;
  const here = new Set(items);
  const still = wanted.filter((item) => here.has(item));
  if (allowed) queue.add(still);
  else for (const item of still) item.state = 'stopped';
  for (const item of still) viewer.answered(item);
  refresh();
}

listen(add, notice);

// ---- Answers out

function changed(item) {
  if (item && !items.includes(item)) return;
  if (item) viewer.answered(item);
  refresh();
}

let frame = 0;
let wasBusy = false;
let spoken = 0;

/** Counts, buttons and rows, once a frame however many answers came. */
function refresh() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    table.draw(true, !queue.busy);
    tell();
    steps();
  });
}

function tell() {
  const of = (state) => items.filter((item) => item.state === state).length;
  const [done, failed, stopped] = [of('done'), of('failed'), of('stopped')];
  const busy = queue.busy;
  const answered = done + failed;
  $('progress').max = Math.max(1, items.length);
  $('progress').value = answered;
  $('progress').hidden = !busy;
  const button = (name, shown) => {
    $('work').querySelector(`[data-do=${name}]`).hidden = !shown;
  };
  button('stop', busy);
  button('go-on', !busy && stopped > 0);
  button('retry', !busy && items.some((item) => item.error?.again));
  button('csv', answered > 0);
  const speed = (1000 * queue.answered) / (performance.now() - queue.begun);
  const parts = [];
  if (busy) {
    parts.push(`${answered} of ${count(items.length, 'picture')}`);
    if (queue.answered > 20) parts.push(`${speed.toFixed(0)} a second`);
  } else {
    parts.push(`${count(done, 'picture')} labelled`);
    if (failed) parts.push(`${failed} failed`);
    if (stopped) parts.push(`${stopped} not asked`);
  }
  $('tally').textContent = parts.join(' · ');
  document.title = busy ? `${answered}/${items.length} · mobilenet` : 'mobilenet: what pictures show';
  if (busy && performance.now() - spoken > 10_000 && answered > 0) {
    spoken = performance.now();
    say(`${answered} of ${items.length}`);
  } else if (wasBusy && !busy && items.length > 0) say(summary(parts));
  if (busy && !wasBusy) spoken = performance.now();
  wasBusy = busy;
}

function summary(parts) {
  if (items.length > 1) return parts.join(', ');
  const [item] = items;
  const said = stateOf(item);
  return item.state === 'done' && item.predictions.length > 0
    ? `${item.path}: ${firstName(said)}, ${percent(item.predictions[0].score)}`
    : `${item.path}: ${said}`;
}

/** Shows an item. `goOn`: 'labels' if they are to be focused, 'look' if they are to be seen. */
function choose(item, goOn) {
  viewer.show(item);
  table.select(item);
  requestAnimationFrame(steps);
  if (!goOn) return;
  // On a narrow screen the picture is beneath the list, out of sight.
  if (narrow.matches) $('viewer').scrollIntoView();
  if (goOn === 'labels') ($('labels').querySelector('button') ?? $('viewer')).focus({ preventScroll: narrow.matches });
  else say(`${item.path}: ${stateOf(item)}`);
}

function steps() {
  $('step').hidden = items.length < 2;
  for (const [name, step] of [['previous', -1], ['next', 1]]) {
    // Not `disabled`, which would lose the focus of whoever arrives at the end.
    $('step').querySelector(`[data-do=${name}]`).setAttribute('aria-disabled', String(!table.beside(viewer.item, step)));
  }
}

function step(by) {
  const item = table.beside(viewer.item, by);
  if (!item) return;
  choose(item, null);
  if ($('scroller').scrollHeight > $('scroller').clientHeight + 1) table.reveal(item);
  const [place, of] = table.place(item);
  say(`${item.path}, ${place} of ${of}: ${stateOf(item)}`);
}

function clear() {
  queue.stop();
  items = [];
  viewer.show(null);
  thumbs.forget();
  table.reset();
  table.items = items;
  notice('');
  $('work').hidden = true;
  $('start').hidden = false;
  $('start').querySelector('button').focus();
  say('Cleared');
}

function again(states) {
  ask(items.filter(states));
}

const actions = {
  stop: () => queue.stop(),
  'go-on': () => again((item) => item.state === 'stopped'),
  retry: () => again((item) => item.error?.again),
  csv: () => {
    const day = new Date().toISOString().slice(0, 10);
    save(csv(items, model.rollup), `labels-${day}.csv`);
    say('Saved as CSV');
  },
  clear,
  previous: () => step(-1),
  next: () => step(1),
  plain: () => {
    const pressed = $('labels').querySelector('[aria-pressed=true]');
    viewer.hideMap();
    // The button that was pressed is gone.
    (pressed ?? $('viewer')).focus();
  },
};
for (const [name, act] of Object.entries(actions)) {
  for (const button of document.querySelectorAll(`[data-do=${name}]`)) button.addEventListener('click', act);
}

$('viewer').addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && items.length > 1) table.focus(viewer.item);
});

// ---- Notices and the token

function notice(text) {
  $('notice').hidden = !text;
  $('notice').textContent = text;
}

api.hooks.waits = (reason, seconds) => {
  const s = count(Math.ceil(seconds), 'second');
  notice(reason === 'busy' ? `The server is busy; going on in ${s}.` : `The server can’t be reached; trying again in ${s}.`);
};
api.hooks.goesOn = () => notice('');
api.hooks.token = (refused) =>
  new Promise((resolve) => {
    const dialog = $('token');
    if (refused) $('token-why').textContent = 'The server refused that token. Is it typed as it was given to you?';
    $('token-field').value = '';
    let given = null;
    $('token-form').onsubmit = (event) => {
      event.preventDefault();
      given = $('token-field').value.trim();
      dialog.close();
    };
    dialog.querySelector('[data-do=no-token]').onclick = () => dialog.close();
    dialog.onclose = () => {
      // Who has no token isn't asked for it again by each picture.
      if (given === null) queue.stop();
      resolve(given);
    };
    dialog.showModal();
  });

// ---- The network

/** Asks which network it is; gives whether there is any use in asking it for labels. */
async function meet() {
  try {
    model = await api.model();
  } catch (error) {
    // To be asked again with the next pictures, which are answered all the same.
    ready = null;
    notice(`The server doesn’t say which network it has: ${error.message}`);
    return error.kind !== 'unauthorized';
  }
  viewer.features = model;
  queue.settings = { rollup: model.rollup, maxBody: model.max_body ?? Infinity };
  document.body.classList.toggle('no-groups', !model.rollup);
  $('network').textContent = `${count(model.classes, 'label')} · ${model.size} × ${model.size} pixels`;
  const facts = { name: model.name, labels: model.classes, input: `${model.size} × ${model.size} pixels` };
  for (const [key, value] of Object.entries(model.model ?? {})) {
    if (value !== null && typeof value !== 'object') facts[key] = value;
  }
  if (model.max_body) facts['largest picture'] = bytes(model.max_body);
  const terms = Object.entries(facts).map(([key, value]) => [make('dt', '', key), make('dd', '', String(value))]);
  $('about').replaceChildren(...terms.flat());
  return true;
}

ready = meet();
