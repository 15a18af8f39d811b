// The table of pictures. Only the rows in sight are in the document, so that thousands cost no
// more than a dozen.

import * as thumbs from './thumbs.js';
import { $, firstName, make, milliseconds, percent, stateOf } from './text.js';

/** Rows beyond each edge, so that scrolling shows no gaps. */
const SPARE = 6;

const KEYS = {
  name: (item) => item.path.toLowerCase(),
  label: (item) => (item.state === 'done' ? stateOf(item).toLowerCase() : null),
  group: (item) => item.group?.label.toLowerCase() ?? null,
  score: (item) => item.predictions[0]?.score ?? null,
  time: (item) => item.timing?.total ?? null,
};

const names = new Intl.Collator('en', { numeric: true });

export class Table {
  #items = [];
  #shown = [];
  #sort = { key: null, down: false };
  #filter = '';
  #selected = null;
  #rowHeight = 0;
  #frame = 0;
  #stale = true;
  #arranged = -Infinity;
  #later = 0;
  #rows = new Map();
  #above = spacer();
  #below = spacer();
  #choose;

  /** `choose` is called with the item of a row that was chosen, and what then: 'look', 'labels' or null. */
  constructor(choose) {
    this.#choose = choose;
    const scroller = $('scroller');
    for (const target of [scroller, window]) {
      target.addEventListener('scroll', () => this.draw(false), { passive: true });
    }
    new ResizeObserver(() => this.#measure()).observe(scroller);
    $('rows').addEventListener('click', (event) => {
      const item = this.#itemOf(event.target);
      if (item) this.#choose(item, 'look');
    });
    $('rows').addEventListener('keydown', (event) => this.#key(event));
    $('filter').addEventListener('input', () => {
      this.#filter = $('filter').value.trim().toLowerCase();
      scroller.scrollTop = 0;
      this.draw(true, true);
    });
    for (const button of document.querySelectorAll('[data-sort]')) {
      button.addEventListener('click', () => this.#sortBy(button));
    }
  }

  set items(items) {
    this.#items = items;
    this.draw(true, true);
  }

  select(item) {
    this.#selected = item;
    this.draw(false);
  }

  reset() {
    $('filter').value = '';
    this.#filter = '';
    this.#selected = null;
  }

  /** The item before or after another, as they are shown. */
  beside(item, step) {
    return this.#shown[this.#shown.indexOf(item) + step] ?? null;
  }

  place(item) {
    return [this.#shown.indexOf(item) + 1, this.#shown.length];
  }

  /** Draws in the next frame. `stale`: items changed; `now`: also their order. */
  draw(stale, now = false) {
    this.#stale ||= stale;
    if (now) this.#arranged = -Infinity;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #arrange() {
    const { key, down } = this.#sort;
    const wanted = this.#filter;
    const says = (item) => `${item.path}\n${item.predictions[0]?.label ?? ''}\n${item.group?.label ?? ''}`;
    this.#shown = wanted ? this.#items.filter((item) => says(item).toLowerCase().includes(wanted)) : [...this.#items];
    if (key) {
      const value = KEYS[key];
      this.#shown.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        // What has no value comes last whichever way.
        if (x === null || y === null) return (x === null) - (y === null);
        const order = typeof x === 'string' ? names.compare(x, y) : x - y;
        return down ? -order : order;
      });
    }
    $('found').textContent = wanted ? `${this.#shown.length} of ${this.#items.length}` : '';
    $('table').setAttribute('aria-rowcount', this.#shown.length + 1);
  }

  #draw() {
    if ($('list').hidden) return;
    // Rows that change places all the time can't be read: while answers come in, twice a second.
    if (this.#stale && performance.now() - this.#arranged > 500) {
      this.#arrange();
      this.#arranged = performance.now();
      this.#stale = false;
    } else if (this.#stale) {
      this.#later ||= setTimeout(() => {
        this.#later = 0;
        this.draw(false);
      }, 500);
    }
    const body = $('rows');
    const height = this.#rowHeight || 56;
    const scroller = $('scroller').getBoundingClientRect();
    const top = body.getBoundingClientRect().top;
    const [from, to] = [Math.max(scroller.top, 0), Math.min(scroller.bottom, innerHeight)];
    const first = Math.max(0, Math.floor((from - top) / height) - SPARE);
    const last = Math.min(this.#shown.length, Math.ceil((to - top) / height) + SPARE);
    const focused = body.contains(document.activeElement) ? this.#itemOf(document.activeElement) : null;
    const rows = new Map();
    const stop = this.#shown.includes(this.#selected) ? this.#selected : this.#shown[first];
    for (let i = first; i < last; i += 1) {
      const item = this.#shown[i];
      const row = this.#rows.get(item) ?? newRow(item);
      fill(row, item);
      row.setAttribute('aria-rowindex', i + 2);
      row.setAttribute('aria-selected', item === this.#selected);
      row.tabIndex = item === stop ? 0 : -1;
      rows.set(item, row);
    }
    this.#rows = rows;
    this.#above.firstChild.style.height = `${first * height}px`;
    this.#below.firstChild.style.height = `${Math.max(0, this.#shown.length - last) * height}px`;
    reconcile(body, [this.#above, ...rows.values(), this.#below]);
    if (focused && rows.has(focused) && document.activeElement !== rows.get(focused)) rows.get(focused).focus();
    for (const [item, row] of rows) {
      const cell = row.cells[0].firstChild;
      if (cell.dataset.item !== String(item.id)) {
        cell.dataset.item = item.id;
        thumbs.show(item, cell);
      }
    }
    if (!this.#rowHeight && rows.size > 0) this.#measure();
  }

  #measure() {
    const row = this.#rows.values().next().value;
    if (row?.isConnected) this.#rowHeight = row.getBoundingClientRect().height;
    this.draw(false);
  }

  #itemOf(target) {
    const row = target.closest?.('tr');
    for (const [item, each] of this.#rows) {
      if (each === row) return item;
    }
    return null;
  }

  #key(event) {
    const item = this.#itemOf(event.target);
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.#shown.indexOf(item);
    const page = Math.max(1, Math.floor(Math.min($('scroller').clientHeight, innerHeight) / (this.#rowHeight || 56)) - 1);
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.#shown.length - 1,
    }[event.key];
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.#choose(item, 'labels');
    } else if (to !== undefined) {
      event.preventDefault();
      const next = this.#shown[Math.min(Math.max(to, 0), this.#shown.length - 1)];
      this.focus(next);
      this.#choose(next, null);
    }
  }

  /** Brings a row into sight and focuses it. */
  focus(item) {
    this.reveal(item);
    this.#draw();
    this.#rows.get(item)?.focus({ preventScroll: true });
  }

  reveal(item) {
    const at = this.#shown.indexOf(item);
    if (at < 0) return;
    const height = this.#rowHeight || 56;
    const scroller = $('scroller');
    const box = scroller.getBoundingClientRect();
    const head = $('table').tHead.getBoundingClientRect().height;
    const y = $('rows').getBoundingClientRect().top + at * height;
    const [from, to] = [box.top + head, box.bottom];
    const by = y < from ? y - from : y + height > to ? y + height - to : 0;
    scroller.scrollTop += by;
  }

  #sortBy(button) {
    const key = button.dataset.sort;
    const same = this.#sort.key === key;
    // Up, down, and back to the order in which they came.
    this.#sort = same && this.#sort.down ? { key: null, down: false } : { key, down: same };
    for (const each of document.querySelectorAll('[data-sort]')) {
      const on = this.#sort.key === each.dataset.sort;
      const header = each.closest('th');
      if (on) header.setAttribute('aria-sort', this.#sort.down ? 'descending' : 'ascending');
      else header.removeAttribute('aria-sort');
    }
    this.draw(true, true);
  }
}

function spacer() {
  const row = make('tr', 'spacer', make('td'));
  row.setAttribute('aria-hidden', 'true');
  return row;
}

/** Makes an element's children these, moving as few as can be: a moved row loses its focus. */
function reconcile(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) {
    if (!wanted.has(child)) child.remove();
  }
  children.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

function newRow(item) {
  const row = make('tr');
  const cell = (name, ...children) => {
    const td = make('td', name, ...children);
    td.setAttribute('role', 'gridcell');
    row.append(td);
  };
  cell('thumb', make('span', 'thumb-box'));
  const slash = item.path.lastIndexOf('/') + 1;
  const folder = make('span', 'folder', item.path.slice(0, slash));
  cell('name', make('span', 'path', folder, make('span', 'file', item.path.slice(slash))));
  row.cells[1].title = item.path;
  cell('label', make('span', 'label-text'), make('span', 'track', make('span', 'fill')));
  cell('group');
  cell('score');
  cell('time');
  return row;
}

function fill(row, item) {
  if (row.dataset.state === item.state) return;
  row.dataset.state = item.state;
  const [, , label, group, score, time] = row.cells;
  const first = item.state === 'done' ? item.predictions[0] : null;
  const said = stateOf(item);
  label.firstChild.textContent = first ? firstName(said) : said;
  label.title = said;
  label.lastChild.firstChild.style.width = `${100 * (first?.score ?? 0)}%`;
  group.textContent = item.group?.label ? firstName(item.group.label) : '';
  score.textContent = first ? percent(first.score) : '';
  time.textContent = item.timing ? milliseconds(item.timing.work ?? item.timing.total) : '';
}
