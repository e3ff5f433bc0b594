/** What bundlers make of the library, each run where it belongs, and what compilers say of its declarations. */
import { build } from "esbuild"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { here, root, run } from "./consumer.mjs"
import { chromiumProgram, inChromium } from "./runtimes.mjs"

const { resolve } = createRequire(join(here, "package.json"))

const versionIn = (folder, name) => {
  const manifest = join(folder, "node_modules", name, "package.json")
  return existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : undefined
}

/** The bundle of a bundler is run by Chromium; without one, nothing is shown and the bundler is left out. */
const bundler = (name, version, bundle) => ({
  name,
  version: chromiumProgram && version,
  suite: async ({ options, project }) => inChromium(await bundle(project), options)
})

const vite = async (project) => {
  const { build: bundle } = await import(pathToFileURL(resolve("vite")).href)
  await bundle({
    root: project,
    configFile: false,
    logLevel: "error",
    build: {
      outDir: "vite",
      target: "es2022",
      lib: { entry: "browser.js", formats: ["es"], fileName: () => "browser.js" }
    }
  })
  return join(project, "vite/browser.js")
}

const webpack = async (project) => {
  const { default: pack } = await import(pathToFileURL(resolve("webpack")).href)
  const compiler = pack({
    context: project,
    entry: "./browser.js",
    mode: "production",
    target: ["web", "es2022"],
    // Minifying takes longer than all the rest, and is webpack's own business.
    optimization: { minimize: false },
    output: { path: join(project, "webpack"), filename: "browser.js" }
  })
  await new Promise((done, fail) =>
    compiler.run((error, stats) => {
      if (error) fail(error)
      else if (stats.hasErrors()) fail(new Error(stats.toString({ all: false, errors: true })))
      else done()
    })
  )
  return join(project, "webpack/browser.js")
}

/** One file for Node, as functions in the cloud are deployed: it is run without a folder of packages. */
const forNode = {
  name: "esbuild for Node",
  version: versionIn(root, "esbuild"),
  suite: async ({ folder, options, project }) => {
    const outfile = join(folder, "bundle.mjs")
    await build({
      absWorkingDir: project,
      entryPoints: ["server.js"],
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      // CommonJS packages in the bundle ask for Node's own modules.
      banner: { js: `import { createRequire } from "node:module"; const require = createRequire(import.meta.url)` },
      logLevel: "silent"
    })
    return JSON.parse(await run(process.execPath, [outfile, JSON.stringify({ ...options, withUndici: true })], folder))
  }
}

export const bundlers = [
  forNode,
  bundler("Vite", versionIn(here, "vite"), vite),
  bundler("webpack", versionIn(here, "webpack"), webpack)
]

// ---------------------------------------------------------------------------------------------------------------------
// TypeScript
// ---------------------------------------------------------------------------------------------------------------------

/** All public modules that need no package beside those that README installs, and README's first program. */
const sources = () => {
  const { exports, name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const optional = ["./AwsSignature", "./EffectAi", "./GenaiPrices", "./RedisStores", "./SqlStores", "./package.json"]
  return Object.keys(exports)
    .filter((subPath) => !optional.includes(subPath))
    .map((subPath, n) => `export * as M${n} from "${name}${subPath.slice(1)}"\n`)
    .join("")
}

const compiler = (name, folder, packageName, skipLibCheck) => ({
  name: `${name}, skipLibCheck: ${skipLibCheck}`,
  version: versionIn(folder, packageName),
  suite: async ({ project }) => {
    const id = `${packageName}-${skipLibCheck}`
    writeFileSync(join(project, "modules.ts"), sources())
    writeFileSync(
      join(project, `tsconfig.${id}.json`),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          exactOptionalPropertyTypes: true,
          skipLibCheck,
          noEmit: true,
          target: "es2022",
          lib: ["es2023", "dom", "dom.iterable"],
          module: "nodenext",
          moduleResolution: "nodenext",
          types: ["node"]
        },
        files: ["modules.ts", "first.ts"]
      })
    )
    const tsc = join(folder, "node_modules", packageName, "bin/tsc")
    await run(process.execPath, [tsc, "--project", `tsconfig.${id}.json`], project)
    return { passed: ["modules", "README's first program"], problems: [] }
  }
})

export const compilers = [
  // The declarations of Effect itself need 5.7: 5.4 knows no `Uint8Array<ArrayBuffer>`.
  compiler("TypeScript 5.4", here, "typescript-5.4", true),
  compiler("TypeScript", root, "typescript", false),
  compiler("TypeScript, newest", here, "typescript-newest", false)
]
