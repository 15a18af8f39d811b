// What the tests share: the server, the browser, a page that notes what goes wrong in it.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../', import.meta.url));
export const scratch = mkdtempSync(join(tmpdir(), 'mobilenet-page-'));
export const digits = readdirSync(join(root, 'samples/digits'))
  .filter((name) => name.endsWith('.png'))
  .sort()
  .map((name) => join(root, 'samples/digits', name));
export const photograph = join(root, 'samples/cat.jpg');

/** Two digits and what is no picture. */
export const three = [digits[6], digits[14], written('broken.png', 'not a picture')];

export function written(name, contents) {
  const path = join(scratch, name);
  writeFileSync(path, contents);
  return path;
}

/** A folder of pictures, with a folder in it and files that are none. */
export function folderOf(count, name) {
  const folder = join(scratch, name);
  mkdirSync(join(folder, 'more'), { recursive: true });
  for (let i = 0; i < count; i += 1) {
    const place = i % 3 === 0 ? join(folder, 'more') : folder;
    writeFileSync(join(place, `${i}.png`), readFileSync(digits[i % digits.length]));
  }
  writeFileSync(join(folder, 'notes.txt'), 'nothing to see');
  writeFileSync(join(folder, '.hidden.png'), 'nothing to see');
  return folder;
}

let server;
let browser;
export let address;

export async function start() {
  const weights = join(root, 'weights/digits.safetensors');
  server = spawn(process.env.MOBILENET, ['serve', '--listen', '127.0.0.1:0', '--weights', weights], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  address = await new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [server.stdout, server.stderr]) {
      stream.on('data', (data) => {
        said += data;
        const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
        if (found) resolve(`${found[0]}/`);
      });
    }
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export async function end() {
  await browser?.close();
  server?.removeAllListeners('exit');
  server?.kill();
  rmSync(scratch, { recursive: true, force: true });
}

/**
 * Opens the page, runs `test` with it, and fails if anything went wrong in the page meanwhile: an
 * error or a warning in the console, a request to anywhere else, an object URL left behind.
 * `statuses` are those that the test provokes, errors of the network among them: the browser itself
 * writes them to the console.
 */
export async function withPage(test, { phone = false, dark = false, statuses = [], before } = {}) {
  const context = await browser.newContext({
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
    isMobile: phone,
    hasTouch: phone,
    colorScheme: dark ? 'dark' : 'light',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const wrong = [];
  page.on('console', (message) => {
    if (!['error', 'warning'].includes(message.type())) return;
    const status = /status of (\d+)/.exec(message.text()) ?? /net::(\w+)$/.exec(message.text());
    if (!status || !statuses.includes(status[1])) wrong.push(message.text());
  });
  page.on('pageerror', (error) => wrong.push(String(error.stack)));
  page.on('request', (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(address)) wrong.push(request.url());
  });
  await page.addInitScript(() => {
    window.objectUrls = new Set();
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (object) => {
      const url = createObjectURL.call(URL, object);
      window.objectUrls.add(url);
      return url;
    };
    URL.revokeObjectURL = (url) => {
      window.objectUrls.delete(url);
      revokeObjectURL.call(URL, url);
    };
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.blockedURI}`));
  });
  try {
    await before?.(page);
    await page.goto(address);
    await page.waitForFunction(() => document.querySelector('#network').textContent);
    await test(page, context);
    if (wrong.length > 0) throw new Error(`in the page: ${wrong.join('\n')}`);
  } finally {
    await context.close();
  }
}

/** Drops files and folders onto the page as a hand would. */
export async function drop(page, context, files) {
  const session = await context.newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
    if (type === 'dragOver') await page.waitForSelector('#drop', { state: 'visible' });
  }
  await page.waitForSelector('#drop', { state: 'hidden' });
}

/** Waits until so many pictures are answered. */
export async function answered(page, text) {
  await page.waitForFunction((wanted) => document.querySelector('#tally').textContent === wanted, text);
  // The rows follow within half a second.
  await page.waitForTimeout(700);
}

export async function screenshot(page, name) {
  await page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });
}

/** The records of a file by RFC 4180, which is refused if it isn't one. */
export function parseCsv(text) {
  const records = [];
  let at = 0;
  let record = [];
  while (at < text.length) {
    const [all, quoted, plain, end] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(text.slice(at)) ?? [];
    if (all === undefined) throw new Error(`no CSV from ${at}: ${text.slice(at, at + 40)}`);
    record.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    at += all.length;
    if (end === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}

export async function downloadedCsv(page) {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Save as CSV' }).click(),
  ]);
  const text = readFileSync(await download.path(), 'utf8');
  const [header, ...rows] = parseCsv(text.replace(/^\ufeff/, ''));
  return { name: download.suggestedFilename(), header, rows };
}
