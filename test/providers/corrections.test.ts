import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as Provider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as RateLimit from "effect-llm/RateLimit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Refusals from "../../src/providers/refusals.js"
import * as Http from "../support/fakeHttp.js"
import { type Client, client, failureOf, serve, type Served, type Transport, transports } from "../support/overHttp.js"

type Body = { readonly [field: string]: unknown }

type ProviderLayer = Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

/** A model that no data has. */
const model = "nova-9"

const prompt = "Name a river."

// ---------------------------------------------------------------------------------------------------------------------
// A service that refuses settings
// ---------------------------------------------------------------------------------------------------------------------

const refusal = (param: string, code = "unsupported_parameter"): Body => ({
  error: {
    type: "invalid_request_error",
    code,
    param,
    message: `Unsupported parameter: '${param}' is not supported with this model.`
  }
})

const chatAnswer = {
  id: "chat_1",
  model,
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "The Elbe." } }],
  usage: { prompt_tokens: 8, completion_tokens: 4 }
}

const chatEvents = Http.sse([
  { id: "chat_1", model, choices: [{ index: 0, delta: { role: "assistant", content: "The " } }] },
  { id: "chat_1", model, choices: [{ index: 0, delta: { content: "Elbe." }, finish_reason: "stop" }] },
  { id: "chat_1", model, choices: [], usage: { prompt_tokens: 8, completion_tokens: 4 } },
  "[DONE]"
])

/** The answer of a service: a refusal, or none, by the request and its number. */
type Judge = (body: Body, n: number) => { readonly status: number; readonly body: unknown } | undefined

/** Refuses the first of these fields that a request has. */
const refusing = (...fields: ReadonlyArray<string>): Judge => (body) => {
  const field = fields.find((field) => body[field] !== undefined)
  return field === undefined ? undefined : { status: 400, body: refusal(field) }
}

interface Chat extends Client {
  readonly server: Served
  readonly bodies: () => ReadonlyArray<Body>
  /** The same request over a call or a stream, without the cache. */
  readonly ask: (
    request?: Partial<LlmRequest.PromptInput>,
    way?: Way
  ) => Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError>
}

type Way = "call" | "stream"

/** A client of Chat Completions, over a real socket. */
const chat = (
  judge: Judge,
  { transport = "fetch", wrap = (layer) => layer, ...options }: {
    readonly transport?: Transport
    readonly times?: number
    readonly wrap?: (layer: ProviderLayer) => ProviderLayer
    readonly chat?: OpenAiChat.Options
  } = {}
): Effect.Effect<Chat, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* serve((response, received, n) => {
      const body: Body = JSON.parse(received.body)
      const refused = judge(body, n)
      const [status, type, text] = refused !== undefined
        ? [refused.status, "application/json", JSON.stringify(refused.body)]
        : body.stream === true
        ? [200, "text/event-stream", chatEvents]
        : [200, "application/json", JSON.stringify(chatAnswer)]
      response.writeHead(status, { "content-type": type }).end(text)
    })
    const made = yield* client({
      provider: wrap(OpenAiChat.layer({ baseUrl: `${server.url}/v1`, name: "nova", ...options.chat })),
      transport: transports[transport],
      client: { retry: { times: options.times ?? 0, base: "1 millis", jitter: false } }
    })
    const ask: Chat["ask"] = (request = {}, way = "call") => {
      const whole = { model, prompt, ...request }
      return way === "call" ? made.client.call(whole, { cache: "bypass" }) : made.client.stream(whole, {
        cache: "bypass"
      }).pipe(
        Stream.runLast,
        Effect.map((last) => {
          assert(last._tag === "Some" && last.value._tag === "Finish")
          return last.value.response
        })
      )
    }
    return { ...made, server, ask, bodies: () => server.requests.map(({ body }) => JSON.parse(body)) }
  })

const corrected = (events: ReadonlyArray<LlmEvent.LlmEvent>): ReadonlyArray<LlmEvent.RequestCorrected> =>
  events.filter((event) => event._tag === "RequestCorrected")

const ways: ReadonlyArray<Way> = ["call", "stream"]

// ---------------------------------------------------------------------------------------------------------------------
// Tests
// ---------------------------------------------------------------------------------------------------------------------

