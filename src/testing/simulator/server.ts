import { sha256Hex } from "#sha256"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { isRecord } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Elapsed from "../../runtime/elapsed.js"
import type { Connections } from "../../wire/serverConnections.js"
import { messages } from "./anthropic/messages.js"
import * as Batches from "./batches.js"
import { hangUp } from "./connection.js"
import { counts } from "./counting.js"
import type { Attempt, FaultPlan } from "./faultPlans.js"
import { embeddings as geminiEmbeddings } from "./gemini/embeddings.js"
import { gemini } from "./gemini/generateContent.js"
import type { Journal } from "./journal.js"
import * as Model from "./model.js"
import { models } from "./models.js"
import { ollama } from "./ollama/chat.js"
import { embeddings as ollamaEmbeddings } from "./ollama/embeddings.js"
import * as Background from "./openai/background.js"
import { chatCompletions } from "./openai/chatCompletions.js"
import { embeddings as openAiEmbeddings } from "./openai/embeddings.js"
import { responses } from "./openai/responses.js"
import type { Answer, Prompt } from "./prompt.js"
import type { Envelope, Headers, Invalid, Problem, Protocol } from "./protocol.js"
import { parseJson } from "./protocol.js"
import type { Exchange } from "./respond.js"
import { respond, respondProblem } from "./respond.js"

const always: ReadonlyArray<Protocol> = [
  chatCompletions,
  responses,
  openAiEmbeddings,
  messages,
  gemini,
  geminiEmbeddings,
  ollama,
  ollamaEmbeddings,
  ...counts,
  ...models
]

/** The protocol in which a path that belongs to none is answered. */
const likeliest = (path: string, headers: Headers): Protocol => {
  if ("anthropic-version" in headers) return messages
  if ("x-goog-api-key" in headers || /\/models\/[^/]+:/.test(path)) return gemini
  return /\/api\/(?:chat|embed|generate|tags|show|ps)$/.test(path) ? ollama : chatCompletions
}

/** The path at which any client can read the journal. Such a request is not recorded itself. */
const logPath = "/_simulator/log"

/** The largest request that Anthropic takes. OpenAI's limit is higher. */
const mostBytes = 32 * 1024 * 1024

const secretHeaders = new Set([
  "api-key",
  "authorization",
  "cookie",
  "proxy-authorization",
  "x-api-key",
  "x-goog-api-key"
])

const redact = (headers: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, secretHeaders.has(name) ? "<redacted>" : value]]
    )
  )

/** A plan, with a count of the requests that it was asked about. */
export const counting = (plan: FaultPlan): (prompt: Prompt) => ReturnType<FaultPlan> => {
  const prompts = new Map<string, { readonly promptIndex: number; attempt: number }>()
  let requests = 0
  return (prompt) => {
    const promptKey = sha256Hex(JSON.stringify(prompt.turns))
    const seen = prompts.get(promptKey) ?? { promptIndex: prompts.size, attempt: 0 }
    seen.attempt++
    prompts.set(promptKey, seen)
    const attempt: Attempt = { prompt, promptKey, request: requests++, ...seen }
    return plan(attempt)
  }
}

/** Pages of other origins may send anything, and read everything of an answer. */
const corsOf = (headers: Headers): Readonly<Record<string, string>> =>
  headers.origin === undefined ? {} : {
    "access-control-allow-origin": "*",
    // A wildcard alone would exclude clients that do not know it.
    "access-control-expose-headers": "retry-after, retry-after-ms, x-should-retry, x-request-id, request-id, *"
  }

/** The answer to the preflight request of a browser. */
const preflight = (headers: Headers): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({
    status: 204,
    headers: {
      ...corsOf(headers),
      "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
      "access-control-allow-headers": headers["access-control-request-headers"] ?? "*",
      "access-control-max-age": "86400"
    }
  })

/** The reason to refuse a request before its body is read. */
const routeProblem = (protocol: Protocol | undefined, method: string, path: string): Invalid | undefined =>
  protocol === undefined
    ? { _tag: "Invalid", message: `Invalid URL (${method} ${path})`, status: 404 }
    : method === (protocol.method ?? "POST")
    ? undefined
    : { _tag: "Invalid", message: `Not allowed to ${method} on ${path}`, status: 405, code: "method_not_supported" }

