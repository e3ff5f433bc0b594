import type { LlmRequest } from "../../domain/LlmRequest.js"
import type * as Json from "../../wire/json.js"
import * as Unsent from "../unsent.js"

// Settings that other protocols have, under this one's names.

/** The tier of service in this protocol. */
interface Tier {
  readonly value?: "auto" | "standard_only"
  readonly warnings: ReadonlyArray<string>
}

/** The service gives an account's own priority to any request that does not decline it, and has no cheaper tier. */
export const serviceTier = ({ serviceTier }: LlmRequest, name: string): Tier => {
  switch (serviceTier) {
    case undefined:
      return { warnings: [] }
    case "auto":
      return { value: "auto", warnings: [] }
    case "standard":
      return { value: "standard_only", warnings: [] }
    case "priority":
      return {
        value: "auto",
        warnings: [Unsent.sentAs("serviceTier", "auto", `${name} gives priority to accounts, not to requests`)]
      }
    case "flex":
      return { warnings: [Unsent.notSent("serviceTier", `${name} does not take flex`)] }
  }
}

/** A choice with the field that keeps the model from several calls at once: by default it may make them. */
export const parallelCalls = (
  choice: Json.JsonObject | undefined,
  { parallelToolCalls }: LlmRequest
): Json.JsonObject | undefined =>
  parallelToolCalls === false && choice?.type !== "none"
    ? { ...choice ?? { type: "auto" }, disable_parallel_tool_use: true }
    : choice
