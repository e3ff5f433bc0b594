/**
 * Measures the bundle of a program that makes one call over fetch: minified, tree-shaken, zipped. Modules of Node count
 * nothing, as they are there anyway.
 *
 *   node measure/bundle.mjs <client>
 */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const { metafile, outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL(`../bundles/${process.argv[2]}.mjs`, import.meta.url))],
  bundle: true,
  minify: true,
  treeShaking: true,
  platform: "node",
  target: "node20",
  format: "esm",
  write: false,
  metafile: true,
  logLevel: "error"
})

const bytes = outputFiles[0].contents
process.stdout.write(`\n${
  JSON.stringify({
    figures: {
      bundle: {
        kibibytes: gzipSync(bytes, { level: 9 }).length / 1024,
        minified: bytes.length / 1024,
        modules: Object.keys(metafile.inputs).length
      }
    }
  })
}\n`)
