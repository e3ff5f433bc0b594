import { environment, file, run } from "../runtime.mjs"

/** Runs `primitives.ts` on the Node of the edition. */

const { code } = await run(["--import", "tsx", file("bench/primitives.ts")], {
  stdio: "inherit",
  cwd: file("."),
  env: environment
})
process.exitCode = code
