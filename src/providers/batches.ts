import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { InvalidRequest, type LlmError, MalformedResponse, type Reason } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import { invalidOption } from "../internal/check.js"
import { utf8Length } from "../internal/utf8Length.js"
import * as LlmProvider from "../LlmProvider.js"
import { reportsError } from "../wire/errorBody.js"
import type * as Http from "../wire/http.js"
import * as Json from "../wire/json.js"
import * as Ndjson from "../wire/ndjson.js"
import type { BatchCodec, Entry, Exchange, Failure, Result } from "./batching.js"
import type { Encoded, Facts } from "./codec.js"
import type * as Corrections from "./corrections.js"
import * as ProviderTools from "./providerTools.js"

/** The parts of a provider that batches need. */
export interface Parts {
  readonly http: Http.Http
  readonly codec: BatchCodec
  /** Encodes a request without some settings as for a call, with the facts about its answer. */
  readonly prepare: (
    request: LlmRequest,
    omitted: ReadonlyArray<string>,
    attempt: LlmProvider.Attempt
  ) => Encoded & { readonly known: Pick<Facts, "request" | "reader" | "warnings"> }
  /** Reads an answer as that of a call. */
  readonly read: (
    purpose: Http.Purpose,
    answer: Http.Answer,
    known: Pick<Facts, "request" | "reader" | "warnings">
  ) => Effect.Effect<LlmResponse.LlmResponse, LlmError>
  /** The names of the settings that a call would leave out of a request. */
  readonly refused: (request: LlmRequest, attempt: LlmProvider.Attempt) => Effect.Effect<ReadonlyArray<string>>
  /** Remembers the setting for which a request was refused. */
  readonly learn: (
    refused: Pick<LlmProvider.BatchRequest, "request" | "omitted">,
    rejected: Corrections.Late["rejected"],
    attempt: LlmProvider.Attempt
  ) => Effect.Effect<void>
  /** Sends a request, and again with another key if the first was refused. */
  readonly send: <A, R>(
    request: LlmRequest,
    exchange: Effect.Effect<A, LlmError | Http.Rejected, R>
  ) => Effect.Effect<A, LlmError, R>
  /** A request that does not concern a single request of a batch. */
  readonly aboutAll: LlmRequest
}

/** The name of a request, in a form that all services take. */
const idPattern = /^[\w-]{1,64}$/

/** More than the longest answer of a model, with pictures in it. */
const maxLineLength = 64 * 1024 * 1024

/** A mistake in a batch is one of the program. */
const check = (requests: ReadonlyArray<LlmProvider.BatchRequest>): string => {
  const [first] = requests
  if (first === undefined) return invalidOption("requests", "a list of at least one request", "empty")
  const ids = new Set<string>()
  requests.forEach(({ id, request }, index) => {
    if (!idPattern.test(id)) {
      return invalidOption(`requests[${index}].id`, "1 to 64 letters, digits, _ and -", JSON.stringify(id))
    }
    if (request.model !== first.request.model) {
      return invalidOption(`requests[${index}].request.model`, "the same for all requests", request.model)
    }
    ids.add(id)
  })
  return ids.size === requests.length
    ? first.request.model
    : invalidOption("requests", "requests of different ids", "requests of the same id")
}

