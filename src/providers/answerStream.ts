import * as Channel from "effect/Channel"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as AnswerSoFar from "../domain/answerSoFar.js"
import { type LlmError, MalformedResponse, type Partial, type Reason, StreamInterrupted } from "../domain/LlmError.js"
import type { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as Elapsed from "../runtime/elapsed.js"
import { reportsError } from "../wire/errorBody.js"
import type { Framer } from "../wire/frame.js"
import type { Rejected } from "../wire/http.js"
import * as Json from "../wire/json.js"
import type { Incoming } from "../wire/transport.js"
import * as Utf8 from "../wire/utf8.js"
import { type Continuation, type Decoder, Failed } from "./codec.js"
import * as Ending from "./ending.js"
import * as OpaqueBlocks from "./opaqueBlocks.js"

/** The means to read a streamed answer. */
export interface Reader {
  readonly framer: Framer
  readonly decoder: Decoder
  /** The failure that an event, or a body that is not a stream, reports. */
  readonly classify: (event: unknown) => Effect.Effect<Reason>
  /** The failure of the answer, with the answer so far. */
  readonly fail: (reason: Reason, partial?: Partial) => LlmError
  /** Reads a body that is a whole answer, and no stream. */
  readonly whole: (body: Json.JsonObject) => LlmResponse | Reason | typeof Failed
}

/** A streamed answer that has begun to arrive. */
export interface Source extends Reader, Pick<Incoming, "complete" | "pull"> {
  /**
   * Asks for the rest of an answer: as events, or as the whole answer so far. Default: the rest cannot be asked for.
   */
  readonly resume?: ((continuation: Continuation) => Effect.Effect<Resumed, LlmError>) | undefined
  /** Runs when the answer has ended, well or badly. */
  readonly over?: (() => void) | undefined
}

/** The rest of an answer. */
export type Resumed = (Pick<Source, "complete" | "framer" | "pull">) | { readonly body: Json.JsonObject }

/**
 * The state of an answer after some more of it: more will come, it is whole, it has failed, or it goes on elsewhere.
 */
type Step = Outcome | Break

type Outcome =
  | { readonly _tag: "More"; readonly parts: ReadonlyArray<StreamPart.StreamPart> }
  | { readonly _tag: "End"; readonly parts: ReadonlyArray<StreamPart.StreamPart> }
  | Failure

/** The connection has ended, but the answer has not. */
interface Break {
  readonly _tag: "Break"
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  /** The result if there is no rest. */
  readonly otherwise: () => Outcome
}

interface Failure {
  readonly _tag: "Failed"
  readonly parts: ReadonlyArray<StreamPart.StreamPart>
  readonly reason: Effect.Effect<Reason>
  /** The answer so far, if a part had come. */
  readonly partial: Partial | undefined
  /** The service's error, if it refused the request before anything else came. */
  readonly refusal?: unknown
}

/** The bound of a whole stream, including comments and other bytes that are not content. */
const maxBytes = 256 * 1024 * 1024

/** A stream without any event is often JSON under a wrong content type, an error or an answer: this much of it is kept. */
const maxHead = 4 * 1024 * 1024

/** This much may follow what seems to be the whole answer, without being the end of it. */
const maxTrailing = 64 * 1024

const openingBrace = 0x7b

/**
 * How long a stream may be silent after an answer that seems whole, in milliseconds, before the silence counts as its
 * end: some services leave the connection open. It is longer if the end was announced together with content, as some
 * services put that word into each event.
 */
const patience = { certain: 1000, likely: 3000 }

/** Texts that servers send to keep a connection alive: comments in place of data, and words without a meaning. */
const isIdle = (text: string): boolean =>
  text === "" || text.startsWith(":") ||
  /^"?(?:null|undefined|ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|\[\]|)"?$/i.test(text)

const idleEvents: ReadonlySet<string | undefined> = new Set(["ping", "heartbeat", "keepalive", "keep-alive"])

/** The events of a stream that has no framing: a list of them, or one a line. */
const unframed = (body: unknown, text: string): ReadonlyArray<Json.JsonObject> => {
  const values = Array.isArray(body)
    ? body
    : body === undefined
    ? text.split("\n").filter((line) => line.trim() !== "").map((line) => Json.parse(line))
    : []
  return values.every(Json.isObject) ? values : []
}

const doneSign = /^"?\[DONE\]"?$/i

/** The states of one answer: bytes in, steps out. It has a state, and no other effects. */
const makeStates = ({ classify, decoder, fail, whole, ...source }: Source) => {
  const { draft } = decoder
  let { complete, framer } = source
  const utf8 = Utf8.make()
  let head = ""
  let anyEvent = false
  /** Whether the stream ended within an event. */
  let endsInEvent = false
  /** Whether a text came before the first part, in a place that is not read. */
  let hasText = false
  let length = 0
  let trailing = 0
  let events = 0
  /** The last event: in a stream without an end it may say why, in a form that is no event of the protocol. */
  let last: unknown

  /** The answer so far: parts that were given out must not be lost, nor be taken for the whole. */
  const partial = (): Partial => {
    const usage = decoder.usage()
    const parts = draft.begun() ? draft.parts() : []
    return { ...AnswerSoFar.partialOf(parts), ...(usage !== undefined && { usage }) }
  }

  const failed = (reason: Reason | Effect.Effect<Reason>): Failure => ({
    _tag: "Failed",
    parts: draft.take(),
    reason: Effect.isEffect(reason) ? reason : Effect.succeed(reason),
    partial: draft.begun() ? partial() : undefined
  })

  const refused = (event: unknown): Failure => {
    const step = failed(classify(event))
    return draft.begun() ? step : { ...step, refusal: event }
  }

  const interrupted = (message: string): Reason => StreamInterrupted.make({ message, partial: partial() })

  const broken = (message: string): Failure =>
    failed(draft.begun() ? interrupted(message) : MalformedResponse.make({ message }))

  /** Whether there is a way to ask for more. */
  const goesOn = (): boolean => source.resume !== undefined && decoder.continuation?.(0) !== undefined

  const broke = (otherwise: Break["otherwise"]): Break => ({ _tag: "Break", parts: draft.take(), otherwise })

  const finish = (): Step => goesOn() ? broke(finished) : finished()

  const finished = (): Outcome => {
    const answer = decoder.finish()
    if (answer === undefined) return anyEvent ? withoutEnd() : withoutEvents()
    if ("_tag" in answer) return failed(answer)
    // Some services put a word for the end into each event: the one that was cut may have been content.
    if (endsInEvent && decoder.ending?.() !== "certain") return broken("the stream ended within an event")
    const problem = Ending.overlooked(answer, () => hasText)
    if (problem !== undefined) return failed(problem)
    complete?.()
    return { _tag: "End", parts: [...draft.take(), { _tag: "Finish", response: OpaqueBlocks.warned(answer) }] }
  }

  const withoutEnd = (): Outcome => {
    // Some services put the whole answer into one event.
    const answer = Json.isObject(last) && !draft.begun() ? whole(last) : Failed
    if (answer !== Failed && !("_tag" in answer)) return ended(answer, last)
    const unfinished = interrupted("the stream ended before the answer did")
    return failed(Effect.map(
      last === undefined ? Effect.succeed(unfinished) : classify({ status: 200, headers: {}, body: last }),
      (reason) => reason._tag === "MalformedResponse" ? unfinished : reason
    ))
  }

  const withoutEvents = (): Outcome => {
    const body = Json.parse(head)
    const events = reportsError(body) ? [] : unframed(body, head)
    if (events.length > 0) return settled(read(events.map((event) => ({ data: JSON.stringify(event) }))) ?? finished())
    if (typeof body !== "object" || body === null) {
      return failed(MalformedResponse.make({ message: "the stream has no events" }))
    }
    const answer = Json.isObject(body) && !reportsError(body) ? whole(body) : Failed
    if (answer === Failed) return { ...failed(classify({ status: 200, headers: {}, body })), refusal: body }
    return "_tag" in answer ? failed(answer) : ended(answer, body)
  }

  /** A step of an answer that came in one piece, of which there is no rest. */
  const settled = (step: Step): Outcome => {
    if (step._tag !== "Break") return step
    const outcome = step.otherwise()
    return { ...outcome, parts: [...step.parts, ...outcome.parts] }
  }

  /** The end of an answer that came in one piece. */
  const ended = (answer: LlmResponse, body: unknown): Outcome => {
    const problem = Ending.overlooked(answer, () => Ending.holdsText(body))
    return problem === undefined
      ? { _tag: "End", parts: partsOf(OpaqueBlocks.warned(answer)) }
      : failed(problem)
  }

  /** Reads events until one of them decides. At the end of the bytes the last one may be cut. */
  const read = (frames: ReturnType<Framer["push"]>, atEnd = false): Step | undefined => {
    for (const { bare, data, event } of frames) {
      // Nearly all events are objects: a text that begins as one is not a sentinel.
      if (data.charCodeAt(0) !== openingBrace) {
        const text = data.trim()
        if (event !== "error" && (isIdle(text) || idleEvents.has(event))) continue
        // Not part of every protocol, but servers add it to all.
        if (doneSign.test(text)) {
          anyEvent = true
          decoder.sentinel()
          return finish()
        }
      }
      const json = Json.parse(data)
      // Without any event the body is no stream: it is read as a whole at its end.
      if (bare === true && (!anyEvent || !Json.isObject(json))) continue
      if (json === undefined && atEnd && event !== "error") {
        endsInEvent = data.charCodeAt(0) === openingBrace
        break
      }
      anyEvent = true
      if (!Json.isObject(json)) {
        const inner = Array.isArray(json) ? json[0] : json
        if (event === "error" || Json.isObject(inner)) return refused(json ?? data)
        return broken("an event of the stream is not JSON")
      }
      last = json
      events++
      const problem = decoder.push(json, event) ?? draft.problem()
      hasText ||= !draft.begun() && Ending.holdsText(json)
      if (problem === Failed) return refused(json)
      if (problem?._tag === "MalformedResponse") return broken(problem.message ?? "the stream is malformed")
      if (problem !== undefined) return failed(problem)
      if (decoder.done()) return finish()
    }
    return framer.overflowed() ? broken("an event of the stream is too long") : undefined
  }

  return {
    push: (chunks: ReadonlyArray<Uint8Array>): Step => {
      for (const bytes of chunks) {
        const step = read(framer.push(bytes))
        if (!anyEvent && head.length < maxHead) head += utf8.push(bytes)
        if (step !== undefined) return step
        length += bytes.length
        trailing = decoder.ending?.() === undefined ? 0 : trailing + bytes.length
        if (trailing > maxTrailing) return finish()
        if (length > maxBytes) return broken(`the stream is longer than ${maxBytes} bytes`)
      }
      return { _tag: "More", parts: draft.take() }
    },
    end: (): Step => read(framer.end(), true) ?? finish(),
    /**
     * The connection broke. More could have followed, unless the end was announced on its own, and the usage has come,
     * too.
     */
    cut: (reason: Reason): Step => {
      if (decoder.ending?.() === "certain" && decoder.usage() !== undefined) return finish()
      const cut = () => failed(draft.begun() ? interrupted(fail(reason).message) : reason)
      return goesOn() ? broke(cut) : cut()
    },
    /** Goes on with the rest of an answer, as events or whole. */
    resumed: (rest: Resumed): Outcome | undefined => {
      decoder.resumed?.()
      if (!("body" in rest)) {
        ;({ complete, framer } = rest)
        return undefined
      }
      const problem = decoder.push(rest.body, undefined) ?? draft.problem()
      if (problem === Failed) return failed(classify(rest.body))
      if (problem !== undefined) return failed(problem)
      return decoder.done() ? finished() : undefined
    },
    /** How many events there have been. */
    events: () => events,
    /** How long the rest may be silent, in milliseconds; `undefined` if the answer is not whole, however long it takes. */
    patience: (): number | undefined => {
      const ending = decoder.ending?.()
      return ending === undefined ? undefined : patience[ending]
    }
  }
}

/** The answer of a service that does not stream, as the parts of a stream. */
const partsOf = (response: LlmResponse): ReadonlyArray<StreamPart.StreamPart> => [...StreamPart.fromResponse(response)]

/** The same, as all that is read of it. */
export const wholeAnswer = (response: LlmResponse): Parts => Channel.write(Chunk.unsafeFromArray(partsOf(response)))

/** The answer at the end of its parts, if the parts are not needed. */
export const response = (parts: Parts): Effect.Effect<LlmResponse, LlmError> =>
  Stream.fromChannel(parts).pipe(
    Stream.filterMap((part) => part._tag === "Finish" ? Option.some(part.response) : Option.none()),
    Stream.runHead,
    Effect.flatMap(Option.match({
      onNone: () => Effect.dieMessage("The parts of an answer ended without it"),
      onSome: Effect.succeed
    }))
  )

/** The parts of an answer, from the first one on. */
export type Parts = Channel.Channel<Chunk.Chunk<StreamPart.StreamPart>, unknown, LlmError, unknown, void, unknown>

const failing = ({ fail }: Source, { partial, reason }: Failure): Effect.Effect<never, LlmError> =>
  Effect.flatMap(reason, (reason) => Effect.fail(fail(reason, partial)))

/** The parts of the steps of an answer: of the first one, and then of each one that is drawn. */
const partsFrom = (source: Source, first: Outcome, step: Effect.Effect<Outcome>): Parts => {
  const after = (step: Outcome): Parts => {
    if (step._tag !== "More") source.over?.()
    const next = step._tag === "More"
      ? loop
      : step._tag === "End"
      ? Channel.void
      : Channel.fromEffect(failing(source, step))
    return step.parts.length === 0
      ? next
      : Channel.flatMap(Channel.write(Chunk.unsafeFromArray(step.parts)), () => next)
  }

  const loop: Parts = Channel.flatMap(Channel.fromEffect(step), after)

  return after(first)
}

/** The waits before the rest of an answer is asked for, in milliseconds, while connections bring no event. */
const pauses = [0, 1_000, 2_000, 4_000]

/** Reads an answer up to its first parts. Until then a refusal of the request differs from a failure of the answer. */
export const begin = (source: Source): Effect.Effect<Parts, LlmError | Rejected> => {
  const states = makeStates(source)
  let { pull: pullBytes } = source
  let broken: Break | undefined
  /** How many connections in a row have brought no event, and how many events there were before the last one. */
  let silent = 0
  let before = 0

  /** When the answer seemed whole: comments and events without parts, which keep a connection alive, are silence, too. */
  let wholeSince: number | undefined

  const pull = Effect.suspend(() => {
    const limit = states.patience()
    if (limit === undefined) {
      wholeSince = undefined
      return pullBytes
    }
    return Elapsed.nowWith((now) => {
      wholeSince ??= now
      const left = Math.max(wholeSince + limit - now, 0)
      return Effect.timeoutTo(pullBytes, { duration: left, onSuccess: identity, onTimeout: () => undefined })
    })
  })

  // Comments, which have no parts, cost no turn of the channel.
  const more: Effect.Effect<Outcome> = Effect.matchEffect(pull, {
    onSuccess: (bytes) => {
      const next = bytes === undefined ? states.end() : states.push(bytes)
      if (next.parts.length > 0) wholeSince = undefined
      return next._tag === "More" && next.parts.length === 0 ? more : onward(next)
    },
    onFailure: (reason) => onward(states.cut(reason))
  })

  /** The parts before a break go out before the rest is asked for. */
  const onward = (next: Step): Effect.Effect<Outcome> => {
    if (next._tag !== "Break") return Effect.succeed(next)
    broken = next
    return next.parts.length === 0 ? step : Effect.succeed({ _tag: "More", parts: next.parts })
  }

  /** Asks for the rest of an answer that broke off, until it comes. */
  const heal = (end: Break): Effect.Effect<Outcome> => {
    silent = states.events() > before ? 0 : silent + 1
    before = states.events()
    const continuation = source.decoder.continuation?.(silent)
    const pause = pauses[silent]
    if (source.resume === undefined || continuation === undefined || pause === undefined) {
      return Effect.sync(end.otherwise)
    }
    const rest = source.resume(continuation)
    return Effect.matchEffect(pause === 0 ? rest : Effect.delay(rest, pause), {
      onSuccess: (rest) => {
        const next = states.resumed(rest)
        if (next !== undefined) return Effect.succeed(next)
        if ("body" in rest) {
          // The service is still at work, and says so each time.
          silent = 0
          return heal(end)
        }
        pullBytes = rest.pull
        return more
      },
      onFailure: (error) => error.isRetryable ? heal(end) : Effect.sync(end.otherwise)
    })
  }

  const step: Effect.Effect<Outcome> = Effect.suspend(() => {
    if (broken === undefined) return more
    const end = broken
    broken = undefined
    return heal(end)
  })

  return Effect.flatMap(step, (first) =>
    first._tag === "Failed" && first.refusal !== undefined
      ? Effect.flatMap(first.reason, (reason) =>
        Effect.fail<Rejected>({ _tag: "Rejected", error: source.fail(reason), status: 200, body: first.refusal }))
      : Effect.succeed(partsFrom(source, first, step)))
}

/**
 * Reads a streamed answer: all bytes of one read become at most one chunk of parts. The stream ends with `Finish` as
 * soon as the answer is whole, and fails if it breaks off or reports a failure. It never just ends.
 *
 * It is one channel from the connection to the parts: each layer of a stream costs more than the decoding of a delta.
 */
export const make = (
  open: Effect.Effect<Parts, LlmError, Scope.Scope>
): Stream.Stream<StreamPart.StreamPart, LlmError> =>
  Stream.fromChannel(Channel.acquireUseRelease(
    Scope.make(),
    (scope) => Channel.flatMap(Channel.fromEffect(Scope.extend(open, scope)), identity),
    (scope, exit) => Scope.close(scope, exit)
  ))
