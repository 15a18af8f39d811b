// The page without a mouse, without good eyes, in the dark, on a phone; and what it looks like.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import axe from 'axe-core';
import { answered, digits, drop, end, folderOf, photograph, screenshot, start, three, withPage } from './page.mjs';

before(start);
after(end);

async function sound(page, state) {
  // Evaluated by the debugger: the page's policy would refuse a script element.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`);
  assert.deepEqual(found, [], state);
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(inner <= outer, `${state}: ${inner} pixels wide on ${outer}`);
}

for (const phone of [false, true]) {
  for (const dark of [false, true]) {
    const name = `${phone ? 'phone' : 'desktop'}-${dark ? 'dark' : 'light'}`;
    test(`axe-core finds nothing: ${name}`, () =>
      withPage(
        async (page, context) => {
          await sound(page, 'at first');
          await screenshot(page, `${name}-1-start`);
          await page.setInputFiles('#pick-pictures', photograph);
          await answered(page, '1 picture labelled');
          await page.locator('#labels button').first().click();
          await page.waitForSelector('#overlay.shown');
          await page.waitForTimeout(400);
          await sound(page, 'with one picture and its map');
          await screenshot(page, `${name}-2-map`);
          await drop(page, context, three);
          await answered(page, '3 pictures labelled · 1 failed');
          await page.locator('#rows tr[data-state=failed]').click();
          await sound(page, 'with a broken picture');
          await screenshot(page, `${name}-3-broken`);
          await page.setInputFiles('#pick-folder', folderOf(60, name));
          await answered(page, '63 pictures labelled · 1 failed');
          await page.locator('th button').nth(1).click();
          await page.locator('summary').click();
          await page.waitForTimeout(400);
          await sound(page, 'with a folder');
          await screenshot(page, `${name}-4-folder`);
          await page.route('**/v1/explain?*', (route) =>
            route.fulfill({ status: 401, json: { error: { kind: 'unauthorized', message: 'a token is needed' } } }),
          );
          await page.evaluate(() => document.querySelector('#labels button')?.click());
          await page.locator('#rows tr[data-state=done]').first().click();
          await page.locator('#labels button').first().click();
          await page.waitForSelector('#token[open]');
          await sound(page, 'asking for a token');
          await screenshot(page, `${name}-5-token`);
        },
        { phone, dark, statuses: ['401', '422'] },
      ));
  }
}

const focused = (page, wanted) => page.evaluate((selector) => document.activeElement.matches(selector), wanted);

async function tabTo(page, selector) {
  for (let i = 0; i < 40; i += 1) {
    if (await focused(page, selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`no way to ${selector} by Tab`);
}

test('by keyboard alone', () =>
  withPage(async (page) => {
    await tabTo(page, '#start [data-do=pictures]');
    // What opens is kept from the screen only while somebody listens, and that takes a moment.
    page.on('filechooser', () => {});
    await page.waitForTimeout(200);
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.keyboard.press('Enter')]);
    assert.ok(chooser.isMultiple());
    await chooser.setFiles(digits.slice(0, 5));
    await answered(page, '5 pictures labelled');

    await tabTo(page, '#rows tr');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.locator('#viewer-name').textContent(), '1-0.png');
    assert.equal(await page.locator('#rows tr[aria-selected=true] td.name').textContent(), '1-0.png');
    await page.keyboard.press('Enter');
    assert.ok(await focused(page, '#labels button'));
    await page.keyboard.press('Enter');
    await page.waitForSelector('#overlay.shown');
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => document.activeElement.matches('#rows tr'));
    await tabTo(page, '#opacity');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await page.locator('#opacity').inputValue(), '64');
    await tabTo(page, '[data-do=plain]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#map-tools', { state: 'hidden' });
    assert.ok(await focused(page, '#labels button'));
    await page.waitForFunction(() => document.querySelector('#said').textContent === 'Map hidden');
  }));

test('what screen readers are told', () =>
  withPage(async (page) => {
    await page.setInputFiles('#pick-pictures', digits[0]);
    await answered(page, '1 picture labelled');
    await page.waitForFunction(() => /^0-0\.png: 0, >?\d+(\.\d)?%$/.test(document.querySelector('#said').textContent));
    assert.ok(await page.getByRole('heading', { name: '0-0.png' }).isVisible());
    assert.ok(await page.getByRole('img', { name: '0-0.png' }).isVisible());
    assert.ok(await page.getByRole('list', { name: 'Labels' }).isVisible());
    assert.ok(await page.getByRole('button', { name: /^0 >?\d+/ }).isVisible());
    await page.setInputFiles('#pick-pictures', digits[2]);
    await answered(page, '2 pictures labelled');
    assert.ok(await page.getByRole('grid', { name: 'Pictures' }).isVisible());
    assert.equal(await page.getByRole('row').count(), 3);
    assert.equal(await page.getByRole('columnheader', { name: 'Label' }).count(), 1);
  }));
