import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const { exports, name }: { readonly name: string; readonly exports: { readonly [subPath: string]: string } } = JSON
  .parse(readFileSync(file("generated/package.json"), "utf8"))

const exactly = (specifier: string): RegExp => new RegExp(`^${specifier.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`)

// Tests import the package as its users do; what they get is the renamed source.
const alias = [
  ...Object.entries(exports)
    .filter(([, target]) => target.startsWith("./dist/"))
    .map(([subPath, target]) => ({
      find: exactly(name + subPath.slice(1)),
      replacement: file(target.replace("./dist/", "./generated/src/").replace(/\.js$/, ".ts"))
    })),
  { find: exactly("#sha256"), replacement: file("generated/src/internal/sha256.node.ts") }
]

export default defineConfig({
  root: file("generated"),
  resolve: { alias },
  test: {
    include: ["test/**/*.test.ts"],
    setupFiles: [file("skip.ts")],
    pool: "forks",
    maxWorkers: 2,
    execArgv: ["--expose-gc"],
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