describe("Corrections: a model that is not known", () => {
  for (const way of ways) {
    for (const transport of ["fetch", "lean"] as const) {
      it.scopedLive(`answers a ${way} over ${transport} within three corrections, whatever it refuses`, () =>
        Effect.gen(function*() {
          const { ask, bodies, events } = yield* chat(refusing("temperature", "reasoning_effort", "seed"), {
            transport
          })
          const response = yield* ask({ temperature: 0.2, reasoningEffort: "high", seed: 7, maxTokens: 50 }, way)
          assert.strictEqual(response.text, "The Elbe.")
          assert.strictEqual(response.attempts, 4)
          assert.deepStrictEqual(response.warnings, [
            "temperature was not sent: nova has refused it for nova-9",
            "reasoningEffort was not sent: nova has refused it for nova-9",
            "seed was not sent: nova has refused it for nova-9"
          ])
          const settings = bodies().map((
            { reasoning_effort, seed, temperature }
          ) => [temperature, reasoning_effort, seed])
          assert.deepStrictEqual(settings, [
            [0.2, "high", 7],
            [undefined, "high", 7],
            [undefined, undefined, 7],
            [undefined, undefined, undefined]
          ])
          assert.isTrue(bodies().every(({ max_tokens }) => max_tokens === 50))
          const all = yield* events
          assert.deepStrictEqual(corrected(all).map(({ setting }) => setting), [
            "temperature",
            "reasoningEffort",
            "seed"
          ])
          assert.deepStrictEqual(all.filter(({ _tag }) => _tag.startsWith("Call")).map(({ _tag }) => _tag), [
            "CallStarted",
            "CallOk"
          ])
        }))
    }
  }

  it.scopedLive("is asked as it takes it from then on", () =>
    Effect.gen(function*() {
      const { ask, bodies, events, server } = yield* chat(refusing("temperature", "seed"))
      yield* ask({ seed: 7 })
      assert.strictEqual(bodies().length, 3)
      server.forget()
      const again = yield* ask({ seed: 8, temperature: 1, prompt: "Another." }, "stream")
      assert.strictEqual(bodies().length, 1)
      assert.strictEqual(again.attempts, 1)
      // What the program asked for and did not get is in each answer.
      assert.sameMembers([...again.warnings], [
        "temperature was not sent: nova has refused it for nova-9",
        "seed was not sent: nova has refused it for nova-9"
      ])
      assert.strictEqual(corrected(yield* events).length, 2)
    }))

  it.scopedLive("is asked without the library's own default, if it refuses that, and without a word later", () =>
    Effect.gen(function*() {
      const { ask, bodies } = yield* chat(refusing("temperature"))
      const first = yield* ask()
      assert.deepStrictEqual(first.warnings, ["temperature was not sent: nova has refused it for nova-9"])
      const second = yield* ask()
      assert.deepStrictEqual(second.warnings, [])
      assert.deepStrictEqual(bodies().map(({ temperature }) => temperature), [0, undefined, undefined])
    }))

  it.scopedLive("fails after three corrections, and answers the next call", () =>
    Effect.gen(function*() {
      const { ask, bodies, server } = yield* chat(refusing("temperature", "reasoning_effort", "seed", "top_p"))
      const request = { temperature: 0.2, reasoningEffort: "high", seed: 7, topP: 0.5 } as const
      const error = yield* failureOf(ask(request))
      assert.strictEqual(error.reason._tag, "InvalidRequest")
      assert.strictEqual(error.attempts, 4)
      assert.strictEqual(bodies().length, 4)
      server.forget()
      assert.strictEqual((yield* ask(request)).text, "The Elbe.")
      assert.strictEqual(bodies().length, 1)
    }))

  it.scopedLive("is asked with the other name of the limit", () =>
    Effect.gen(function*() {
      const { ask, bodies } = yield* chat((body) =>
        body.max_tokens === undefined ? undefined : {
          status: 400,
          body: {
            error: {
              type: "invalid_request_error",
              code: "unsupported_parameter",
              param: "max_tokens",
              message:
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            }
          }
        }
      )
      const response = yield* ask({ maxTokens: 50 })
      assert.deepStrictEqual(response.warnings, [
        "maxTokens was sent as max_completion_tokens: nova has refused its other name"
      ])
      assert.deepStrictEqual((yield* ask({ maxTokens: 50 })).warnings, [])
      assert.deepStrictEqual(
        bodies().map(({ max_completion_tokens, max_tokens }) => [max_tokens, max_completion_tokens]),
        [
          [50, undefined],
          [undefined, 50],
          [undefined, 50]
        ]
      )
    }))
})

