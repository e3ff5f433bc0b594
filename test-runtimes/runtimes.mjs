/** How each runtime runs the suite. */
import { build } from "esbuild"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { delimiter, join } from "node:path"
import { here, run, start } from "./consumer.mjs"

/** A program of this folder's packages. */
const installed = (path) => {
  const program = join(here, "node_modules", path)
  return existsSync(program) ? program : undefined
}

const inPath = (...names) =>
  (process.env.PATH ?? "").split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })

/** The version that a program prints; `undefined` if it does not start here. */
const versionOf = (program) => {
  try {
    return /\d+(?:[.-]\d+)+/.exec(execFileSync(program, ["--version"], { encoding: "utf8", stdio: "pipe" }))?.[0]
  } catch {
    return undefined
  }
}

const server = (name, program, flags, withUndici) => ({
  name,
  program,
  suite: async ({ options, project }) =>
    JSON.parse(await run(program, [...flags, "server.js", JSON.stringify({ ...options, withUndici })], project))
})

const required = {
  name: "require",
  program: process.execPath,
  suite: async ({ options, project }) =>
    JSON.parse(await run(process.execPath, ["required.cjs", JSON.stringify(options)], project))
}

const bundled = async (project, entry, outfile, conditions) => {
  await build({
    absWorkingDir: project,
    entryPoints: [entry],
    outfile: join(project, outfile),
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    conditions,
    logLevel: "silent"
  })
  return join(project, outfile)
}

const workerd = {
  name: "workerd",
  program: installed(".bin/workerd"),
  suite: async ({ options, project }) => {
    await bundled(project, "worker.js", "bundled/worker.js", ["workerd", "worker", "browser"])
    const config = join(project, "bundled", "config.capnp")
    writeFileSync(
      config,
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ( name = "main", worker = .main ),
    ( name = "loopback", network = ( allow = ["local", "private", "public"] ) )
  ],
  sockets = [ ( name = "http", address = "127.0.0.1:0", http = (), service = "main" ) ]
);
const main :Workerd.Worker = (
  modules = [ ( name = "worker.js", esModule = embed "worker.js" ) ],
  compatibilityDate = "2026-07-01",
  globalOutbound = "loopback"
);
`
    )
    const child = start(workerd.program, ["serve", config, "--control-fd=3"], {
      stdio: ["ignore", "inherit", "inherit", "pipe"]
    })
    try {
      const [announced] = await Promise.race([
        once(child.stdio[3], "data"),
        once(child, "exit").then(([code]) => Promise.reject(new Error(`workerd ended with ${code}`)))
      ])
      const { port } = JSON.parse(String(announced).split("\n")[0])
      const response = await fetch(`http://127.0.0.1:${port}`, { method: "POST", body: JSON.stringify(options) })
      return JSON.parse(await response.text())
    } finally {
      child.kill()
    }
  }
}

/** Runs the suite of a bundle of `browser.js` on a page. */
export const inChromium = async (file, options) => {
  const { chromium } = await import("playwright-core")
  const pages = createServer(async (request, response) => {
    if (request.url === "/bundle.js") {
      response.setHeader("content-type", "text/javascript").end(readFileSync(file))
    } else if (request.url === "/log") {
      // The simulator shows its log to no page of another origin.
      response.setHeader("content-type", "application/json").end(await (await fetch(options.log)).text())
    } else {
      response.setHeader("content-type", "text/html").end(`<script type="module" src="/bundle.js"></script>`)
    }
  }).listen(0, "127.0.0.1")
  await once(pages, "listening")
  const browser = await chromium.launch({
    executablePath: chromiumProgram,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
  })
  try {
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${pages.address().port}/`)
    await page.waitForFunction(() => "check" in globalThis)
    return await page.evaluate((options) => globalThis.check(options), { ...options, log: "/log" })
  } finally {
    await browser.close()
    pages.close()
  }
}

export const chromiumProgram = inPath("chromium", "chromium-browser", "google-chrome")

const chromium = {
  name: "Chromium",
  program: chromiumProgram,
  suite: async ({ options, project }) =>
    inChromium(await bundled(project, "browser.js", "bundled/browser.js", []), options)
}

/** All of them. One whose program is not here is left out. */
export const runtimes = [
  server("Node", process.execPath, [], true),
  required,
  server("Node 22", installed("node-22/bin/node"), [], true),
  server("Node, newest", installed("node-newest/bin/node"), [], true),
  server("Bun", installed(".bin/bun"), ["run"], false),
  server("Deno", installed(".bin/deno"), ["run", "--allow-all", "--quiet", "--node-modules-dir=manual"], false),
  chromium,
  workerd
].map((runtime) => ({ ...runtime, version: runtime.program && versionOf(runtime.program) }))