/** The simulator as an `HttpApp`, and an effect that clears its stored answers. */
export const makeApp = (options: {
  readonly answer: (prompt: Prompt) => string | Answer
  readonly apiKey: Redacted.Redacted | undefined
  /** Ends when the simulator shuts down. */
  readonly closed: Effect.Effect<void>
  readonly connections: Connections
  readonly decide: (prompt: Prompt) => ReturnType<FaultPlan>
  readonly journal: Journal
  readonly latency: Duration.Duration
  readonly pace: Duration.Duration
  /** The duration of an answer in the background. */
  readonly background: Duration.Duration
  /** How long a batch takes. */
  readonly batch: Duration.Duration
}): { readonly app: HttpApp.Default; readonly forget: Effect.Effect<void> } => {
  const { answer, apiKey, closed, connections, decide, journal, latency, pace } = options
  const background = Background.make(options.background)
  const batches = Batches.make({ takes: options.batch, answer, decide })
  const protocols = [...background.protocols, ...batches.protocols, ...always]
  const memories = new Map(protocols.map((protocol) => [protocol, protocol.makeMemory?.()]))
  let received = 0

  const handle = Effect.fnUntraced(function*(exchange: Exchange, envelope: Envelope, problem: Invalid | undefined) {
    const { entry, protocol, request } = exchange
    const reject = (problem: Problem) =>
      Effect.tap(respondProblem(exchange, problem, ""), ({ status }) => entry.note({ outcome: "rejected", status }))

    const { maxBodyBytes = mostBytes, parse = parseJson } = protocol
    if (Number(request.headers["content-length"]) > maxBodyBytes) return yield* reject({ _tag: "Status", status: 413 })
    const text = yield* Effect.option(HttpServerRequest.withMaxBodySize(request.text, Option.some(maxBodyBytes)))
    if (text._tag === "None") {
      // The client has left, or its body has no end.
      yield* entry.abort
      return HttpServerResponse.empty({ status: 400 })
    }
    const hasBody = protocol.method !== "GET" && protocol.method !== "DELETE"
    const body = hasBody ? parse(text.value, envelope) : Either.right({})
    yield* entry.note({ body: Either.getOrElse(body, () => text.value) })

    if (problem !== undefined) return yield* reject(problem)
    const key = protocol.key(envelope)
    if (apiKey !== undefined && key !== Redacted.value(apiKey)) return yield* reject({ _tag: "Unauthorized", key })
    if (Either.isLeft(body)) return yield* reject({ _tag: "NoJson" })
    const memory = memories.get(protocol)
    const prompt = Either.flatMap(
      memory === undefined ? Either.right(body.right) : memory.recall(body.right),
      (body) => protocol.decode(body, envelope)
    )
    if (Either.isLeft(prompt)) return yield* reject(prompt.left)

    const fault = decide(prompt.right)
    const given = (protocol.answer ?? answer)(prompt.right)
    yield* Effect.sleep(latency)
    const said = typeof given === "string" ? { text: given } : given
    const completion = Model.complete(prompt.right, said)
    const { encode, kept = encode } = protocol
    const whole = memory === undefined ? undefined : kept(completion, prompt.right, exchange.receivedAt)
    if (isRecord(whole)) {
      memory?.keep(prompt.right.request, whole)
      if (protocol === responses) background.begin(prompt.right, said, whole, exchange.receivedAt)
    }
    return yield* respond(exchange, fault, prompt.right, completion)
  })

  const app = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    connections.learn(request)
    if (request.method === "OPTIONS" && "access-control-request-method" in request.headers) {
      return preflight(request.headers)
    }
    const [path = "", query] = request.url.replace(/#.*$/, "").split("?", 2)
    if (path === logPath && request.method === "GET") return HttpServerResponse.unsafeJson(yield* journal.requests)
    const envelope = { headers: request.headers, path, query: new URLSearchParams(query) }
    const fitting = protocols.filter((each) => each.path.test(path) && each.serves?.(envelope) !== false)
    const protocol = fitting.find(({ method = "POST" }) => method === request.method) ?? fitting[0]
    const entry = journal.open({
      method: request.method,
      path,
      headers: redact(request.headers),
      body: undefined,
      outcome: "pending",
      ...(protocol !== undefined && { protocol: protocol.name })
    })
    const exchange: Exchange = {
      closed,
      entry,
      pace,
      protocol: protocol ?? likeliest(path, request.headers),
      receivedAt: yield* Clock.currentTimeMillis,
      request,
      requestId: `req_${sha256Hex(`request ${received++}`).slice(0, 32)}`,
      started: yield* Elapsed.now
    }
    return yield* handle(exchange, envelope, routeProblem(protocol, request.method, path)).pipe(
      // An `answer` function or a plan that throws.
      Effect.catchAllDefect((defect) =>
        Effect.logError("The simulator failed", Cause.die(defect)).pipe(
          Effect.zipRight(entry.note({ outcome: "faulted", status: 500 })),
          Effect.zipRight(respondProblem(exchange, { _tag: "Status", status: 500 }, ""))
        )
      ),
      Effect.map(HttpServerResponse.setHeaders(corsOf(request.headers))),
      Effect.onInterrupt(() => entry.abort),
      Effect.raceFirst(
        Effect.zipRight(
          closed,
          Effect.as(hangUp(request, "resetAndDestroy"), HttpServerResponse.empty({ status: 503 }))
        )
      )
    )
  }).pipe(
    // Servers run their handlers uninterruptibly; this one ends at once when its client leaves.
    Effect.interruptible
  )
  return {
    app,
    forget: Effect.sync(() => {
      for (const memory of memories.values()) memory?.clear()
      background.clear()
      batches.clear()
    })
  }
}
