import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import {
  LlmError,
  MalformedResponse,
  type Operation,
  type Partial as PartialAnswer,
  type Reason
} from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import * as ProviderOptions from "../domain/providerOptions.js"
import { boundedJson } from "../internal/boundedText.js"
import { scrub } from "../internal/scrub.js"
import { secretsIn } from "../internal/secretFields.js"
import { classify } from "./classify.js"
import type { Connection } from "./connection.js"
import type { Credential } from "./credentials.js"
import { reportsError } from "./errorBody.js"
import type { ErrorRules } from "./errorRules.js"
import { firstByte } from "./firstByte.js"
import * as HttpClientTransport from "./httpClientTransport.js"
import * as Json from "./json.js"
import { rateLimitHeaders } from "./rateLimitHeaders.js"
import { requestIdReader } from "./requestId.js"
import { carriedBy, type Headers, type Incoming, type Outgoing } from "./transport.js"

/** A whole answer of a service, with the facts in its headers. */
export interface Answer {
  readonly body: Json.JsonObject
  readonly headers: Headers
  readonly requestId: string | undefined
  readonly rateLimit: LlmResponse.RateLimit | undefined
}

/** An answer whose body is still to come. */
export interface OpenAnswer extends Omit<Answer, "body">, Pick<Incoming, "complete" | "pull"> {}

/** A body that is a text. */
export interface Content {
  readonly type: string
  readonly text: string
}

/** The purpose of a request, which errors state. */
export interface Purpose {
  readonly operation: Operation
  readonly request: LlmRequest.LlmRequest
  /** The path behind the base URL. */
  readonly path: string
  /** The JSON to post. Default: none, and without `content` the request is a GET. */
  readonly body?: Json.JsonObject | undefined
  /** A text to post in place of JSON that is made of `body`, and its media type. */
  readonly content?: Content | undefined
  /** Further headers. One that the connection has, too, gets both values, with a comma between them. Default: none. */
  readonly headers?: { readonly [name: string]: string } | undefined
  /** The most bytes that an answer may have. Default: far more than any answer of a model has. */
  readonly maxBytes?: number | undefined
  /**
   * Whether `read` decides on each answer with a good status: one without a body, as if it were `{}`, and one that
   * reports an error about something else. Default: both are failures.
   */
  readonly readsAll?: boolean | undefined
  /** The requests that it hands over together: their texts and secrets do not appear in errors either. Default: none. */
  readonly batch?: ReadonlyArray<LlmRequest.LlmRequest> | undefined
}

/** An answer that reports an error: the failure for the program, and the service's own words. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly error: LlmError
  readonly status: number
  /** Its text, or what was parsed of it: bounded, and not scrubbed. It is not to be shown. */
  readonly body: unknown
  /** Where the key was refused: fetches another one, if there is any. */
  readonly renew?: Credential["renew"]
}

/** The purpose of a request, and the parts of its key and signature that matter to its answer. */
interface Sent extends Purpose {
  /** Those of its signature alone. */
  readonly secrets: ReadonlyArray<string>
  readonly renew: Credential["renew"]
}

/** A request that is complete. */
interface Prepared {
  readonly outgoing: Outgoing
  readonly sent: Sent
}

/** Sends requests to one service. */
export interface Http {
  /**
   * Posts JSON and lets `read` decode the whole JSON of the answer, or `readStream` a stream, where the service sends one
   * although none was asked for. Anything else is a failure.
   */
  readonly post: <A>(
    purpose: Purpose,
    read: (answer: Answer) => Effect.Effect<A, LlmError>,
    readStream?: (answer: OpenAnswer) => Effect.Effect<A, LlmError | Rejected>
  ) => Effect.Effect<A, LlmError | Rejected>
  /**
   * Posts JSON and gives the answer as it arrives, until the scope closes; or all of it, where the service does not stream.
   */
  readonly open: (purpose: Purpose) => Effect.Effect<OpenAnswer | Answer, LlmError | Rejected, Scope.Scope>
  /** Gets a file, whatever its type, as it arrives, until the scope closes. */
  readonly download: (purpose: Purpose) => Effect.Effect<OpenAnswer, LlmError | Rejected, Scope.Scope>
  /** Classifies a failure that is reported inside an answer: in an event of a stream. */
  readonly classify: (purpose: Purpose, event: unknown) => Effect.Effect<Reason>
  /** The failure of a request that could not be sent (`attempts: 0`), or whose answer is of no use. */
  readonly fail: (
    purpose: Purpose,
    reason: Reason,
    answer?: {
      readonly requestId?: string | undefined
      readonly attempts?: number
      readonly status?: number | undefined
      readonly partial?: PartialAnswer | undefined
    }
  ) => LlmError
}

