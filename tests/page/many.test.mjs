// Many pictures, and servers in trouble.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { answered, digits, downloadedCsv, end, folderOf, start, withPage } from './page.mjs';

before(start);
after(end);

test('a folder of 300 pictures', () =>
  withPage(async (page) => {
    let [now, most] = [0, 0];
    const asks = (request) => request.url().includes('/v1/classify');
    page.on('request', (request) => {
      if (asks(request)) most = Math.max(most, (now += 1));
    });
    page.on('requestfinished', (request) => {
      if (asks(request)) now -= 1;
    });
    await page.evaluate(() => {
      window.longest = 0;
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
      }).observe({ type: 'longtask' });
    });
    await page.setInputFiles('#pick-folder', folderOf(300, 'many'));
    await page.waitForFunction(() => /^\d+ of 300 pictures/.test(document.querySelector('#tally').textContent));
    assert.ok(await page.getByRole('button', { name: 'Stop' }).isVisible());
    await answered(page, '300 pictures labelled');
    assert.ok(most <= 4, `${most} requests at once`);
    const longest = await page.evaluate(() => window.longest);
    assert.ok(longest < 500, `the page stood still for ${longest} ms`);
    assert.equal(await page.locator('#said').textContent(), '300 pictures labelled');

    // Few rows are in the document, and the last can be reached.
    assert.ok((await page.locator('#rows tr[data-state]').count()) < 60);
    assert.equal(await page.locator('#table').getAttribute('aria-rowcount'), '301');
    await page.locator('#rows tr[data-state]').first().focus();
    await page.keyboard.press('End');
    await page.waitForFunction(() => document.activeElement.getAttribute('aria-rowindex') === '301');
    await page.keyboard.press('PageUp');
    const index = await page.evaluate(() => Number(document.activeElement.getAttribute('aria-rowindex')));
    assert.ok(index > 280 && index < 301, String(index));

    // Sorting and filtering.
    await page.getByRole('button', { name: 'Score' }).click();
    await page.waitForTimeout(100);
    await page.locator('#scroller').evaluate((scroller) => scroller.scrollTo(0, 0));
    await page.waitForTimeout(200);
    const scores = (await page.locator('#rows td.score').allTextContents()).map((text) => parseFloat(text.replace('>', '')));
    assert.deepEqual(scores, [...scores].sort((a, b) => a - b));
    assert.equal(await page.locator('th.score').getAttribute('aria-sort'), 'ascending');
    await page.locator('#filter').fill('more/27');
    await page.waitForTimeout(200);
    const shown = await page.locator('#rows tr[data-state] td.name').allTextContents();
    assert.deepEqual(shown.sort(), ['many/more/27.png', 'many/more/270.png', 'many/more/273.png', 'many/more/276.png', 'many/more/279.png']);
    const { rows } = await downloadedCsv(page);
    assert.equal(rows.length, 1500);
  }));

test('stopped, and gone on with', () =>
  withPage(
    async (page) => {
      await page.setInputFiles('#pick-folder', folderOf(40, 'stopped'));
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.waitForFunction(() => /not asked/.test(document.querySelector('#tally').textContent));
      await page.getByRole('button', { name: 'Go on' }).click();
      await answered(page, '40 pictures labelled');
    },
    {
      before: (page) =>
        page.route('**/v1/classify?*', async (route) => {
          await new Promise((resolve) => setTimeout(resolve, 100));
          await route.continue().catch(() => {});
        }),
    },
  ));

