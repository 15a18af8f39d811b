// Pictures in by each way, labels, maps and files out.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { address, answered, digits, downloadedCsv, drop, end, folderOf, photograph, start, three, withPage, written } from './page.mjs';

before(start);
after(end);

const rowNames = (page) => page.locator('#rows tr[data-state] td.name').allTextContents();
/** The colours at places of the map's canvas, which are shares of its width and height. */
const coloursAt = (page, ...places) =>
  page.evaluate((shares) => {
    const canvas = document.querySelector('#overlay');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    return shares.map(([x, y]) => {
      const at = 4 * (Math.floor(y * height) * width + Math.floor(x * width));
      return [...data.slice(at, at + 4)];
    });
  }, places);
const opacity = (page) => page.evaluate(() => Number(getComputedStyle(document.querySelector('#overlay')).opacity));

test('the page and its policy', async () => {
  const response = await fetch(address);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-security-policy'), /default-src 'none'/);
  const html = await response.text();
  assert.doesNotMatch(html, /\sstyle=|\son\w+=|<style|<script(?! type="module" src=)/);
  for (const [, path] of html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) {
    assert.equal((await fetch(new URL(path, address))).status, 200, path);
  }
});

test('three pictures dropped, one of them broken', () =>
  withPage(
    async (page, context) => {
      await drop(page, context, three);
      await answered(page, '2 pictures labelled · 1 failed');
      assert.deepEqual(await rowNames(page), ['3-0.png', '7-0.png', 'broken.png']);
      const labels = await page.locator('#rows tr[data-state] td.label').allTextContents();
      assert.deepEqual([labels[0], labels[1]], ['3', '7']);
      assert.match(labels[2], /not an image|not a picture/);

      // The first is shown without being asked for; its labels have bars and a sum of at most 1.
      assert.equal(await page.locator('#viewer-name').textContent(), '3-0.png');
      assert.equal(await page.locator('#labels button').count(), 5);
      const bar = await page.locator('#labels .fill').first().evaluate((fill) => fill.style.width);
      assert.ok(parseFloat(bar) > 50, bar);
      assert.match(await page.locator('#timings').textContent(), /ms of work .* in the queue .* there and back/);

      // The broken one says why.
      await page.locator('#rows tr[data-state=failed]').click();
      assert.match(await page.locator('#fault').textContent(), /^No labels: .*not an? /);
      assert.equal(await page.locator('#labels button').count(), 0);

      const { name, header, rows } = await downloadedCsv(page);
      assert.match(name, /^labels-\d{4}-\d\d-\d\d\.csv$/);
      assert.deepEqual(header, ['path', 'rank', 'index', 'wnid', 'label', 'score', 'error']);
      assert.equal(rows.length, 5 + 5 + 1);
      assert.ok(rows.every((row) => row.length === header.length));
      assert.deepEqual(rows[0].slice(0, 5), ['3-0.png', '1', '3', '', '3']);
      assert.ok(Number(rows[0][5]) > 0.5);
      assert.deepEqual(rows[10].slice(0, 6), ['broken.png', '', '', '', '', '']);
      assert.match(rows[10][6], /^decode: /);
    },
    { statuses: ['422'] },
  ));

test('the map over the picture', () =>
  withPage(
    async (page) => {
      await page.setInputFiles('#pick-pictures', photograph);
      assert.match(await page.locator('#where').textContent(), /^Choose a label|^$/);
      await page.locator('#labels button').first().click();
      await page.waitForSelector('#overlay.shown');
      await page.waitForTimeout(400);
      // Nothing was seen at the left; of what was seen, the upper right speaks most for the label.
      const [outside, least, most] = await coloursAt(page, [0.1, 0.5], [0.3, 0.9], [0.92, 0.08]);
      assert.deepEqual(outside, [128, 128, 128, 204]);
      assert.deepEqual(least, [0x0b, 0x06, 0x14, 255]);
      assert.deepEqual(most, [0xf9, 0xe9, 0xc5, 255]);
      const name = await page.locator('#labels button .label-text').first().textContent();
      const said = await page.locator('#where').textContent();
      assert.ok(said.startsWith(`Light is evidence for ${name} (`) && said.endsWith(', most of it at the top right.'), said);
      assert.equal(await page.locator('#legend').textContent().then((text) => text.replace(/\s+/g, ' ').trim()), '0.0 12.0');
      assert.equal(await opacity(page), 0.65);
      await page.locator('#opacity').fill('20');
      await page.waitForTimeout(400);
      assert.equal(await opacity(page), 0.2);
    },
    {
      before: (page) =>
        page.route('**/v1/explain?*', (route) => {
          const classes = new URL(route.request().url()).searchParams.getAll('class').map(Number);
          const map = Array.from({ length: 7 }, (_, y) => Array.from({ length: 7 }, (_, x) => (x > 4 && y < 2 ? 12 : 0)));
          const answers = classes.map((index) => ({ index, wnid: null, label: 'x', score: 0.5, logit: 1, bias: 0, map }));
          return route.fulfill({
            json: {
              path: '-',
              size: { width: 451, height: 300 },
              region: { x: 112.75, y: 0, width: 338.25, height: 300 },
              rejected: false,
              classes: answers,
              error: null,
            },
          });
        }),
    },
  ));

