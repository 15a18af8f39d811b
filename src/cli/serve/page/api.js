// The service's answers. What is temporary (a busy server, no connection, a missing token) is
// waited for here, so that callers see answers and lasting failures only.

const KEY = 'mobilenet.token';

/** A failure that lasts: its kind and message are the server's where it gave some. */
export class Failure extends Error {
  constructor(kind, message, again = false) {
    super(message);
    this.kind = kind;
    /** Whether another try may succeed. */
    this.again = again;
  }
}

/** What the page sets to learn of waits, and to ask for a token. */
export const hooks = {
  waits: (_reason, _seconds) => {},
  goesOn: () => {},
  token: async (_refused) => null,
};

/** What all requests wait for: one that learns that the server is busy tells the others. */
let busyUntil = 0;
let unreachable = null;
let asking = null;
let token = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // Storage may be forbidden; the token is then asked for once more after a reload.
}

export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function send(path, { body, accept = 'application/json', signal }) {
  const headers = { Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers['Content-Type'] = 'application/octet-stream';
  return fetch(path, { method: body ? 'POST' : 'GET', headers, body, signal, cache: 'no-store' });
}

/** Waits until the server answers anything at all. */
async function reach() {
  for (let wait = 1000; ; wait = Math.min(2 * wait, 15_000)) {
    hooks.waits('unreachable', wait / 1000);
    await pause(wait);
    try {
      await send('/v1/model', {});
      hooks.goesOn();
      return;
    } catch {
      // Still nobody there.
    }
  }
}

async function reachable() {
  try {
    await send('/v1/model', {});
    return true;
  } catch {
    return false;
  }
}

/** Asks for a token once, however many requests were refused. */
function newToken(refused) {
  asking ??= (async () => {
    const given = await hooks.token(refused !== null);
    asking = null;
    if (given === null) return false;
    token = given;
    try {
      sessionStorage.setItem(KEY, given);
    } catch {
      // As above.
    }
    return true;
  })();
  return asking;
}

function seconds(response) {
  const after = Number(response.headers.get('Retry-After'));
  return Number.isFinite(after) && after > 0 ? Math.min(after, 300) : 1;
}

async function failureOf(response) {
  let error = null;
  try {
    error = (await response.json()).error;
  } catch {
    // A proxy's page, or nothing.
  }
  const { status } = response;
  const message = error?.message ?? `the server answered with status ${status}`;
  return new Failure(error?.kind ?? `status ${status}`, message, status >= 500 || status === 408 || status === 401);
}

/** Sends a request until it is answered; gives the response if it is a good one. */
export async function call(path, options = {}) {
  const { signal } = options;
  for (let tries = 0; ; ) {
    signal?.throwIfAborted();
    if (asking) await asking;
    if (unreachable) await Promise.race([unreachable, aborted(signal)]);
    const busy = busyUntil - performance.now();
    if (busy > 0) {
      await pause(busy, signal);
      continue;
    }
    let response;
    const used = token;
    try {
      response = await send(path, options);
    } catch (error) {
      signal?.throwIfAborted();
      if (await reachable()) {
        // The server is there, so it is the file; or the connection was cut this once.
        tries += 1;
        if (tries < 2) continue;
        throw new Failure('send', 'the browser could not send this file: it may have been changed or moved', true);
      }
      unreachable ??= reach().finally(() => {
        unreachable = null;
      });
      continue;
    }
    if (response.status === 503) {
      const wait = seconds(response);
      busyUntil = Math.max(busyUntil, performance.now() + 1000 * wait);
      hooks.waits('busy', wait);
      continue;
    }
    if (response.status === 401) {
      if (used !== token || (await newToken(used))) continue;
      throw await failureOf(response);
    }
    if (busyUntil) {
      busyUntil = 0;
      hooks.goesOn();
    }
    // A picture that can't be read is an answer, in the form of the others.
    if (response.ok || response.status === 422 || response.status === 413) return response;
    throw await failureOf(response);
  }
}

function aborted(signal) {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Milliseconds by name out of a Server-Timing header. */
export function serverTiming(header) {
  const times = {};
  for (const part of (header ?? '').split(',')) {
    const [name, ...parameters] = part.trim().split(';');
    const duration = parameters.map((p) => /^\s*dur="?([\d.]+)"?\s*$/.exec(p)).find(Boolean);
    if (name && duration) times[name] = Number(duration[1]);
  }
  return times;
}

async function answered(response) {
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Failure('answer', 'the server answered with something other than JSON', true);
  }
  if (answer.error) throw new Failure(answer.error.kind, answer.error.message);
  return answer;
}

export async function model() {
  return answered(await call('/v1/model'));
}

export async function labels() {
  return answered(await call('/v1/labels'));
}

/** The labels of a picture, with the times that it took. */
export async function classify(file, { rollup, signal }) {
  const begun = performance.now();
  const query = rollup ? '?k=5&group=0.5' : '?k=5';
  const response = await call(`/v1/classify${query}`, { body: file, signal });
  const answer = await answered(response);
  const total = performance.now() - begun;
  return { answer, timing: { ...serverTiming(response.headers.get('Server-Timing')), total } };
}

function classQuery(classes) {
  return classes.map((index) => `class=${index}`).join('&') || 'k=1';
}

/** The maps of classes, as numbers. */
export async function explain(file, classes, signal) {
  return answered(await call(`/v1/explain?${classQuery(classes)}`, { body: file, signal }));
}

/** The server's own drawing of a map, for pictures that the browser can't show. */
export async function drawing(file, classes, signal) {
  const response = await call(`/v1/explain?${classQuery(classes)}`, { body: file, accept: 'image/png', signal });
  if (!response.ok) throw await failureOf(response);
  return response.blob();
}

export async function similar(file, signal) {
  return (await answered(await call('/v1/similar?k=5', { body: file, signal }))).similar;
}