/** Far more than any answer of a model. */
const maxBodyBytes = 32 * 1024 * 1024

/** Longer than any service's error; the rest is not read. */
const maxErrorBodyBytes = 64 * 1024

/** The time limit for the body of an error. The status is known without it. */
const errorBodyTimeout = "5 seconds"

/** All secrets of two lists, as a list that is another one when one of them is. */
const allOf = (one: () => ReadonlyArray<string>, other: () => ReadonlyArray<string>) => {
  let [first, second] = [one(), other()]
  let both = [...first, ...second]
  return (): ReadonlyArray<string> => {
    if (first !== one() || second !== other()) {
      ;[first, second] = [one(), other()]
      both = [...first, ...second]
    }
    return both
  }
}

/** The server's own advice on another attempt. It does not make a bad key or an empty account good. */
const shouldRetry = (headers: Headers, reason: Reason): boolean | undefined => {
  switch (headers["x-should-retry"]) {
    case "false":
      return false
    case "true":
      return reason._tag === "AuthenticationFailed" || reason._tag === "PermissionDenied" ||
          reason._tag === "QuotaExhausted"
        ? undefined
        : true
    default:
      return undefined
  }
}

/** AWS refuses credentials that have expired with 403, as it does a lack of permission, which no other key mends. */
const refusesKey = (status: number, reason: Reason): boolean =>
  status === 401 || (status === 403 && reason._tag === "AuthenticationFailed")

/**
 * Sends requests to one service over the program's `HttpClient`, or over the transport that the client carries, and reads
 * a bounded part of each answer. Closing the scope, or interruption, aborts the request.
 */