test('the map of any label', () =>
  withPage(async (page) => {
    await page.setInputFiles('#pick-pictures', photograph);
    await page.locator('#labels button').first().click();
    await page.waitForSelector('#overlay.shown');
    assert.match(await page.locator('#where').textContent(), /^Light is evidence for \d \(/);

    // One that is not among the first, by its name.
    await page.locator('#other-label').fill('0');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForFunction(() => document.querySelector('#where').textContent.includes('evidence for 0'));
    await page.locator('#other-label').fill('unicorn');
    await page.getByRole('button', { name: 'Show' }).click();
    await page.waitForFunction(() => document.querySelector('#where').textContent.includes('no label “unicorn”'));

    // Pressing a label again takes its map away.
    const second = page.locator('#labels button').nth(1);
    await second.click();
    await page.waitForSelector('#overlay.shown');
    assert.equal(await second.getAttribute('aria-pressed'), 'true');
    await second.click();
    await page.waitForSelector('#overlay:not(.shown)', { state: 'attached' });
    assert.equal(await second.getAttribute('aria-pressed'), 'false');
  }));

test('the WordNet group, where the network has one', () =>
  withPage(
    async (page) => {
      await page.setInputFiles('#pick-pictures', digits[0]);
      await page.waitForSelector('#group:not([hidden])');
      assert.equal(await page.locator('#group').textContent(), 'WordNet group: cat91.0%');
      const { header, rows } = await downloadedCsv(page);
      assert.deepEqual(header.slice(-3), ['group', 'group_wnid', 'group_score']);
      assert.deepEqual(rows[0].slice(-3), ['cat, true cat', 'n02121620', '0.91']);
    },
    {
      before: async (page) => {
        await page.route('**/v1/model', async (route) => {
          const response = await route.fetch();
          await route.fulfill({ response, json: { ...(await response.json()), rollup: true } });
        });
        await page.route('**/v1/classify?*', (route) => {
          assert.equal(new URL(route.request().url()).searchParams.get('group'), '0.5');
          return route.fulfill({
            json: {
              path: '-',
              predictions: [{ index: 281, wnid: 'n02123045', label: 'tabby, tabby cat', score: 0.7431 }],
              group: { wnid: 'n02121620', label: 'cat, true cat', score: 0.91 },
              error: null,
            },
          });
        });
      },
    },
  ));

test('a picture pasted', () =>
  withPage(async (page, context) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    const bytes = [...readFileSync(digits[10])];
    await page.evaluate(async (numbers) => {
      const blob = new Blob([new Uint8Array(numbers)], { type: 'image/png' });
      await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
    }, bytes);
    await page.keyboard.press('Control+V');
    await answered(page, '1 picture labelled');
    assert.equal(await page.locator('#labels .label-text').first().textContent(), '5');
  }));

test('names that spreadsheets would run are text', () =>
  withPage(async (page) => {
    const names = ['=1+1.png', '@x, "y".png', '-2.png', 'plain.png'];
    await page.setInputFiles('#pick-pictures', names.map((name) => written(name, readFileSync(digits[0]))));
    await answered(page, '4 pictures labelled');
    const { rows } = await downloadedCsv(page);
    const paths = [...new Set(rows.map((row) => row[0]))];
    assert.deepEqual(paths, ["'=1+1.png", `'@x, "y".png`, "'-2.png", 'plain.png']);
  }));

test('a file that browsers do not show is labelled and drawn by the server', () =>
  withPage(async (page) => {
    // The plainest of the formats that no browser knows.
    const pixels = Buffer.alloc(28 * 28, 255);
    for (let y = 4; y < 24; y += 1) pixels.fill(0, 28 * y + 13, 28 * y + 16);
    const path = written('one.pgm', Buffer.concat([Buffer.from('P5 28 28 255\n'), pixels]));
    await page.setInputFiles('#pick-pictures', path);
    await answered(page, '1 picture labelled');
    await page.waitForSelector('#picture:not([hidden])');
    assert.match(await page.locator('#where').textContent(), /the server drew it/);
    assert.ok((await page.locator('#picture').evaluate((image) => image.naturalWidth)) > 28);
  }));

test('nothing of the pictures is left after Clear', () =>
  withPage(async (page) => {
    await page.setInputFiles('#pick-pictures', digits.slice(0, 4));
    await answered(page, '4 pictures labelled');
    await page.getByRole('button', { name: 'Next picture' }).click();
    await page.waitForFunction(() => document.querySelector('#viewer-name').textContent === '0-1.png');
    assert.equal(await page.evaluate(() => window.objectUrls.size), 1);
    await page.getByRole('button', { name: 'Clear' }).click();
    assert.equal(await page.evaluate(() => window.objectUrls.size), 0);
    assert.ok(await page.locator('#start').isVisible());
    assert.ok(await page.getByRole('button', { name: 'Choose pictures' }).evaluate((b) => b === document.activeElement));
    const kept = await page.evaluate(async () => [
      localStorage.length,
      sessionStorage.length,
      (await indexedDB.databases()).length,
      (await caches.keys()).length,
      document.cookie.length,
    ]);
    assert.deepEqual(kept, [0, 0, 0, 0, 0]);
  }));

test('a folder dropped, a folder chosen', () =>
  withPage(async (page, context) => {
    await drop(page, context, [folderOf(30, 'album')]);
    await answered(page, '30 pictures labelled');
    assert.match(await page.locator('#notice').textContent(), /^2 files left out/);
    const { rows } = await downloadedCsv(page);
    assert.equal(new Set(rows.map((row) => row[0])).size, 30);
    assert.ok(rows.some((row) => row[0] === 'album/more/0.png'));
    await page.getByRole('button', { name: 'Clear' }).click();

    await page.setInputFiles('#pick-folder', folderOf(12, 'chosen'));
    await answered(page, '12 pictures labelled');
    assert.ok((await rowNames(page)).includes('chosen/more/0.png'));
  }));
