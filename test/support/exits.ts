import { assert } from "@effect/vitest"
import type * as LlmError from "effect-llm/LlmError"
import type * as Exit from "effect/Exit"

/** The failure of an exit that must be a typed one. */
export const errorOf = (exit: Exit.Exit<unknown, LlmError.LlmError>): LlmError.LlmError => {
  assert(exit._tag === "Failure" && exit.cause._tag === "Fail", `Expected a failure, but got ${String(exit)}`)
  return exit.cause.error
}

/** The value of an exit that must be a success. */
export const valueOf = <A, E>(exit: Exit.Exit<A, E>): A => {
  assert(exit._tag === "Success", `Expected a success, but got ${String(exit)}`)
  return exit.value
}
