import type { HttpServer } from "@effect/platform/HttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { LlmProvider } from "../../LlmProvider.js"
import * as Simulator from "../Simulator.js"
import { Harness, type HarnessService, type Situation } from "./harness.js"

const key = "sk-conformance-0123456789abcdef"

/** A body that every protocol can read: they differ in the fields around the error, not within it. */
const quoting = {
  body: {
    type: "error",
    error: {
      type: "authentication_error",
      code: "invalid_api_key",
      message: `Incorrect API key provided: ${key}. Find yours in the dashboard.`
    }
  }
}

// More events than open a stream in any protocol.
const afterEvents = 8

const faultOf = (situation: Situation): Simulator.Fault => {
  switch (situation) {
    case "healthy":
      return Simulator.ok
    case "unauthorized":
      return Simulator.status(401)
    case "keyQuoted":
      return Simulator.status(401, quoting)
    case "forbidden":
      return Simulator.status(403)
    case "unknownModel":
      return Simulator.status(404)
    case "badRequest":
      return Simulator.status(400)
    case "rateLimited":
      return Simulator.status(429, { retryAfter: "7 seconds" })
    case "outOfCredit":
      return Simulator.quota("credit")
    case "overloaded":
      return Simulator.status(529)
    case "serverError":
      return Simulator.status(500)
    case "html":
      return Simulator.html(200)
    case "halfJson":
      return Simulator.halfJson
    case "emptyBody":
      return Simulator.emptyBody()
    case "reset":
      return Simulator.reset
    case "silence":
      return Simulator.silence
    case "cutStream":
      return Simulator.cutStream({ afterEvents })
    case "endlessStream":
      return Simulator.endStream({ afterEvents })
    case "errorInStream":
      return Simulator.errorEvent({ afterEvents, status: 500 })
    case "stalledStream":
      return Simulator.stalledStream({ afterEvents })
  }
}

const harnessOf = (simulator: Simulator.Service): HarnessService => {
  const count = (holds: (request: Simulator.ReceivedRequest) => boolean) =>
    Effect.map(simulator.requests, (requests) => requests.filter(holds).length)
  return {
    provoke: (situation) => simulator.setFaults(Simulator.always(faultOf(situation))),
    received: count(() => true),
    aborted: count(({ outcome }) => outcome === "aborted"),
    secrets: [key]
  }
}

/**
 * Runs a provider against the simulator, which plays all situations: for providers of the protocols that the simulator
 * speaks. The function gets the simulator's address and a key. Provide an `HttpServer` that listens on a free port of the
 * loopback interface.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { Anthropic } from "effect-llm"
 * import { Conformance } from "effect-llm/testing"
 *
 * const provider = Conformance.simulated(({ apiKey, url }) => Anthropic.layer({ apiKey, baseUrl: url }))
 * ```
 */
export const simulated = <E, R>(
  provider: (service: { readonly url: string; readonly apiKey: Redacted.Redacted }) => Layer.Layer<LlmProvider, E, R>
): Layer.Layer<LlmProvider | Harness, E, R | HttpServer> =>
  Layer.flatMap(Simulator.layer(), (context) => {
    const simulator = Context.get(context, Simulator.Simulator)
    return Layer.merge(
      provider({ url: simulator.url, apiKey: Redacted.make(key) }),
      Layer.succeed(Harness, harnessOf(simulator))
    )
  })
