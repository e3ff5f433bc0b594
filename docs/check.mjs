/**
 * Looks at the built site in Chromium: each page is two clicks from the first one, none is wider than a telephone, and the
 * search finds them. Screenshots go into the folder that is given.
 *
 *   node docs/check.mjs [folder for screenshots]
 */
import { strict as assert } from "node:assert"
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:http"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync)
if (executablePath === undefined) {
  console.log("Chromium is not installed: the site is not looked at")
  process.exit(0)
}

const [, , screenshots] = process.argv
const site = fileURLToPath(new URL(".vitepress/dist", import.meta.url))
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" }

const fileOf = (path) =>
  [path, `${path}.html`, join(path, "index.html")]
    .map((each) => join(site, each))
    .find((file) => existsSync(file) && statSync(file).isFile())

const server = createServer((request, response) => {
  const file = fileOf(decodeURIComponent(new URL(request.url, "http://localhost").pathname))
  if (file === undefined) return response.writeHead(404).end()
  response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(
    readFileSync(file)
  )
})
await new Promise((listening) => server.listen(0, "127.0.0.1", listening))
const base = `http://127.0.0.1:${server.address().port}`

const pagesIn = (folder) =>
  readdirSync(join(site, folder))
    .filter((file) => file.endsWith(".html"))
    .map((file) => `/${folder}/${file.slice(0, -".html".length)}`.replace(/\/index$/, "/"))
const pages = [...pagesIn("guide"), ...pagesIn("cookbook"), ...pagesIn("api")]

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync"]
})
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  const linksOf = async (path) => {
    await page.goto(base + path, { waitUntil: "load" })
    const links = await page.$$eval("a[href]", (anchors) => anchors.map(({ href }) => href))
    return links.map((link) => new URL(link)).filter(({ origin }) => origin === base)
      .map(({ pathname }) => pathname.replace(/\.html$/, ""))
  }
  const first = new Set(await linksOf("/"))
  const second = new Set(first)
  for (const path of first) if (fileOf(path) !== undefined) { for (const link of await linksOf(path)) second.add(link) }
  assert.deepEqual(pages.filter((path) => !second.has(path)), [], "pages that are not two clicks away")

  await page.goto(`${base}/guide/calls`, { waitUntil: "networkidle" })
  await page.keyboard.press("Control+k")
  await page.locator(".VPLocalSearchBox .search-input").fill("Retry-After")
  await page.waitForSelector(".VPLocalSearchBox .result")

  await page.setViewportSize({ width: 375, height: 740 })
  for (const path of ["/", ...pages]) {
    await page.goto(base + path, { waitUntil: "load" })
    const width = await page.evaluate("document.documentElement.scrollWidth")
    assert.ok(width <= 375, `${path} is ${width} pixels wide on a telephone`)
  }

  if (screenshots !== undefined) {
    mkdirSync(screenshots, { recursive: true })
    for (const [width, name] of [[1280, "wide"], [375, "telephone"]]) {
      await page.setViewportSize({ width, height: 900 })
      for (
        const path of ["/", "/guide/start", "/guide/policies", "/guide/errors", "/cookbook/tickets", "/api/LlmClient"]
      ) {
        await page.goto(base + path, { waitUntil: "networkidle" })
        await page.screenshot({
          path: join(screenshots, `${path.replaceAll("/", "-").slice(1) || "home"}-${name}.png`)
        })
      }
    }
  }
  console.log(`${pages.length} pages are reachable in two clicks, and fit a telephone`)
} finally {
  await browser.close()
  server.close()
}
