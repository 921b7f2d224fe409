// Opens Swagger UI in a real headless browser as a stranger would: logs in with the Authorize button, lists courses, reads one.
// Usage: node swagger.mjs [base URL] [e-mail] [password] [folder for screenshots]; see README.md beside this file.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base = "http://127.0.0.1:8080", email = "admin@example.org", password = "correct-horse-battery", folder = "screenshots"] =
  process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
const complaints = [];
page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
page.on("console", (message) => message.type() === "error" && complaints.push(`console: ${message.text()}`));

let shots = 0;
const shoot = (name) => page.screenshot({ path: join(folder, `${++shots}-${name}.png`) });

/** Opens an operation, fills its parameters, executes it and answers status and parsed body. */
async function execute(operationId, parameters = {}) {
  const block = page.locator(`.opblock[id$="-${operationId}"]`);
  await block.locator(".opblock-summary-control").first().click();
  await block.locator(".btn.execute").waitFor();
  for (const [name, value] of Object.entries(parameters)) {
    await block.locator(`tr[data-param-name="${name}"] input`).fill(value);
  }
  await block.locator(".btn.execute").click();
  const live = block.locator(".live-responses-table .response");
  await live.waitFor();
  await block.scrollIntoViewIfNeeded();
  await shoot(operationId);
  const status = Number((await live.locator(".response-col_status").innerText()).trim().split(/\s/)[0]);
  const body = await page.evaluate(
    async ([url, token]) => (await fetch(url, { headers: { authorization: token } })).json(),
    [await block.locator(".request-url pre").innerText(), await authorization(block)],
  );
  return { status, body };
}

/** The header that Swagger UI itself sent, as its curl line shows it. */
async function authorization(block) {
  const curl = await block.locator(".curl-command").innerText();
  return curl.match(/authorization: (Bearer [^'"]+)/i)?.[1] ?? "";
}

try {
  await page.goto(`${base}/docs/`);
  await page.locator(".opblock").first().waitFor();
  await shoot("first-sight");

  await page.locator(".auth-wrapper .btn.authorize").first().click();
  const form = page.locator(".auth-container").filter({ hasText: "email_and_password (OAuth2, password)" });
  await form.locator("#oauth_username").fill(email);
  await form.locator("#oauth_password").fill(password);
  await shoot("authorize");
  await form.locator(".btn.authorize").click();
  await form.getByText("Logout").waitFor({ timeout: 10_000 });
  await shoot("authorized");
  await page.locator(".modal-ux .close-modal").click();

  const list = await execute("list_courses");
  if (list.status !== 200 || !list.body.items?.length) throw new Error(`list_courses: ${list.status}, no course to read`);
  const [first] = list.body.items;
  const one = await execute("get_course", { course_id: first.id });
  if (one.status !== 200 || one.body.title !== first.title) throw new Error(`get_course: ${one.status}`);
  if (complaints.length) throw new Error(complaints.join("\n"));
  console.log(`logged in, listed ${list.body.items.length} courses, read “${one.body.title}”; screenshots in ${folder}/`);
} catch (error) {
  await shoot("failure");
  console.error(complaints.join("\n"));
  throw error;
} finally {
  await browser.close();
}
