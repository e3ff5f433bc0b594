import { cut, emptyBody, halfJson, html, quota, reset, silence, stalledBody, status } from "./answerFaults.js"
import type { Fault } from "./fault.js"
import {
  byteByByte,
  crlfLines,
  cutStream,
  doneWithoutFinish,
  duplicateStart,
  endStream,
  errorEvent,
  keepAlives,
  noTerminalMarker,
  stalledStream
} from "./streamFaults.js"

export * from "./answerFaults.js"
export { describe, type Fault, type StatusOptions, type StreamPlace } from "./fault.js"
export * from "./streamFaults.js"

/**
 * Faults by name. The next attempt after a `transient` one may succeed; a client needs a time limit to notice `silence` and
 * `stalledBody`. Those in `stream` break a streamed answer after its beginning. Those in `harmless` do not affect a correct
 * client.
 *
 * @since 0.1.0
 * @category faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.perPrompt(Object.values(Simulator.faults.transient)) })
 * ```
 */
export const faults = {
  transient: {
    rateLimited: status(429, { retryAfter: "1 second" }),
    overloaded: status(529),
    unavailable: status(503),
    serverError: status(500),
    badGateway: html(502),
    gatewayTimeout: status(504),
    requestTimeout: status(408),
    conflict: status(409),
    halfJson,
    emptyBody: emptyBody(),
    captivePortal: html(200),
    reset,
    cut,
    silence,
    stalledBody: stalledBody({ afterBytes: 32 })
  },
  permanent: {
    badRequest: status(400),
    unauthorized: status(401),
    forbidden: status(403),
    notFound: status(404),
    tooLarge: status(413),
    unprocessable: status(422),
    outOfCredit: quota("credit"),
    spendLimit: quota("spendLimit"),
    usageLimit: quota("usageLimit")
  },
  stream: {
    cutStream: cutStream({ afterEvents: 3 }),
    endStream: endStream({ afterEvents: 3 }),
    errorEvent: errorEvent({ afterEvents: 3, status: 529 }),
    stalledStream: stalledStream({ afterEvents: 3 }),
    keepAlives: keepAlives({ afterEvents: 3 }),
    noTerminalMarker,
    doneWithoutFinish
  },
  harmless: { duplicateStart, crlfLines, byteByByte }
} as const satisfies Record<string, Readonly<Record<string, Fault>>>