/** The batches of a provider. */
export const make = ({ aboutAll, codec, http, learn, prepare, read, refused, send }: Parts): LlmProvider.Batches => {
  /** The JSON of a request, or the failure of one that cannot be in a batch. */
  const encode = (
    { omitted = [], request }: LlmProvider.BatchRequest,
    attempt: LlmProvider.Attempt
  ): Effect.Effect<string, LlmError> => {
    const encoded = prepare(request, omitted, attempt)
    const problem = codec.problem?.(request) ?? encoded.problem
    return problem === undefined
      ? Effect.succeed(JSON.stringify(encoded.body))
      : http.fail({ operation: "batch", request, path: "" }, problem, { attempts: 0 })
  }

  /** The bytes of a request in a batch, including the separator. */
  const bytesOf = ({ body, id }: Entry): number => utf8Length(body) + utf8Length(codec.entry(id, "")) + 1

  const classified = (purpose: Http.Purpose, { body, status }: Failure): Effect.Effect<Reason> =>
    http.classify(purpose, status === undefined ? body : { status, headers: {}, body })

  /** Sends a request, and those that its answer asks for. */
  const run = <A>(
    about: Pick<Http.Purpose, "request" | "batch" | "headers">,
    { read, ...exchange }: Exchange<A>,
    onRefusal: (rejected: Http.Rejected) => Effect.Effect<void> = () => Effect.void
  ): Effect.Effect<A, LlmError> => {
    const purpose: Http.Purpose = {
      operation: "batch",
      ...about,
      ...exchange,
      headers: { ...about.headers, ...exchange.headers },
      readsAll: true
    }
    const asked = Effect.tapErrorTag(http.post(purpose, Effect.succeed), "Rejected", onRefusal)
    return Effect.flatMap(send(about.request, asked), (answer) => {
      const fail = (reason: Reason) => http.fail(purpose, reason, answer)
      const step = read(answer)
      if (step === undefined) {
        return reportsError(answer.body)
          ? Effect.flatMap(http.classify(purpose, answer.body), fail)
          : fail(MalformedResponse.make({ message: "the answer is not about a batch" }))
      }
      switch (step._tag) {
        case "Done":
          return Effect.succeed(step.value)
        case "Next":
          return run(about, step.exchange, onRefusal)
        default:
          return fail(step)
      }
    })
  }

  const about = { request: aboutAll }

  const submit: LlmProvider.Batches["submit"] = ({ name, requests }) =>
    Effect.gen(function*() {
      const model = check(requests)
      const attempt = yield* LlmProvider.CurrentAttempt
      const entries: Array<Entry> = []
      let bytes = 0
      for (const request of requests) {
        const entry = { id: request.id, body: yield* encode(request, attempt) }
        bytes += bytesOf(entry)
        entries.push(entry)
      }
      const batch = requests.map(({ request }) => request)
      const tools = batch.flatMap(({ providerTools = [] }) => providerTools)
      const [first = { request: aboutAll }] = requests
      return yield* run(
        { request: first.request, batch, headers: ProviderTools.headersOf({ providerTools: tools }) },
        codec.submit({ name, model, requests: entries, bytes }),
        (rejected) => learn(first, { ...rejected, reason: rejected.error.reason }, attempt)
      )
    })

  const size: LlmProvider.Batches["size"] = (sent) =>
    Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) =>
      Effect.flatMap(encode(sent, attempt), (body) => {
        const { id, request } = sent
        const bytes = bytesOf({ id, body })
        return bytes <= codec.limits.bytes ? Effect.succeed(bytes) : http.fail(
          { operation: "batch", request, path: "" },
          InvalidRequest.make({
            code: "request_too_large",
            message: `the request has ${bytes} bytes, and a batch may have ${codec.limits.bytes}`
          }),
          { attempts: 0 }
        )
      }))

  const state: LlmProvider.Batches["state"] = (id) =>
    Effect.flatMap(run(about, codec.state(id)), ({ refused, ...known }): Effect.Effect<LlmProvider.BatchState> => {
      if (refused === undefined) return Effect.succeed(known)
      const purpose: Http.Purpose = { operation: "batch", path: "", ...about }
      return Effect.map("_tag" in refused ? Effect.succeed(refused) : classified(purpose, refused), (reason) => ({
        ...known,
        error: http.fail(purpose, reason)
      }))
    })

  /** The result of a request, for its caller. */
  const resultOf = ({ id, outcome }: Result, attempt: LlmProvider.Attempt): LlmProvider.BatchResult => ({
    id,
    read: (request, omitted = []) =>
      Effect.flatMap(LlmProvider.CurrentAttempt, ({ prefersTool }) => {
        const own = { ...attempt, prefersTool }
        const { known } = prepare(request, omitted, own)
        const purpose: Http.Purpose = { operation: "call", request, path: "" }
        if ("_tag" in outcome) return http.fail(purpose, outcome)
        const { body, requestId, status } = outcome
        return reportsError(body) || (status !== undefined && status >= 400)
          ? Effect.flatMap(classified(purpose, outcome), (reason) =>
            Effect.zipRight(
              // Some services give no status with the result of a request.
              learn({ request, omitted }, { body, status: status ?? 400, reason }, own),
              http.fail(purpose, reason, { requestId, status })
            ))
          : Effect.map(
            read(purpose, { body, requestId, headers: {}, rateLimit: undefined }, known),
            (response) =>
              LlmResponse.update(response, { raw: body, usage: { ...response.usage, serviceTier: "batch" } })
          )
      })
  })

  /** Reads a file of results. A line that is not a result is left out: its request has no result. */
  const file = (path: string): Stream.Stream<Result, LlmError> => {
    const purpose: Http.Purpose = { operation: "batch", path, ...about }
    return Stream.unwrapScoped(
      Effect.map(send(about.request, http.download(purpose)), ({ pull, requestId }) => {
        const framer = Ndjson.make({ maxLength: maxLineLength })
        let lines = 0
        let results = 0
        const fail = (reason: Reason) => http.fail(purpose, reason, { requestId })
        const malformed = (message: string) => fail(MalformedResponse.make({ message }))

        const read = (frames: ReturnType<typeof framer.push>): Effect.Effect<ReadonlyArray<Result>, LlmError> => {
          const found: Array<Result> = []
          for (const { data } of frames) {
            lines++
            const line = Json.parse(data)
            const result = Json.isObject(line) ? codec.result(line) : undefined
            if (result !== undefined) found.push(result)
            else if (reportsError(line)) return Effect.flatMap(http.classify(purpose, line), fail)
          }
          results += found.length
          return Effect.succeed(found)
        }

        /** The last line may lack its end, but not more of it. */
        const end = Effect.suspend(() => {
          const last = framer.end()
          if (last.some(({ data }) => Json.parse(data) === undefined)) return malformed("the results end within a line")
          return Effect.filterOrFail(
            read(last),
            () => lines === 0 || results > 0,
            () => malformed("no line of the results is one")
          )
        })

        const more = Effect.flatMap(
          Effect.mapError(pull, fail),
          (bytes): Effect.Effect<readonly [ReadonlyArray<Result>, isOver: boolean], LlmError> => {
            if (bytes === undefined) return Effect.map(end, (last) => [last, true])
            const frames = bytes.flatMap((each) => framer.push(each))
            return framer.overflowed()
              ? malformed(`a line of the results is longer than ${maxLineLength} characters`)
              : Effect.map(read(frames), (found) => [found, false])
          }
        )

        return Stream.flattenIterables(
          Stream.unfoldEffect(false, (isOver) => isOver ? Effect.succeedNone : Effect.asSome(more))
        )
      })
    )
  }

  const results: LlmProvider.Batches["results"] = (id) =>
    Stream.unwrap(
      Effect.zipWith(LlmProvider.CurrentAttempt, run(about, codec.results(id)), (attempt, { entries, files }) =>
        Stream.fromIterable(entries).pipe(
          Stream.filterMap((entry) =>
            Option.fromNullable(Json.isObject(entry) ? codec.result(entry) : undefined)
          ),
          Stream.concat(Stream.flatMap(Stream.fromIterable(files), file)),
          Stream.map((result) => resultOf(result, attempt))
        ))
    )

  const { find } = codec

  return {
    limits: codec.limits,
    size,
    submit,
    refused: (request) => Effect.flatMap(LlmProvider.CurrentAttempt, (attempt) => refused(request, attempt)),
    ...(find !== undefined && { find: (name) => run(about, find(name)) }),
    state,
    results,
    cancel: (id) => run(about, codec.cancel(id))
  }
}
