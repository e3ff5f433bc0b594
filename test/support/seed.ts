/**
 * In continuous integration properties are tried on the same values each time, so that a change fails by what it does and
 * not by luck. Elsewhere each run has values of its own.
 */
import * as FastCheck from "effect/FastCheck"

if (process.env["CI"] !== undefined) FastCheck.configureGlobal({ seed: 20_261_130 })
