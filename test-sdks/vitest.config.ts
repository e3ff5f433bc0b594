import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import parent from "../vitest.config.js"

const folder = fileURLToPath(new URL(".", import.meta.url))

export default defineConfig({
  ...parent,
  test: {
    ...parent.test,
    root: folder,
    include: ["*.test.ts"],
    setupFiles: [fileURLToPath(new URL("loopback.ts", import.meta.url))]
  }
})
