/**
 * Packs the built edition, and installs it in empty folders as a user would: with Effect 4, where each sub-path that needs
 * no optional package is imported and a call answered; and with Effect 3, where npm refuses it, and an import after a forced
 * install fails as README says.
 */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { file, node } from "./runtime.mjs"

const temporary = mkdtempSync(join(tmpdir(), "effect-llm-edition4-"))
const { exports, name, peerDependencies, version } = JSON.parse(readFileSync(file("generated/package.json"), "utf8"))

const npm = (args, cwd) => spawnSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const run = (code, cwd) =>
  spawnSync(node, ["--input-type=module", "--eval", code], { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })

const ended = ({ status, stderr, stdout }, what) => {
  assert.equal(status, 0, `${what}\n${stdout}${stderr}`)
  return stdout.trim()
}

const project = (folder) => {
  const path = join(temporary, folder)
  mkdirSync(path)
  writeFileSync(join(path, "package.json"), JSON.stringify({ name: folder, private: true, type: "module" }))
  return path
}

const quietly = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"]

const specifiers = Object.keys(exports)
  .filter((subPath) => subPath !== "./package.json")
  .map((subPath) => name + subPath.slice(1))
const optional = Object.keys(peerDependencies).filter((peer) => peer !== "effect")

const importAll = `
const needing = {}
for (const specifier of ${JSON.stringify(specifiers)}) {
  try {
    const module = await import(specifier)
    if (Object.keys(module).length === 0) throw new Error(specifier + " exports nothing")
  } catch (error) {
    const missing = /Cannot find package '([^']+)'/.exec(error.message)?.[1]
    if (!${JSON.stringify(optional)}.includes(missing)) throw error
    needing[specifier] = missing
  }
}
console.log(JSON.stringify(needing))
`

const call = `
import { Effect, Layer } from "effect"
import { LlmCache, LlmClient, LlmLogger } from "effect-llm"
import { LlmTest } from "effect-llm/testing"
const program = Effect.map(LlmClient.call({ model: "m", prompt: "Name a river." }), ({ text }) => text)
const Live = LlmClient.layer().pipe(
  Layer.provide([LlmTest.layer(["Elbe"]), LlmCache.layerMemory(), LlmLogger.layerSilent])
)
console.log(await Effect.runPromise(Effect.provide(program, Live)))
`

try {
  ended(npm(["pack", "--silent", "--ignore-scripts", "--pack-destination", temporary], file("generated")), "npm pack")
  const [tarball] = readdirSync(temporary).filter((name) => name.endsWith(".tgz"))
  const packed = join(temporary, tarball)

  const right = project("right")
  ended(npm(["install", ...quietly, packed, `effect@${peerDependencies.effect}`], right), "npm install with Effect 4")
  const needing = JSON.parse(ended(run(importAll, right), "imports"))
  assert(Object.keys(needing).length < specifiers.length / 4, `these need more than effect: ${JSON.stringify(needing)}`)
  assert.equal(ended(run(call, right), "a call"), "Elbe")

  const wrong = project("wrong")
  const refused = npm(["install", ...quietly, packed, "effect@3"], wrong)
  assert.notEqual(refused.status, 0, "npm installs the edition for Effect 4 beside Effect 3")
  assert.match(refused.stderr, /ERESOLVE/)
  assert(refused.stderr.includes(`peer effect@"${peerDependencies.effect}" from ${name}@${version}`), refused.stderr)
  ended(npm(["install", ...quietly, "--legacy-peer-deps", packed, "effect@3"], wrong), "a forced npm install")
  const failed = run(`await import(${JSON.stringify(name)})`, wrong)
  assert.notEqual(failed.status, 0, "the edition for Effect 4 imports on Effect 3")
  assert.match(
    failed.stderr,
    /Package subpath '\.\/encoding\/Base64' is not defined by "exports" in \S+\/node_modules\/effect\/package\.json/
  )

  console.log(
    `${specifiers.length - Object.keys(needing).length} sub-paths of the packed edition import with effect alone, ${
      Object.keys(needing).length
    } name the package that they need; a call is answered; Effect 3 is refused.`
  )
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
