import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type LlmError, MalformedResponse, type Reason, UnsupportedFeature, update } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import type * as Reasoning from "../domain/reasoning.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Connection from "../wire/connection.js"
import * as Http from "../wire/http.js"
import * as AnswerStream from "./answerStream.js"
import * as Background from "./background.js"
import * as Batches from "./batches.js"
import type { BatchCodec } from "./batching.js"
import {
  type BackgroundCodec,
  type Codec,
  type Continuation,
  type Decoder,
  type Encoded,
  type Facts,
  Failed
} from "./codec.js"
import * as Corrections from "./corrections.js"
import * as Ending from "./ending.js"
import * as OpaqueBlocks from "./opaqueBlocks.js"
import * as OtherRequests from "./otherRequests.js"
import * as ProviderTools from "./providerTools.js"
import * as ReadableReasoning from "./readableReasoning.js"
import { isSetting } from "./settings.js"

/** Facts about an answer before it comes. */
type Known = Pick<Facts, "request" | "reader" | "warnings">

/** The account that a request is billed to, as far as its address and its headers say. */
const accountOf = (endpoint: string, { headers }: Connection.Connection): string =>
  [endpoint, headers["openai-organization"], headers["openai-project"]].filter((part) => part !== undefined).join(" ")

/** A request for no answer at all fills the cache of a service that has one to fill. */
const noTokens = UnsupportedFeature.make({
  feature: "maxTokens: 0",
  message: "this provider takes a limit of at least 1 token"
})

/** The time for stopping an unwanted answer. */
const stopTimeout = "2 seconds"

/** An exchange of which nothing but the key may be corrected. */
const asItIs = <A, R>(send: Corrections.Exchange<A, R>["send"]): Corrections.Exchange<A, R> => ({
  encode: () => ({ body: {}, warnings: [], problem: undefined }),
  send
})

/** A request for the rest of an answer. */
const furtherOf = (purpose: Http.Purpose, { fields, path }: Continuation): Http.Purpose =>
  path === undefined ? { ...purpose, body: { ...purpose.body, ...fields } } : { ...purpose, path, body: undefined }