export const make = (
  provider: string,
  connection: Connection,
  errors?: ErrorRules
): Effect.Effect<Http, never, HttpClient.HttpClient> =>
  Effect.contextWith((context: Context.Context<HttpClient.HttpClient>) => {
    const client = Context.get(context, HttpClient.HttpClient)
    const requestInit = Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit))
    const transport = carriedBy(client) ?? HttpClientTransport.make(client, requestInit)
    const { baseUrl, credentials, signer } = connection
    const secretsNow = signer === undefined ? credentials.secrets : allOf(credentials.secrets, signer.secrets)
    const requestIdOf = requestIdReader(secretsNow)
    const headers = { ...connection.headers, "content-type": "application/json" }

    const secretsOf = (
      { batch = [], request, secrets = [] }: Purpose & Partial<Pick<Sent, "secrets">>
    ): ReadonlyArray<string> => [
      ...secretsNow(),
      ...secrets,
      ...[request, ...batch].flatMap((each) => [
        ...ProviderOptions.allOf(each).flatMap(secretsIn),
        ...secretsIn(each.providerTools)
      ])
    ]

    const failure = (
      purpose: Purpose,
      reason: Reason,
      answer: {
        readonly attempts?: number
        readonly requestId?: string | undefined
        readonly status?: number | undefined
        readonly partial?: PartialAnswer | undefined
        readonly headers?: Headers
      } = {}
    ): LlmError => {
      const { operation, request } = purpose
      const retry = answer.headers === undefined ? undefined : shouldRetry(answer.headers, reason)
      return new LlmError({
        reason,
        operation,
        attempts: answer.attempts ?? 1,
        provider,
        model: request.model,
        ...(answer.requestId !== undefined && { requestId: scrub(answer.requestId, { secrets: secretsOf(purpose) }) }),
        ...(answer.status !== undefined && { status: answer.status }),
        ...(answer.partial !== undefined && { partial: answer.partial }),
        ...(retry !== undefined && { shouldRetry: retry })
      })
    }

    // The text of an error is bounded before anything searches it: an answer with status 200 may hold 32 MiB of it.
    const classified = (purpose: Purpose, answer: unknown) =>
      Effect.map(
        Clock.currentTimeMillis,
        (nowMillis) =>
          classify(answer, {
            nowMillis,
            secrets: secretsOf(purpose),
            sources: [purpose.request, ...purpose.batch ?? []].flatMap(LlmRequest.texts),
            errors
          })
      )

    const rejected = (
      purpose: Sent,
      { headers, status }: Incoming,
      whole: unknown
    ): Effect.Effect<never, Rejected> => {
      const body = boundedJson(whole)
      return Effect.flatMap(classified(purpose, { status, headers, body }), (reason) =>
        Effect.fail({
          _tag: "Rejected",
          error: failure(purpose, reason, { requestId: requestIdOf(headers), status, headers }),
          status,
          body,
          renew: refusesKey(status, reason) ? purpose.renew : undefined
        }))
    }

    const readError = Effect.fnUntraced(function*(purpose: Sent, incoming: Incoming) {
      const read = yield* incoming.text(maxErrorBodyBytes).pipe(
        Effect.option,
        Effect.timeoutTo({ duration: errorBodyTimeout, onSuccess: identity, onTimeout: Option.none })
      )
      // Without a body the status says enough.
      const { text, whole } = Option.getOrElse(read, () => ({ text: "", whole: true }))
      // Half a key at the cut would not be recognised as one.
      return yield* rejected(purpose, incoming, whole ? text : text.slice(0, -1024))
    })

    const readAnswer = <A>(
      purpose: Sent,
      incoming: Incoming,
      read: (answer: Answer) => Effect.Effect<A, LlmError>,
      readStream?: (answer: OpenAnswer) => Effect.Effect<A, LlmError | Rejected>
    ): Effect.Effect<A, LlmError | Reason | Rejected> => {
      const { maxBytes = maxBodyBytes, readsAll = false } = purpose
      return Effect.flatMap(incoming.text(maxBytes), ({ text, whole }): Effect.Effect<A, LlmError | Rejected> => {
        const { headers, status } = incoming
        const requestId = requestIdOf(headers)
        const malformed = (message: string) =>
          failure(purpose, MalformedResponse.make({ message }), { requestId, status, headers })
        if (!whole) return malformed(`the answer is longer than ${maxBytes} bytes`)
        const body = readsAll && text.trim() === "" ? {} : Json.parse(text)
        if (!readsAll && reportsError(body)) return rejected(purpose, incoming, body)
        const facts = Effect.clockWith((clock) =>
          Effect.succeed({ requestId, rateLimit: rateLimitHeaders(headers, clock.unsafeCurrentTimeMillis()) })
        )
        if (readStream !== undefined && isStream(text, body)) {
          return Effect.flatMap(
            facts,
            (facts) => readStream({ ...facts, headers, pull: pullOnce(linesOf(text, body)) })
          )
        }
        if (!Json.isObject(body)) {
          const type = scrub(headers["content-type"] ?? "no content type", { secrets: secretsOf(purpose) }).slice(0, 80)
          return malformed(
            text.trim() === ""
              ? "the answer is empty"
              : `the answer is not a JSON object (${type}, ${text.length} characters)`
          )
        }
        return Effect.flatMap(facts, (facts) => read({ body, headers, ...facts }))
      })
    }

    const joined = (own: { readonly [name: string]: string }, further: { readonly [name: string]: string }) =>
      Object.fromEntries(
        Object.entries(further).map(([name, value]) => {
          const before = own[name]
          return [name, before === undefined ? value : `${before},${value}`]
        })
      )

    const unsigned = ({ body, content, headers: further, path }: Purpose, credential: Credential): Outgoing => ({
      url: `${baseUrl}${path}`,
      headers: {
        // The program's own headers may replace the key's.
        ...credential.headers,
        ...headers,
        ...further && joined(headers, further),
        ...content && { "content-type": content.type }
      },
      body: content === undefined ? body && JSON.stringify(body) : content.text
    })

    /** A signature is the last thing that a request gets. */
    const prepared = (purpose: Purpose): Effect.Effect<Prepared, LlmError> =>
      Effect.flatMap(credentials.current, (credential) => {
        const outgoing = unsigned(purpose, credential)
        if (signer === undefined) {
          return Effect.succeed({ outgoing, sent: { secrets: [], renew: credential.renew, ...purpose } })
        }
        const method = outgoing.body === undefined ? "GET" : "POST"
        return Effect.map(signer.sign({ ...outgoing, method }), (signature) => ({
          outgoing: { ...outgoing, headers: { ...outgoing.headers, ...signature.headers } },
          sent: { ...purpose, secrets: signature.secrets, renew: signature.renew ?? credential.renew }
        }))
      })

    const asFailure = (purpose: Purpose) => (error: LlmError | Reason | Rejected): LlmError | Rejected =>
      error._tag === "LlmError" || error._tag === "Rejected" ? error : failure(purpose, error)

    const post: Http["post"] = (purpose, read, readStream) =>
      Effect.mapError(
        Effect.flatMap(prepared(purpose), ({ outgoing, sent }) =>
          transport.exchange(
            outgoing,
            (incoming) => isSuccess(incoming) ? readAnswer(sent, incoming, read, readStream) : readError(sent, incoming)
          )),
        asFailure(purpose)
      )

    /** Sends a request, and gives its purpose with the answer that comes, unless that is an error. */
    const opening = Effect.fnUntraced(function*(purpose: Purpose) {
      const { outgoing, sent } = yield* prepared(purpose)
      const incoming = yield* transport.open(outgoing)
      return isSuccess(incoming) ? { sent, incoming } : yield* readError(sent, incoming)
    })

    const opened = ({ complete, headers, pull }: Incoming): Effect.Effect<OpenAnswer> =>
      Effect.map(Clock.currentTimeMillis, (now) => ({
        headers,
        requestId: requestIdOf(headers),
        rateLimit: rateLimitHeaders(headers, now),
        pull,
        complete
      }))

    const open: Http["open"] = Effect.fnUntraced(
      function*(purpose: Purpose) {
        const { incoming, sent } = yield* opening(purpose)
        if (!/\b(?:html|json)\b/i.test(incoming.headers["content-type"]?.replace(/x-ndjson|jsonl/, "") ?? "")) {
          return yield* opened(incoming)
        }
        // Some services send a stream under the type of JSON, others send no stream.
        const begun = yield* firstByte(incoming)
        return yield* beginsEvent(begun.first)
          ? opened(begun.incoming)
          : readAnswer<OpenAnswer | Answer>(sent, begun.incoming, Effect.succeed, Effect.succeed)
      },
      (self, purpose) => Effect.mapError(self, asFailure(purpose))
    )

    const download: Http["download"] = (purpose) =>
      Effect.mapError(
        Effect.flatMap(opening(purpose), ({ incoming }) => opened(incoming)),
        asFailure(purpose)
      )

    return {
      post,
      open,
      download,
      classify: (purpose, event) => classified(purpose, boundedJson(event)),
      fail: failure
    }
  })

/** Whether a body begins as the events of a stream do: with `data`, `event`, `id`, `retry` or a comment. */
const beginsEvent = (first: number | undefined): boolean =>
  first !== undefined && "deir:".includes(String.fromCharCode(first))

/** Whether a text is a stream and no whole answer: events, lines of JSON, or a list of what would be events. */
const isStream = (text: string, body: unknown): boolean => {
  if (body !== undefined) return Array.isArray(body) && body.length > 0 && body.every(Json.isObject)
  const start = text.trimStart()
  return /^(?:data|event|id|retry|error)?:/.test(start) || Json.isObject(Json.parse(start.split("\n", 1)[0] ?? ""))
}

/** The events of a list, one a line, as any other stream without a frame. */
const linesOf = (text: string, body: unknown): string =>
  Array.isArray(body) ? body.map((event) => JSON.stringify(event)).join("\n") : text

/** A text that has come, as the body that it was. */
const pullOnce = (text: string): Incoming["pull"] => {
  const rest = [new TextEncoder().encode(text)]
  return Effect.sync(() => rest.length === 0 ? undefined : rest.splice(0))
}

const isSuccess = ({ status }: Incoming): boolean => status >= 200 && status < 300