describe("Corrections: a stream that asks for its usage", () => {
  it.scopedLive("is asked for without it by a service that refuses the field, which no program has set", () =>
    Effect.gen(function*() {
      const message = "Unrecognized request argument supplied: stream_options"
      const { ask, bodies, events } = yield* chat((body) =>
        body.stream_options === undefined ? undefined : {
          status: 400,
          body: { error: { message, type: "invalid_request_error", param: null, code: null } }
        }
      )
      const response = yield* ask({}, "stream")
      assert.strictEqual(response.text, "The Elbe.")
      assert.deepStrictEqual(response.warnings, ["the stream has no usage: nova has refused to be asked for it"])
      yield* ask({ prompt: "Another." }, "stream")
      assert.deepStrictEqual(bodies().map((body) => "stream_options" in body), [true, false, false])
      assert.deepStrictEqual(corrected(yield* events).map(({ setting }) => setting), ["stream_options"])
    }))
})

describe("Corrections: what is not corrected", () => {
  it.scopedLive("a prompt that is too long, or a model that is not there, whatever setting the words name", () =>
    Effect.gen(function*() {
      for (
        const [message, tag] of [
          [
            "This model's maximum context length is 10 tokens. `temperature` is not supported beyond.",
            "ContextLengthExceeded"
          ],
          ["The model `temperature` does not exist: seed is not supported", "ModelNotFound"]
        ] as const
      ) {
        const { ask, bodies } = yield* chat(() => ({ status: 400, body: { error: { message, code: null } } }))
        const error = yield* failureOf(ask({ temperature: 0.2, seed: 7 }))
        assert.strictEqual(error.reason._tag, tag)
        assert.strictEqual(bodies().length, 1)
      }
    }))

  const never: ReadonlyArray<readonly [what: string, request: Partial<LlmRequest.PromptInput>, field: string]> = [
    ["stop texts", { stop: ["."] }, "stop"],
    ["the limit", { maxTokens: 50 }, "max_tokens"],
    ["tools", { tools: [{ name: "look_up", parameters: { type: "object" } }] }, "tools"],
    [
      "the program's choice of a tool",
      { tools: [{ name: "look_up", parameters: { type: "object" } }], toolChoice: "required" },
      "tool_choice"
    ],
    ["the schema", { outputSchema: { name: "river", schema: { type: "object" } } }, "response_format"],
    ["the user", { user: "user-17" }, "user"],
    ["a raw field", { providerOptions: { nova: { temperature: 0.2 } } }, "temperature"],
    ["a raw field in place of a setting", { seed: 1, providerOptions: { nova: { seed: 7 } } }, "seed"]
  ]
  for (const way of ways) {
    for (const [what, request, field] of never) {
      it.scopedLive(`is ${what}, in a ${way}`, () =>
        Effect.gen(function*() {
          const { ask, bodies, events } = yield* chat(refusing(field), { times: 2 })
          const error = yield* failureOf(ask(request, way))
          assert.strictEqual(error.reason._tag, "InvalidRequest")
          assert.strictEqual(bodies().length, 1)
          assert.isEmpty(corrected(yield* events))
        }))
    }

    it.scopedLive(`is a refusal for another reason, in a ${way}`, () =>
      Effect.gen(function*() {
        const { ask, bodies } = yield* chat(() => ({
          status: 400,
          body: {
            error: { type: "invalid_request_error", message: "messages.0.temperature: Extra inputs are not permitted" }
          }
        }))
        yield* failureOf(ask({ temperature: 0.2, seed: 7 }, way))
        assert.strictEqual(bodies().length, 1)
      }))
  }

  it.scopedLive("is a setting that the request does not have", () =>
    Effect.gen(function*() {
      const { ask, bodies } = yield* chat(() => ({ status: 400, body: refusal("top_k") }))
      yield* failureOf(ask({ seed: 7 }))
      assert.strictEqual(bodies().length, 1)
    }))

  it.scopedLive("is the same setting twice, and what did not help is not remembered", () =>
    Effect.gen(function*() {
      const { ask, bodies, server } = yield* chat((_, n) =>
        n === 3 ? undefined : { status: 400, body: refusal("seed") }
      )
      const error = yield* failureOf(ask({ seed: 7 }))
      assert.strictEqual(error.attempts, 2)
      server.forget()
      // A request of the same number as before, which the service takes.
      yield* failureOf(ask({ seed: 7 }))
      assert.deepStrictEqual(bodies().map(({ seed }) => seed), [7, undefined])
    }))
})