/** Makes a provider that speaks a protocol at an address. */
export const make = (options: {
  readonly name: string
  readonly connection: Connection.Connection
  /** The address of requests: two services never have the same. */
  readonly endpoint: string
  readonly codec: Codec
}): Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient> =>
  Effect.map(Http.make(options.name, options.connection, options.codec.errors), (http) => {
    const { codec, connection, endpoint, name } = options

    const reasoning = ReadableReasoning.make(codec)

    const readerOf = ({ model }: LlmRequest, attempt: LlmProvider.Attempt): Reasoning.Reader => ({
      provider: name,
      account: connection.account ?? attempt.account ?? accountOf(endpoint, connection),
      model
    })

    const corrections = Corrections.make(name, codec, reasoning)

    const encode: Codec["encode"] = (request, streaming, changes) => {
      const problem = ProviderTools.problem(request, codec.protocol)
      return problem === undefined
        ? codec.encode(request, streaming, changes)
        : { body: {}, warnings: [], problem }
    }

    /** The parts of a request that the service can read, with the facts about its answer. */
    const readableOf = (request: LlmRequest, attempt: LlmProvider.Attempt) => {
      const reader = readerOf(request, attempt)
      return { reader, ...reasoning.readable(request, reader) }
    }

    /** Encodes a request as its caller may have it: a limit of no tokens is for those services that take it. */
    const encodeDraft = (draft: Corrections.Draft, streaming: boolean, { maxTokens }: LlmRequest): Encoded => {
      const encoded = encode(draft.request, streaming, draft.changes)
      return maxTokens !== 0 || codec.takesNoTokens === true ? encoded : { ...encoded, problem: noTokens }
    }

    /** Encodes a request and sends it, as often as it has to be corrected; fails if it cannot be encoded. */
    const ask = <A, R>(
      operation: "call" | "stream",
      request: LlmRequest,
      send: (
        purpose: Http.Purpose,
        known: Known
      ) => Effect.Effect<A, LlmError | Http.Rejected, R>
    ): Effect.Effect<A, LlmError, R> =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
        const streaming = operation === "stream"
        const { reader, ...readable } = readableOf(request, attempt)
        return corrections.ask(readable.request, {
          encode: (draft) => encodeDraft(draft, streaming, request),
          send: ({ request, warnings: corrected }, { body, problem, warnings }) => {
            const purpose: Http.Purpose = {
              operation,
              request,
              path: codec.path(request, streaming),
              body,
              headers: ProviderTools.headersOf(request)
            }
            return problem === undefined
              ? send(purpose, { request, reader, warnings: [...readable.warnings, ...warnings, ...corrected] })
              : http.fail(purpose, problem, { attempts: 0 })
          }
        })
      })

    /** Sends a request as it is: nothing but its key may be corrected. */
    const send = <A>(purpose: Http.Purpose, read: (answer: Http.Answer) => Effect.Effect<A, LlmError>) =>
      corrections.ask(purpose.request, asItIs(() => http.post(purpose, read)))

    /** Reads the whole answer to a request. */
    const read = (
      purpose: Http.Purpose,
      { body, ...facts }: Http.Answer,
      known: Known
    ): Effect.Effect<LlmResponse.LlmResponse, LlmError> => {
      const decoded = codec.decode(body, { ...facts, ...known })
      if (decoded === Failed) {
        return Effect.flatMap(http.classify(purpose, body), (reason) => http.fail(purpose, reason, facts))
      }
      if ("_tag" in decoded) return http.fail(purpose, decoded, facts)
      const problem = Ending.overlooked(decoded, () => Ending.holdsText(body))
      return problem === undefined
        ? Effect.succeed(OpaqueBlocks.warned(decoded))
        : http.fail(purpose, problem, facts)
    }

    /** Reads an answer as it comes, up to its first parts. */
    const begin = (
      purpose: Http.Purpose,
      { complete, pull, ...facts }: Http.OpenAnswer,
      known: Known,
      decoder = codec.decoder({ ...facts, ...known }),
      healing: Pick<AnswerStream.Source, "over" | "resume"> = {}
    ) =>
      AnswerStream.begin({
        ...healing,
        complete,
        pull,
        framer: codec.framer(),
        decoder,
        classify: (event) => http.classify(purpose, event),
        fail: (reason, partial) => http.fail(purpose, reason, { ...facts, partial }),
        whole: (body) => codec.decode(body, { ...facts, ...known })
      })

    /**
     * Reads a stream that was not asked for. The program has not seen a part of it: if it is cut, all may be asked
     * again.
     */
    const readStream = (purpose: Http.Purpose, opened: Http.OpenAnswer, known: Known) =>
      Effect.flatMap(
        begin(purpose, opened, known),
        (parts) =>
          Effect.mapError(AnswerStream.response(parts), (error) =>
            error.reason._tag === "StreamInterrupted"
              ? update(error, { reason: MalformedResponse.make({ message: "the answer has no end" }) })
              : error)
      )

    /** Reads a whole answer, which may go on in the answer to another request. */
    const readOn = (purpose: Http.Purpose, first: Http.Answer, known: Known) =>
      Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => {
        const { body: _, ...facts } = first
        const decoder = codec.decoder({ ...facts, ...known })
        const on = (answer: Http.Answer): Effect.Effect<LlmResponse.LlmResponse, LlmError> => {
          const { body, requestId } = answer
          const problem = decoder.push(body, undefined)
          const next = problem === undefined ? decoder.continuation?.(0) : undefined
          if (next === undefined && answer === first) return read(purpose, answer, known)
          const fail = (reason: Reason) => http.fail(purpose, reason, { requestId })
          if (problem === Failed) return Effect.flatMap(http.classify(purpose, body), fail)
          if (problem !== undefined) return fail(problem)
          if (next === undefined) {
            const decoded = decoder.finish() ?? MalformedResponse.make({ message: "the answer has no end" })
            return "_tag" in decoded ? fail(decoded) : Effect.succeed(OpaqueBlocks.warned(decoded))
          }
          decoder.resumed?.()
          return Effect.zipRight(attempt.countRequest, send(furtherOf(purpose, next), on))
        }
        return on(first)
      })

    /** Makes the service stop to work on an answer, if that takes no long time. */
    const stop = (purpose: Http.Purpose, path: string): Effect.Effect<void> =>
      Effect.interruptible(send({ ...purpose, path, body: {} }, () => Effect.void)).pipe(
        Effect.timeout(stopTimeout),
        Effect.ignore
      )

    /** Sends a request whose answer may not be ready at once. */
    const postLater = (
      purpose: Http.Purpose,
      { cancel, path, pending }: BackgroundCodec,
      whole: (answer: Http.Answer) => Effect.Effect<LlmResponse.LlmResponse, LlmError>,
      streamed: (opened: Http.OpenAnswer) => Effect.Effect<LlmResponse.LlmResponse, LlmError | Http.Rejected>
    ) =>
      Effect.flatMap(
        // The connection of the first answer is given back before the next one is asked for.
        http.post(
          purpose,
          (
            answer
          ): Effect.Effect<LlmResponse.LlmResponse | { readonly id: string; readonly isPending: true }, LlmError> => {
            const id = pending(answer.body)
            return id === undefined ? whole(answer) : Effect.succeed({ id, isPending: true })
          },
          streamed
        ),
        (answer) => {
          if (!("isPending" in answer)) return Effect.succeed(answer)
          const { id } = answer
          return Background.answerOf({
            id,
            poll: send({ ...purpose, path: path(id), body: undefined }, (answer) => Effect.succeed(answer)),
            isPending: ({ body }) => pending(body) !== undefined,
            cancel: stop(purpose, cancel(id)),
            fail: (reason) => http.fail(purpose, reason)
          }).pipe(Effect.flatMap(whole), Effect.mapError(Background.begun(id)))
        }
      )

    const call: LlmProvider.Service["call"] = (request) =>
      ask("call", request, (purpose, known) => {
        const whole = (answer: Http.Answer) =>
          Effect.map(
            codec.goesOn === true ? readOn(purpose, answer, known) : read(purpose, answer, known),
            (response) => LlmResponse.update(response, { raw: answer.body })
          )
        const streamed = (opened: Http.OpenAnswer) => readStream(purpose, opened, known)
        return codec.background === undefined
          ? http.post(purpose, whole, streamed)
          : postLater(purpose, codec.background, whole, streamed)
      })

    /** The means to continue a stream that breaks off, if the protocol has a way. */
    const healing = (
      purpose: Http.Purpose,
      decoder: Decoder
    ): Effect.Effect<Pick<AnswerStream.Source, "over" | "resume">, never, Scope.Scope> =>
      decoder.continuation === undefined ? Effect.succeed({}) : Effect.gen(function*() {
        const { background } = codec
        const scope = yield* Effect.scope
        const attempt = yield* LlmProvider.CurrentAttempt
        let isOver = false
        if (background !== undefined) {
          yield* Effect.addFinalizer(() => {
            const id = isOver ? undefined : decoder.working?.()
            return id === undefined ? Effect.void : stop(purpose, background.cancel(id))
          })
        }
        return {
          over: () => {
            isOver = true
          },
          resume: (continuation) =>
            corrections.ask(purpose.request, asItIs(() => http.open(furtherOf(purpose, continuation)))).pipe(
              Effect.map((opened) => "body" in opened ? opened : { ...opened, framer: codec.framer() }),
              Effect.zipLeft(attempt.countRequest),
              Scope.extend(scope)
            )
        }
      })

    const open = (request: LlmRequest): Effect.Effect<AnswerStream.Parts, LlmError, Scope.Scope> =>
      ask(
        "stream",
        request,
        (purpose, known) =>
          Effect.flatMap(
            http.open(purpose),
            (opened): Effect.Effect<AnswerStream.Parts, LlmError | Http.Rejected, Scope.Scope> => {
              if ("body" in opened) return Effect.map(read(purpose, opened, known), AnswerStream.wholeAnswer)
              const { complete: _, pull: __, ...facts } = opened
              const decoder = codec.decoder({ ...facts, ...known })
              return Effect.flatMap(
                healing(purpose, decoder),
                (healing) => begin(purpose, opened, known, decoder, healing)
              )
            }
          )
      )

    const { countTokens, embed, models } = OtherRequests.make({ name, http, encode, send })

    /** A request of a batch without some settings, encoded. */
    const encodeEntry = (request: LlmRequest, omitted: ReadonlyArray<string>, attempt: LlmProvider.Attempt) => {
      const { reader, request: readable, warnings } = readableOf(request, attempt)
      const draft = corrections.without(readable, omitted.filter(isSetting))
      const encoded = encodeDraft(draft, false, request)
      return {
        ...encoded,
        draft,
        known: { request, reader, warnings: [...warnings, ...encoded.warnings, ...draft.warnings] }
      }
    }

    const batches = (codec: BatchCodec) =>
      Batches.make({
        http,
        codec,
        read,
        aboutAll: OtherRequests.aboutAll,
        prepare: encodeEntry,
        refused: corrections.refused,
        learn: ({ omitted = [], request }, rejected, attempt) =>
          Effect.suspend(() => {
            const { body, draft } = encodeEntry(request, omitted, attempt)
            const before = JSON.stringify(body)
            return corrections.learn({
              request,
              rejected,
              attempt,
              draft,
              differs: (next) => JSON.stringify(encodeDraft(next, false, request).body) !== before
            })
          }),
        send: (request, exchange) => corrections.ask(request, asItIs(() => exchange))
      })

    const { batches: batchCodec, counting, embeddings, listing } = codec

    return LlmProvider.make({
      name,
      endpoint,
      account: connection.account,
      schemaDialect: codec.schemaDialect,
      outputMode: codec.outputMode,
      call,
      stream: (request) => AnswerStream.make(open(request)),
      ...(embeddings !== undefined && { embed: embed(embeddings), embedLimits: embeddings.limits }),
      ...(batchCodec !== undefined && { batches: batches(batchCodec) }),
      ...(counting !== undefined && { countTokens: countTokens(counting) }),
      ...(listing !== undefined && { models: models(listing) })
    })
  })

/** Options whose key and address have been read from the program's configuration. */
type Resolved<ConfigOptions> = Omit<ConfigOptions, keyof Connection.ResolvedConfig> & Connection.ResolvedConfig

/** The `layerConfig` of a provider: its `make`, with the key and the address from the program's configuration. */
export const layerConfig = <ConfigOptions extends Connection.ConfigOptions>(
  options: ConfigOptions,
  protocol: Connection.Protocol,
  make: (options: Resolved<ConfigOptions>) => Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient>
): Layer.Layer<LlmProvider.LlmProvider, ConfigError.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    LlmProvider.LlmProvider,
    Effect.flatMap(Connection.resolveConfig(options, protocol), (resolved) => make({ ...options, ...resolved }))
  )
