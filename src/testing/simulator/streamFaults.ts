import type * as Duration from "effect/Duration"
import { type Fault, fault, type StreamPlace } from "./fault.js"

/**
 * Closes the connection in the middle of a streamed answer.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const afterTheThirdEvent = Simulator.cutStream({ afterEvents: 3 })
 * const anywhere = (offset: number) => Simulator.cutStream({ afterBytes: offset })
 * ```
 */
export const cutStream = (after: StreamPlace): Fault => fault.CutStream({ after })

/**
 * Ends a streamed answer early and cleanly, as if it were whole.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.endStream({ afterEvents: 3 })]) })
 * ```
 */
export const endStream = (after: StreamPlace): Fault => fault.EndStream({ after })

/**
 * Ends a streamed answer, whose status was 200, with the protocol's event for an error of this status. An answer that is
 * not streamed has the status itself.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.errorEvent({ afterEvents: 3, status: 529 })]) })
 * ```
 */
export const errorEvent = (options: { readonly afterEvents: number; readonly status: number }): Fault =>
  fault.ErrorEvent(options)

/**
 * Sends `afterEvents` events of a streamed answer, then nothing more until the client gives up.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.stalledStream({ afterEvents: 3 })]) })
 * ```
 */
export const stalledStream = (options: { readonly afterEvents: number }): Fault => fault.StalledStream(options)

/**
 * Sends `afterEvents` events of a streamed answer (default: none), and then only keep-alives until the client gives up:
 * comments, Anthropic's `ping`, or empty lines where the protocol has no events. Default: one every second.
 *
 * @since 0.1.0
 * @category stream faults
 * @example
 * ```ts
 * import { Simulator } from "effect-llm/testing"
 *
 * const simulator = Simulator.layer({ faults: Simulator.sequence([Simulator.keepAlives({ afterEvents: 3, every: "200 millis" })]) })
 * ```
 */
export const keepAlives = (
  options: { readonly afterEvents?: number | undefined; readonly every?: Duration.DurationInput | undefined } = {}
): Fault => fault.KeepAlives({ afterEvents: options.afterEvents ?? 0, every: options.every ?? "1 second" })

/**
 * Sends a streamed answer up to, but not including, its terminal marker. An answer that is not streamed is whole.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const noTerminalMarker: Fault = fault.NoTerminalMarker()

/**
 * Sends a streamed answer with the text `[DONE]` in place of its terminal marker, as some proxies do. A stream that has no
 * server-sent events (Ollama) just ends. An answer that is not streamed is whole.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const doneWithoutFinish: Fault = fault.DoneWithoutFinish()

/**
 * Sends the opening events of a streamed answer twice; Gemini and Ollama have none. A correct client is not affected, nor
 * by `crlfLines` and `byteByByte`. An answer that is not streamed is unchanged.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const duplicateStart: Fault = fault.DuplicateStart()

/**
 * Ends the lines of a streamed answer with CR and LF. An answer that is not streamed is unchanged.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const crlfLines: Fault = fault.CrlfLines()

/**
 * Sends an answer, streamed or not, with every byte in a separate HTTP chunk. A client may still read several of them at
 * once; with `slowBody({ chunkBytes: 1, delay })` it cannot.
 *
 * @since 0.1.0
 * @category stream faults
 */
export const byteByByte: Fault = fault.ByteByByte()