describe("Corrections: the tool that `object` forces", () => {
  const River = Schema.Struct({ name: Schema.String })

  const wordy = {
    ...chatAnswer,
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "{\"name\":\"Elbe\"}" } }]
  }

  it.scopedLive("is offered where the service refuses to force it", () =>
    Effect.gen(function*() {
      const bodies: Array<Body> = []
      const server = yield* serve((response, received) => {
        const body: Body = JSON.parse(received.body)
        bodies.push(body)
        const forced = typeof body.tool_choice === "object"
        response.writeHead(forced ? 400 : 200, { "content-type": "application/json" })
          .end(JSON.stringify(forced ? refusal("tool_choice") : wordy))
      })
      const { client: made } = yield* client({
        provider: OpenAiChat.layer({ baseUrl: `${server.url}/v1`, name: "nova" })
      })
      const { response, value } = yield* made.object(River, { model, prompt }, { mode: "tool" })
      assert.deepStrictEqual(value, { name: "Elbe" })
      assert.deepStrictEqual(response.warnings, ["toolChoice was not sent: nova has refused it for nova-9"])
      assert.strictEqual(bodies.length, 2)
      assert.deepStrictEqual(bodies[1]!.tools, bodies[0]!.tools)
      yield* made.object(River, { model, prompt: "Another." }, { mode: "tool" })
      assert.strictEqual(bodies.length, 3)
    }))
})

describe("Corrections: beneath the policies", () => {
  it.scopedLive("go on after a failure that is retried", () =>
    Effect.gen(function*() {
      const { ask, bodies, events } = yield* chat(
        (body, n) =>
          n === 2 ? { status: 503, body: { error: { message: "later" } } } : refusing("temperature", "seed")(body, n),
        { times: 1 }
      )
      const response = yield* ask({ temperature: 0.2, seed: 7 })
      assert.strictEqual(response.text, "The Elbe.")
      // Refused, unavailable; then without the temperature from the start.
      assert.deepStrictEqual(bodies().map(({ seed, temperature }) => [temperature, seed]), [
        [0.2, 7],
        [undefined, 7],
        [undefined, 7],
        [undefined, undefined]
      ])
      assert.strictEqual(response.attempts, 4)
      const attempts = (yield* events).filter(({ _tag }) => _tag === "CallStarted")
      assert.strictEqual(attempts.length, 2)
    }))

  it.scopedLive("are kept in the cache under the request of the program", () =>
    Effect.gen(function*() {
      const { bodies, client } = yield* chat(refusing("seed"))
      const request = { model, prompt, seed: 7 }
      const first = yield* client.call(request)
      assert.strictEqual(first.origin, "provider")
      const again = yield* client.call(request)
      assert.strictEqual(again.origin, "cache")
      assert.deepStrictEqual(again.warnings, first.warnings)
      assert.strictEqual(bodies().length, 2)
      // The corrected request is another one.
      assert.strictEqual((yield* client.call({ model, prompt })).origin, "provider")
    }))

  it.effect("are charged to a rate limit as the requests that they are", () =>
    Effect.gen(function*() {
      let requests = 0
      const fake = Http.service((sent) => {
        requests++
        const refused = refusing("temperature", "seed")(sent.body, requests)
        return refused === undefined ? Http.json(chatAnswer) : Http.json(refused.body, { status: refused.status })
      })
      const layer = OpenAiChat.layer({ baseUrl: "http://127.0.0.1:9/v1", name: "nova" }).pipe(
        Layer.provide(fake.layer),
        RateLimit.limit({ requestsPerMinute: 4 })
      )
      const { client: made } = yield* client({ provider: layer })
      yield* made.call({ model, prompt, seed: 7 })
      assert.strictEqual(requests, 3)
      // One is left of the four; the next has to wait for a quarter of a minute.
      yield* made.call({ model, prompt: "Another." })
      const waiting = yield* Effect.fork(made.call({ model, prompt: "A third." }))
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(requests, 4)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(requests, 5)
      yield* waiting.await
    }).pipe(Effect.scoped))
})

