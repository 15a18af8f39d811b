// Pictures to answers, a few at a time.

import { Failure, classify } from './api.js';

/** Enough to keep the server busy; browsers open six connections to a host. */
const AT_ONCE = 4;

export class Queue {
  #waiting = [];
  #running = 0;
  #stop = new AbortController();
  #changed;
  /** Of this run, for the speed. */
  begun = 0;
  answered = 0;
  settings = { rollup: false, maxBody: Infinity };

  /** `changed` is called with each item whose state changed. */
  constructor(changed) {
    this.#changed = changed;
  }

  get busy() {
    return this.#running > 0 || this.#waiting.length > 0;
  }

  add(items) {
    if (!this.busy) {
      this.begun = performance.now();
      this.answered = 0;
    }
    for (const item of items) {
      item.state = 'waiting';
      item.error = null;
      this.#waiting.push(item);
    }
    this.#fill();
  }

  /** Leaves what isn't answered yet; a request under way is given up. */
  stop() {
    for (const item of this.#waiting) item.state = 'stopped';
    this.#waiting = [];
    this.#stop.abort(new DOMException('stopped', 'AbortError'));
    this.#stop = new AbortController();
    this.#changed(null);
  }

  #fill() {
    while (this.#running < AT_ONCE && this.#waiting.length > 0) {
      // Shifting a long array costs its length, which a thousand pictures don't notice.
      const item = this.#waiting.shift();
      this.#running += 1;
      this.#ask(item, this.#stop.signal).finally(() => {
        this.#running -= 1;
        this.#fill();
        this.#changed(item);
      });
    }
  }

  async #ask(item, signal) {
    item.state = 'running';
    this.#changed(item);
    try {
      if (item.file.size > this.settings.maxBody) {
        throw new Failure('too_large', 'larger than this server takes');
      }
      const { answer, timing } = await classify(item.file, { rollup: this.settings.rollup, signal });
      item.predictions = answer.predictions;
      item.group = answer.group ?? null;
      item.timing = timing;
      item.state = 'done';
      this.answered += 1;
    } catch (error) {
      if (signal.aborted) {
        item.state = 'stopped';
        return;
      }
      item.error = {
        kind: error.kind ?? 'page',
        message: error.message,
        again: error.again ?? false,
      };
      item.state = 'failed';
      this.answered += 1;
    }
  }
}
