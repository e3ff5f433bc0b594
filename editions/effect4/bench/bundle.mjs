import { build } from "esbuild"
import { gzipSync } from "node:zlib"
import { file } from "../runtime.mjs"

/** What the bundles of `hello.mjs` and `floor.mjs` are made of, after `npm run edition:4`. */

const bundle = async (entry) => {
  const { metafile, outputFiles } = await build({
    entryPoints: [file(`bench/${entry}`)],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
    plugins: [{
      name: "sha256",
      setup: ({ onResolve }) =>
        onResolve({ filter: /^#sha256$/ }, () => ({ path: file("generated/dist/internal/sha256.noble.js") }))
    }]
  })
  const [{ inputs }] = Object.values(metafile.outputs)
  const parts = new Map()
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const part = partOf(path)
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  return {
    zipped: gzipSync(outputFiles[0].contents, { level: 9 }).length,
    bytes: outputFiles[0].contents.length,
    parts
  }
}

/** A room of the library, a module of Effect, or another package. */
const partOf = (path) => {
  const room = /generated\/dist\/([^/]+)/.exec(path)?.[1]
  if (room !== undefined) return `effect-llm: ${room.endsWith(".js") ? "the services" : room}`
  const module = /node_modules\/effect\/dist\/(.+)\.js$/.exec(path)?.[1]
  if (module === undefined) return /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? "the program"
  const [home, internal] = module.split("/")
  return `effect: ${home === "internal" ? `internal/${internal}` : /^Schema/.test(home) ? "Schema*" : home}`
}

const kibibytes = (bytes) => (bytes / 1024).toFixed(1)

const hello = await bundle("hello.mjs")
const floor = await bundle("floor.mjs")
console.log(`hello.mjs ${kibibytes(hello.zipped)} KiB zipped, ${kibibytes(hello.bytes)} KiB`)
console.log(`floor.mjs ${kibibytes(floor.zipped)} KiB zipped, ${kibibytes(floor.bytes)} KiB`)
for (const [part, bytes] of [...hello.parts].sort(([, a], [, b]) => b - a)) {
  if (bytes < 1024) continue
  console.log(`${part.padEnd(32)} ${kibibytes(bytes).padStart(6)} ${kibibytes(floor.parts.get(part) ?? 0).padStart(6)}`)
}