describe("Corrections: the memory", () => {
  const asking = Effect.fnUntraced(function*(judge: Judge, layer?: ProviderLayer) {
    const fake = Http.service((sent) => {
      const refused = judge(sent.body, 0)
      return refused === undefined ? Http.json(chatAnswer) : Http.json(refused.body, { status: refused.status })
    })
    const context = yield* Layer.build(
      Layer.provide(layer ?? OpenAiChat.layer({ baseUrl: "http://127.0.0.1:9/v1", name: "nova" }), fake.layer)
    )
    const provider = Context.get(context, Provider.LlmProvider)
    const { client: made } = yield* client({ provider: Layer.succeed(Provider.LlmProvider, provider) })
    const requests = (request: Partial<LlmRequest.PromptInput>) =>
      Effect.suspend(() => {
        const before = fake.sent.length
        return Effect.map(
          made.call({ model, prompt, ...request }, { cache: "bypass" }),
          () => fake.sent.length - before
        )
      })
    return { requests, sent: fake.sent }
  })

  it.scoped("lasts an hour of the clock that never steps back", () =>
    Effect.gen(function*() {
      const { requests } = yield* asking(refusing("seed"))
      assert.strictEqual(yield* requests({ seed: 7 }), 2)
      yield* TestClock.adjust("59 minutes")
      assert.strictEqual(yield* requests({ seed: 8 }), 1)
      yield* TestClock.adjust("1 minutes")
      assert.strictEqual(yield* requests({ seed: 7 }), 2)
      assert.strictEqual(yield* requests({ seed: 7 }), 1)
    }))

  it.scoped("is of one model", () =>
    Effect.gen(function*() {
      const { requests } = yield* asking(refusing("seed"))
      assert.strictEqual(yield* requests({ seed: 7 }), 2)
      assert.strictEqual(yield* requests({ seed: 7, model: "nova-10" }), 2)
      assert.strictEqual(yield* requests({ seed: 7 }), 1)
    }))

  it.scoped("holds a refused effort, and no other one", () =>
    Effect.gen(function*() {
      const { requests, sent } = yield* asking((body) =>
        body.reasoning_effort !== "minimal" ? undefined : {
          status: 400,
          body: {
            error: {
              type: "invalid_request_error",
              code: "unsupported_value",
              param: "reasoning_effort",
              message:
                "Unsupported value: 'reasoning_effort' does not support 'minimal' with this model. Supported values are: 'low' and 'high'."
            }
          }
        }
      )
      assert.strictEqual(yield* requests({ reasoningEffort: "minimal" }), 2)
      assert.strictEqual(yield* requests({ reasoningEffort: "minimal" }), 1)
      assert.strictEqual(yield* requests({ reasoningEffort: "high" }), 1)
      assert.strictEqual(sent.at(-1)?.body.reasoning_effort, "high")
    }))

  it.scoped("holds a setting that is refused beside others, for requests with these", () =>
    Effect.gen(function*() {
      const { requests, sent } = yield* asking((body) =>
        body.tools === undefined || body.reasoning_effort === undefined ? undefined : {
          status: 400,
          body: {
            error: {
              type: "invalid_request_error",
              param: "reasoning_effort",
              message: "Function tools with reasoning_effort are not supported for nova-9 in /v1/chat/completions."
            }
          }
        }
      )
      const tools = [{ name: "look_up", parameters: { type: "object" } }]
      assert.strictEqual(yield* requests({ reasoningEffort: "low", tools }), 2)
      assert.strictEqual(yield* requests({ reasoningEffort: "low", tools }), 1)
      assert.strictEqual(yield* requests({ reasoningEffort: "low" }), 1)
      assert.strictEqual(sent.at(-1)?.body.reasoning_effort, "low")
    }))

  it.effect("is bounded: of a thousand and more models it forgets the first", () =>
    Effect.gen(function*() {
      const refusals = Refusals.make()
      const seed = { _tag: "Setting", setting: "seed", isConditional: false } as const
      const of = (model: string) => LlmRequest.decode({ model, prompt, seed: 7 })
      for (let n = 0; n <= 1_000; n++) refusals.add(seed, yield* of(`nova-${n}`), 0)
      assert.isFalse(refusals.hasSetting("seed", yield* of("nova-0"), 1))
      assert.isTrue(refusals.hasSetting("seed", yield* of("nova-1"), 1))
      assert.isTrue(refusals.hasSetting("seed", yield* of("nova-1000"), 1))
    }))
})

