import type * as Facts from "../modelFacts.js"

/** The service that a request goes to. */
export interface Service {
  readonly name: string
  /** The time for which the service caches the beginning of a prompt. */
  readonly promptCache: "5m" | "1h" | undefined
  /** The version of the protocol: a date. */
  readonly version: string
  readonly factsOf: Facts.FactsOf
}
