// drive.js - a browser that does what it is told, one JSON line each: {"do": word, ...} in, {"result"} or {"error"} out.
//
// usage: drive.js CHROMIUM
'use strict';
const readline = require('readline');
const { chromium } = require('playwright-core');

const words = {
  open: async (page, { url }) => { await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 60000 }); },
  press: async (page, { keys }) => {
    for (const key of [keys].flat()) {
      await page.keyboard.press(key);
    }
  },
  type: async (page, { text, delay }) => { await page.keyboard.type(text, { delay: delay ?? 20 }); },
  click: async (page, { selector, button }) => { await page.locator(selector).first().click({ button, timeout: 15000 }); },
  hover: async (page, { selector }) => { await page.locator(selector).first().hover({ timeout: 15000 }); },
  eval: (page, { expression }) => page.evaluate(expression),
  texts: (page, { selector }) => page.locator(selector).allInnerTexts(),
  shot: async (page, { path }) => { await page.screenshot({ path }); },
  // What the pages inside pages show: a preview is two frames deep.
  webviews: async (page) => {
    const found = [];
    for (const frame of page.frames()) {
      if (frame.parentFrame()?.parentFrame()) {
        found.push(await frame.evaluate(() => document.body?.innerText ?? '').catch(() => ''));
      }
    }
    return found;
  },
};

async function main() {
  const browser = await chromium.launch({
    executablePath: process.argv[2], args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await words[order.do](page, order)) ?? null };
    } catch (error) {
      answer = { error: error.message };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await browser.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