describe("Corrections: in each protocol", () => {
  const request = { model, prompt, temperature: 0.5, maxTokens: 50 }

  const protocols: {
    readonly [Name in string]: {
      readonly layer: (url: string) => ProviderLayer
      readonly temperature: (body: Body) => unknown
      readonly refusal: unknown
      readonly answer: unknown
    }
  } = {
    OpenAi: {
      layer: (baseUrl) => OpenAi.layer({ baseUrl }),
      temperature: (body) => body.temperature,
      refusal: refusal("temperature"),
      answer: {
        id: "resp_1",
        status: "completed",
        model,
        output: [{
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "The Elbe.", annotations: [] }]
        }]
      }
    },
    Anthropic: {
      layer: (baseUrl) => Anthropic.layer({ baseUrl }),
      temperature: (body) => body.temperature,
      refusal: {
        type: "error",
        error: { type: "invalid_request_error", message: "`temperature` is deprecated for this model." }
      },
      answer: {
        id: "msg_1",
        type: "message",
        role: "assistant",
        model,
        stop_reason: "end_turn",
        content: [{ type: "text", text: "The Elbe." }],
        usage: { input_tokens: 8, output_tokens: 4 }
      }
    },
    Gemini: {
      layer: (baseUrl) => Gemini.layer({ baseUrl }),
      temperature: ({ generationConfig }) => (generationConfig as Body | undefined)?.temperature,
      refusal: {
        error: {
          code: 400,
          status: "INVALID_ARGUMENT",
          message:
            "Invalid JSON payload received. Unknown name \"temperature\" at 'generation_config': Cannot find field."
        }
      },
      answer: {
        candidates: [{ content: { role: "model", parts: [{ text: "The Elbe." }] }, finishReason: "STOP" }],
        usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 4 }
      }
    },
    Ollama: {
      layer: (baseUrl) => Ollama.layer({ baseUrl }),
      temperature: ({ options }) => (options as Body | undefined)?.temperature,
      refusal: { error: "temperature is not supported by this model" },
      answer: { model, message: { role: "assistant", content: "The Elbe." }, done: true, done_reason: "stop" }
    }
  }

  for (const [name, { answer, layer, refusal, temperature }] of Object.entries(protocols)) {
    it.scopedLive(`${name} asks again without the setting`, () =>
      Effect.gen(function*() {
        const temperatures: Array<unknown> = []
        const server = yield* serve((response, received) => {
          const sent = temperature(JSON.parse(received.body))
          temperatures.push(sent)
          response.writeHead(sent === undefined ? 200 : 400, { "content-type": "application/json" })
            .end(JSON.stringify(sent === undefined ? answer : refusal))
        })
        const { client: made } = yield* client({ provider: layer(server.url) })
        const response = yield* made.call(request)
        assert.strictEqual(response.text, "The Elbe.")
        assert.deepStrictEqual(temperatures, [0.5, undefined])
        assert.include(response.warnings.join(), "temperature was not sent")
        yield* made.call({ ...request, temperature: 0.7 })
        assert.deepStrictEqual(temperatures, [0.5, undefined, undefined])
      }))
  }

  it.scopedLive("Anthropic asks again without its cache control", () =>
    Effect.gen(function*() {
      const controls: Array<unknown> = []
      const server = yield* serve((response, received) => {
        const { cache_control: control } = JSON.parse(received.body)
        controls.push(control)
        response.writeHead(control === undefined ? 200 : 400, { "content-type": "application/json" }).end(
          JSON.stringify(
            control === undefined ? protocols.Anthropic!.answer : {
              type: "error",
              error: { type: "invalid_request_error", message: "cache_control: Extra inputs are not permitted" }
            }
          )
        )
      })
      const { client: made } = yield* client({
        provider: Anthropic.layer({ baseUrl: server.url, promptCache: "1h" })
      })
      const response = yield* made.call({ model, prompt })
      assert.deepStrictEqual(controls, [{ type: "ephemeral", ttl: "1h" }, undefined])
      assert.deepStrictEqual(response.warnings, ["promptCache was not sent: anthropic has refused it for nova-9"])
    }))
})

describe("Corrections: without a client", () => {
  it.effect("count their requests in the failure", () =>
    Effect.gen(function*() {
      const { call, sent } = yield* Http.provider(
        OpenAiChat.layer({ baseUrl: "http://127.0.0.1:9/v1" }),
        (sent) =>
          sent.body.seed === undefined
            ? Http.json({ error: { message: "no" } }, { status: 503 })
            : Http.json(refusal("seed"), { status: 400 })
      )
      const error = yield* Effect.flip(call({ model, prompt, seed: 7 }))
      assert.strictEqual(error.reason._tag, "Overloaded")
      assert.strictEqual(error.attempts, 2)
      assert.strictEqual(sent.length, 2)
    }))
})
