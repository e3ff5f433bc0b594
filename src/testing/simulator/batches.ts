import * as Duration from "effect/Duration"
import * as Anthropic from "./anthropic/batches.js"
import type { Batches } from "./batches/endpoint.js"
import type { Worker } from "./batches/work.js"
import * as Gemini from "./gemini/batches.js"
import * as OpenAi from "./openai/batches.js"

/** The batch APIs of all services, with batches of the given duration. */
export const make = ({ takes, ...worker }: Worker & { readonly takes: Duration.Duration }): Batches => {
  // Their paths are like each other's: OpenAI's are the shortest.
  const services = [Anthropic, Gemini, OpenAi].map(({ make }) => make(worker, Duration.toMillis(takes)))
  return {
    protocols: services.flatMap(({ protocols }) => protocols),
    clear: () => {
      for (const { clear } of services) clear()
    }
  }
}
