import * as Duration from "effect/Duration"
import * as Anthropic from "./anthropic/batches.js"
import type { Worker } from "./batches/work.js"
import * as Gemini from "./gemini/batches.js"
import * as OpenAi from "./openai/batches.js"
import type { Protocol } from "./protocol.js"

/** The batch APIs of the services, and an effect on all that they keep. */
export interface Batches {
  readonly protocols: ReadonlyArray<Protocol>
  readonly clear: () => void
}

/** Makes a place for batches that take so long each. */
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
