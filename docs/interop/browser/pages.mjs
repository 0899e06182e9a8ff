// Uses the web pages at the address given in a real Chromium, as people do. It
// exits with 1 at the first thing that keeps somebody from using them.
//
//   npm ci && TOKEN=sharetrail_... node pages.mjs http://127.0.0.1:8080/
//
// The actor must be allowed both pages, and the address book have
// org:contoso-parcels. It records one share about email:canary.browser@example.com.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const base = process.argv[2];
const token = process.env.TOKEN;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const person = "canary.browser@example.com";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", timeout: 120_000,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--lang=en-US"],
});

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-US", ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.on("pageerror", (e) => { throw e; });
  page.on("console", (m) => {
    // What the pages' policy forbids, and errors of the script; not the statuses
    // of refusals.
    if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) throw new Error(m.text());
  });
  return page;
}

// barriers fails on what axe finds, and on a page that is wider than its window.
async function barriers(page, where) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" ")}`), [], `barriers on ${where}`);
  assert.ok(found.passes.length > 10, `axe looked at nothing on ${where}`);
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= window, `${where} is ${wide} wide in a window of ${window}`);
}

// tabTo presses Tab until the element has the focus, which must be visible.
async function tabTo(page, selector) {
  for (let i = 0; i < 120; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) {
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.notEqual(outline, "none", `the focus on ${selector} cannot be seen`);
      return;
    }
  }
  assert.fail(`${selector} cannot be reached with Tab`);
}

async function type(page, selector, text) {
  await tabTo(page, selector);
  await page.keyboard.insertText(text);
}

async function signIn(page) {
  await page.goto(base);
  await page.fill("#token", token);
  await page.press("#token", "Enter");
  await page.getByRole("heading", { name: "What would you like to do?" }).waitFor();
}

// The keyboard alone: from signing in to a recorded share.
const page = await open({ colorScheme: "light" });
await page.goto(base);
await barriers(page, "the page to sign in");
assert.equal(await page.evaluate(() => document.activeElement.id), "token");
await page.keyboard.insertText("sharetrail_wrong");
await page.keyboard.press("Enter");
await page.getByText("That token does not work").waitFor();
await barriers(page, "a wrong token");
await page.fill("#token", token);
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "What would you like to do?" }).waitFor();
await barriers(page, "the start");
await tabTo(page, ".skip");
await tabTo(page, 'nav a[href="/record"]');
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Record a share" }).waitFor();
await barriers(page, "the empty form");

// Wrong input first: nothing but a description.
await type(page, "#description", "canary of the browser");
await tabTo(page, "button.main");
await page.keyboard.press("Enter");
await page.getByText("please check 6 fields").waitFor();
await barriers(page, "the form with errors");
assert.equal(await page.inputValue("#description"), "canary of the browser");
assert.match(await page.title(), /^Please check: /);
assert.ok(await page.evaluate(() => document.activeElement.matches(".wrong-list")), "the list of errors has no focus");
await page.keyboard.press("Tab");
await page.keyboard.press("Enter"); // the first link of the list
assert.equal(await page.evaluate(() => document.activeElement.id), "recipient");
await page.keyboard.insertText("Contoso Parcels (sample)");
await tabTo(page, 'input[value="provide_product"]');
await page.keyboard.press("Space");
await tabTo(page, 'input[name="data"][value="postal address"]');
await page.keyboard.press("Space");
await type(page, "#subjects", person);
await tabTo(page, "#date");
await page.keyboard.type("03042026"); // month, day, year: the browser's own field
await type(page, "#statement", "privacy-statement/2026-01");
assert.equal(await page.inputValue("#date"), "2026-03-04");
await page.locator("details.card").first().evaluate((d) => { d.open = true; });
const evidence = Buffer.from("an invoice");
await page.setInputFiles("#evidence_file", { name: "invoice.pdf", mimeType: "application/pdf", buffer: evidence });
await page.waitForFunction(() => document.getElementById("evidence_type").value !== "");
assert.equal(await page.inputValue("#evidence_sha256"), createHash("sha256").update(evidence).digest("hex"));
assert.equal(await page.inputValue("#evidence_size"), String(evidence.length));
await page.focus("#statement");
await tabTo(page, "button.main");
await page.keyboard.press("Enter");
await page.getByRole("heading", { name: "Check before recording" }).waitFor();
await barriers(page, "the preview");
await page.getByText("canary of the browser").waitFor();

// A double click, a reload, and the way back: one share.
await page.getByRole("button", { name: "Record this share" }).dblclick();
await page.getByRole("heading", { name: "The share is recorded" }).waitFor();
const recorded = page.url();
await barriers(page, "the confirmation");
await page.reload();
await page.getByRole("heading", { name: "The share is recorded" }).waitFor();

// The report, on a narrow screen, in the dark, and on paper.
async function report(page) {
  await page.goto(base + "report");
  await page.fill("#subject", "canary");
  await page.press("#subject", "Enter");
  await page.getByText("No report yet").waitFor();
  assert.equal(await page.inputValue("#subject"), "canary");
  await barriers(page, "the wrong name");
  await page.fill("#subject", person);
  await page.press("#subject", "Enter");
  await page.getByRole("heading", { name: "Who has the data of" }).waitFor();
  await page.getByText(/VERIFIED, COMPLETE for everything .*: 1 entry about/).waitFor();
  await barriers(page, "the report");
}
await report(page);
const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download the report" }).click()]);
assert.match(download.suggestedFilename(), /^report-[0-9a-f]{8}\.sharetrail$/);
await page.emulateMedia({ media: "print" });
assert.equal(await page.locator("header.top").isVisible(), false);
assert.equal(await page.getByText(/VERIFIED, COMPLETE for everything .*: 1 entry about/).isVisible(), true);
assert.doesNotMatch(page.url() + (await page.title()) + recorded, /canary/);
await page.context().close();

for (const options of [{ viewport: { width: 320, height: 640 }, colorScheme: "dark" }]) {
  const page = await open(options);
  await signIn(page);
  await barriers(page, "the start, narrow");
  await page.goto(base + "record");
  await barriers(page, "the form, narrow");
  await page.click("button.main");
  await page.getByText("please check").waitFor();
  await barriers(page, "the form with errors, narrow");
  await page.goto(recorded);
  await barriers(page, "the confirmation, narrow");
  await report(page);
  await page.context().close();
}

// Without scripts everything works too; recording the same again would be seen by
// whoever counts the entries.
{
  const page = await open({ javaScriptEnabled: false });
  await signIn(page);
  await page.goto(base + "record");
  await page.click("button.main");
  await page.getByText("please check 6 fields").waitFor();
  await page.goto(base + "report");
  await page.fill("#subject", person);
  await page.press("#subject", "Enter");
  await page.getByRole("heading", { name: "Who has the data of" }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}
await browser.close();
