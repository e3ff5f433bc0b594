/** An empty project that installs the packed library, as a user would. */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** The manifest of the library. */
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

/** Runs a command to its end, and returns what it printed. A status other than 0 is an error, with all output. */
export const run = (command, args, cwd) => {
  const { status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"]
  })
  assert.equal(status, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`)
  return stdout.trim()
}

/** Runs npm where it may have to download: once more where the network failed it. */
const npmInstall = (args, cwd) => {
  try {
    run("npm", ["install", ...args], cwd)
  } catch (error) {
    console.error(`${error.message}\nOnce more:`)
    run("npm", ["install", ...args], cwd)
  }
}

const versionOf = (name) => JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version

/**
 * Makes the project in an empty folder: the library, its peers and further packages, at the versions of the repository.
 * With `built` it packs `dist` as it is, instead of building it first. With `typesOnly` nothing is compiled for the machine.
 */
export const install = (folder, { built = false, packages = [], typesOnly = false } = {}) => {
  const without = (scripts) => scripts ? [] : ["--ignore-scripts"]
  run("npm", ["pack", "--silent", ...without(!built), "--pack-destination", folder], root)
  const [tarball] = readdirSync(folder).filter((file) => file.endsWith(".tgz"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }))
  // Users of undici have the types of Node.
  const names = new Set([...Object.keys(manifest.peerDependencies), "@types/node", ...packages])
  const versions = [...names].map((name) => `${name}@${versionOf(name)}`)
  const quietly = ["--silent", "--no-audit", "--no-fund", "--prefer-offline", ...without(!typesOnly)]
  npmInstall([...quietly, `./${tarball}`, ...versions], folder)
}