test('a busy server is waited for', () => {
  const times = [];
  return withPage(
    async (page) => {
      await page.setInputFiles('#pick-pictures', digits);
      await page.waitForSelector('#notice:not([hidden])');
      assert.equal(await page.locator('#notice').textContent(), 'The server is busy; going on in 2 seconds.');
      await answered(page, '20 pictures labelled');
      assert.ok(await page.locator('#notice').isHidden());
      // Nobody knocked in between.
      const busy = times.filter(({ status }) => status === 503);
      assert.ok(busy.length <= 4, `${busy.length} refused`);
      const next = times.find(({ status }) => status === 200);
      assert.ok(next.at - busy[0].at >= 1900, `after ${next.at - busy[0].at} ms`);
    },
    {
      statuses: ['503'],
      before: (page) =>
        page.route('**/v1/classify?*', (route) => {
          const first = times[0]?.at ?? Date.now();
          const status = Date.now() - first < 500 ? 503 : 200;
          times.push({ at: Date.now(), status });
          if (status === 200) return route.continue();
          return route.fulfill({
            status,
            headers: { 'Retry-After': '2' },
            json: { error: { kind: 'busy', message: 'too many requests' } },
          });
        }),
    },
  );
});

test('a server that is away is waited for', () => {
  let away = true;
  return withPage(
    async (page) => {
      await page.route('**/v1/**', (route) => (away ? route.abort('connectionrefused') : route.continue()));
      await page.setInputFiles('#pick-pictures', digits.slice(0, 6));
      await page.waitForSelector('#notice:not([hidden])');
      assert.match(await page.locator('#notice').textContent(), /can’t be reached/);
      away = false;
      await answered(page, '6 pictures labelled');
      assert.ok(await page.locator('#notice').isHidden());
    },
    { statuses: ['ERR_CONNECTION_REFUSED'] },
  );
});

test('a failure that may pass is tried again', () => {
  let failing = true;
  return withPage(
    async (page) => {
      await page.setInputFiles('#pick-pictures', digits.slice(0, 2));
      await answered(page, '0 pictures labelled · 2 failed');
      assert.match(await page.locator('#fault').textContent(), /it broke/);
      failing = false;
      await page.getByRole('button', { name: 'Try failed again' }).click();
      await answered(page, '2 pictures labelled');
      assert.ok(await page.locator('#fault').isHidden());
    },
    {
      statuses: ['500'],
      before: (page) =>
        page.route('**/v1/classify?*', (route) =>
          failing
            ? route.fulfill({ status: 500, json: { error: { kind: 'internal', message: 'it broke' } } })
            : route.continue(),
        ),
    },
  );
});

test('a token is asked for, refused, taken and kept for the tab', () => {
  const guard = (page) =>
    page.route('**/v1/**', (route) =>
      route.request().headers().authorization === 'Bearer sesame'
        ? route.continue()
        : route.fulfill({ status: 401, json: { error: { kind: 'unauthorized', message: 'a token is needed' } } }),
    );
  return withPage(
    async (page) => {
      await guard(page);
      await page.reload();
      const field = page.getByLabel('Token', { exact: true });
      await field.fill('wrong');
      await field.press('Enter');
      await page.waitForFunction(() => document.querySelector('#token-why').textContent.includes('refused'));
      await field.fill('sesame');
      await field.press('Enter');
      await page.waitForSelector('#token:not([open])', { state: 'attached' });
      await page.setInputFiles('#pick-pictures', digits.slice(0, 3));
      await answered(page, '3 pictures labelled');

      await page.reload();
      await page.waitForFunction(() => document.querySelector('#network').textContent);
      assert.ok(!(await page.locator('#token').isVisible()));

      // Who has none isn't asked by every picture.
      await page.evaluate(() => sessionStorage.clear());
      await page.reload();
      await page.getByRole('button', { name: 'Not now' }).click();
      await page.setInputFiles('#pick-pictures', digits.slice(0, 3));
      await page.getByRole('button', { name: 'Not now' }).click();
      await answered(page, '0 pictures labelled · 3 not asked');
      assert.ok(!(await page.locator('#token').isVisible()));
      await page.getByRole('button', { name: 'Go on' }).click();
      await field.fill('sesame');
      await field.press('Enter');
      await answered(page, '3 pictures labelled');
    },
    { statuses: ['401'] },
  );
});
