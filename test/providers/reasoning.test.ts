import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Balance from "effect-llm/Balance"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmError from "effect-llm/LlmError"
import * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import { client, type Received, serve } from "../support/overHttp.js"

const apiKey = Redacted.make("sk-test-0123456789abcdef")

type Json = { readonly [field: string]: unknown }

interface Protocol {
  readonly model: string
  readonly at: (url: string, account?: string) => Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>
  /** The default account of the provider at an address. */
  readonly account: (url: string) => string
  /** A turn with reasoning, as the provider at an address made it. */
  readonly turn: (tag: Tag, seal: string) => Message.AssistantMessage
  readonly answer: Json
  readonly events: string
  readonly refusal: Json
  readonly refusalEvent: string
}

interface Tag {
  readonly provider: string
  readonly account?: string
  readonly model?: string
}

const sse = (...events: ReadonlyArray<Json>): string =>
  events.map((event) =>
    `${typeof event.type === "string" ? `event: ${event.type}\n` : ""}data: ${JSON.stringify(event)}\n\n`
  )
    .join("")

const openAiAnswer = {
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-5-mini",
  output: [{ type: "message", id: "msg_1", role: "assistant", content: [{ type: "output_text", text: "Elbe" }] }],
  usage: { input_tokens: 3, output_tokens: 1 }
}
const openAiRefusal = {
  message: "The encrypted content for item rs_1 could not be verified.",
  type: "invalid_request_error",
  param: null,
  code: "invalid_encrypted_content"
}
const anthropicRefusal = {
  type: "error",
  error: {
    type: "invalid_request_error",
    message: "messages.1.content.0: The block is bound to a different conversation"
  }
}
const geminiRefusal = { error: { code: 400, status: "INVALID_ARGUMENT", message: "Thought signature is not valid" } }
const geminiAnswer = {
  candidates: [{ content: { role: "model", parts: [{ text: "Elbe" }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 }
}

const protocols: { readonly [name: string]: Protocol } = {
  OpenAi: {
    model: "gpt-5-mini",
    at: (url, account) => OpenAi.layer({ apiKey, baseUrl: url, account }),
    account: (url) => `${url}/responses`,
    turn: (tag, encrypted) => ({
      role: "assistant",
      content: [Message.Reasoning.make({ id: "rs_1", encrypted, ...tag }), Message.Text.make({ text: "Oder" })]
    }),
    answer: openAiAnswer,
    events: sse({ type: "response.completed", response: openAiAnswer }),
    refusal: { error: openAiRefusal },
    refusalEvent: sse({ ...openAiRefusal, type: "error" })
  },
  Anthropic: {
    model: "claude-sonnet-4-5",
    at: (url, account) => Anthropic.layer({ apiKey, baseUrl: url, account }),
    account: (url) => `${url}/v1/messages`,
    turn: (tag, signature) => ({
      role: "assistant",
      content: [Message.Reasoning.make({ text: "Hm.", signature, ...tag }), Message.Text.make({ text: "Oder" })]
    }),
    answer: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-4-5",
      content: [{ type: "text", text: "Elbe" }],
      stop_reason: "end_turn",
      usage: { input_tokens: 3, output_tokens: 1 }
    },
    events: sse(
      { type: "message_start", message: { id: "msg_1", model: "claude-sonnet-4-5", usage: { input_tokens: 3 } } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Elbe" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 1 } },
      { type: "message_stop" }
    ),
    refusal: anthropicRefusal,
    refusalEvent: sse(anthropicRefusal)
  },
  Gemini: {
    model: "gemini-3-flash",
    at: (url, account) => Gemini.layer({ apiKey, baseUrl: url, account }),
    account: (url) => `${url}/v1beta/models`,
    turn: (tag, signature) => ({
      role: "assistant",
      content: [Message.Reasoning.make({ text: "Hm.", signature, ...tag }), Message.Text.make({ text: "Oder" })]
    }),
    answer: geminiAnswer,
    events: `data: ${JSON.stringify(geminiAnswer)}\n\n`,
    refusal: geminiRefusal,
    refusalEvent: `data: ${JSON.stringify(geminiRefusal)}\n\n`
  },
  OpenRouter: {
    model: "anthropic/claude-sonnet-4.5",
    at: (url, account) => OpenAiChat.layer(OpenAiChat.openRouter({ apiKey, baseUrl: url, account })),
    account: (url) => `${url}/chat/completions`,
    turn: (tag, data) => ({
      role: "assistant",
      content: [
        Message.Reasoning.make({ encrypted: JSON.stringify([{ type: "reasoning.encrypted", data }]), ...tag }),
        Message.Text.make({ text: "Oder" })
      ]
    }),
    answer: {
      id: "gen-1",
      model: "anthropic/claude-sonnet-4.5",
      choices: [{ index: 0, message: { role: "assistant", content: "Elbe" }, finish_reason: "stop" }]
    },
    events: `data: ${
      JSON.stringify({ id: "gen-1", choices: [{ index: 0, delta: { content: "Elbe" }, finish_reason: "stop" }] })
    }\n\ndata: [DONE]\n\n`,
    refusal: {
      error: {
        code: 400,
        message: "Provider returned error",
        metadata: { provider_name: "Anthropic", raw: JSON.stringify(anthropicRefusal) }
      }
    },
    refusalEvent: `data: ${
      JSON.stringify({ error: { code: 400, message: "messages.1.content.0: Invalid signature in thinking block" } })
    }\n\n`
  }
}

const names: { readonly [name: string]: string } = {
  OpenAi: "openai",
  Anthropic: "anthropic",
  Gemini: "gemini",
  OpenRouter: "openrouter"
}

const asking = (model: string, turn: Message.AssistantMessage): LlmRequest.Input => ({
  model,
  messages: [{ role: "user", content: "Name a river." }, turn, { role: "user", content: "And another." }]
})

const operations = {
  call: ({ client }: { readonly client: Client }, request: LlmRequest.Input) => client.call(request, uncached),
  stream: ({ client }: { readonly client: Client }, request: LlmRequest.Input) =>
    Effect.map(Stream.runCollect(client.stream(request, uncached)), (parts): LlmResponse.LlmResponse => {
      const last = [...parts].at(-1)
      assert(last?._tag === "Finish")
      return last.response
    })
}

type Client = Effect.Effect.Success<ReturnType<typeof client>>["client"]

const uncached = { cache: "bypass" } as const

/** A service that refuses bodies in some way, and answers others. */
const service = (protocol: Protocol, refuses: (body: string) => "status" | "event" | false) =>
  serve((response: ServerResponse, { body, url }: Received) => {
    const streams = url.includes("alt=sse") || JSON.parse(body).stream === true
    const refusal = refuses(body)
    if (refusal === "status" || (refusal === "event" && !streams)) {
      response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify(protocol.refusal))
      return
    }
    const text = refusal === "event"
      ? protocol.refusalEvent
      : streams
      ? protocol.events
      : JSON.stringify(protocol.answer)
    response.writeHead(200, { "content-type": streams ? "text/event-stream" : "application/json" }).end(text)
  })

const refusedWarning = "reasoning was not sent: the provider refused it"
const knownWarning = "reasoning was not sent: the provider has refused it before"

describe("reasoning that a service refuses", () => {
  for (const [name, protocol] of Object.entries(protocols)) {
    const { account, at, model, turn } = protocol
    const provider = names[name] ?? ""

    for (const [operation, ask] of Object.entries(operations)) {
      for (const refusal of ["status", "event"] as const) {
        it.live(`${name}, ${operation}, by ${refusal}: is left out, and the service is asked once more within the attempt`, () =>
          Effect.gen(function*() {
            const server = yield* service(protocol, (body) => body.includes("SEAL") && refusal)
            const made = yield* client({ provider: at(server.url), client: { retry: { times: 0 } } })
            const request = asking(model, turn({ provider, account: account(server.url), model }, "SEAL"))
            const answer = yield* ask(made, request)
            assert.strictEqual(answer.text, "Elbe")
            assert.strictEqual(answer.attempts, 2)
            assert.include(answer.warnings, refusedWarning)
            assert.strictEqual(server.requests.length, 2)
            assert.isTrue(server.requests[0]?.body.includes("SEAL"))
            assert.isTrue(server.requests[1]?.body.includes("Oder"))
            const corrected = (yield* made.events).filter(LlmEvent.is("RequestCorrected"))
            assert.deepStrictEqual(corrected.map(({ correction, error }) => [correction, error.reason._tag]), [
              ["reasoning", "ReasoningRejected"]
            ])

            // From now on it is known.
            const later = yield* ask(made, request)
            assert.deepStrictEqual([later.text, later.attempts, later.warnings], ["Elbe", 1, [knownWarning]])
            assert.strictEqual(server.requests.length, 3)

            // Other reasoning still goes.
            yield* ask(made, asking(model, turn({ provider, account: account(server.url), model }, "OTHER")))
            assert.isTrue(server.requests.at(-1)?.body.includes("OTHER"))
          }).pipe(Effect.scoped))
      }

      it.live(`${name}, ${operation}: is the failure if the service refuses the request without it, too`, () =>
        Effect.gen(function*() {
          const server = yield* service(protocol, () => "status")
          const made = yield* client({ provider: at(server.url), client: { retry: { times: 2 } } })
          const error: LlmError.LlmError = yield* Effect.flip(
            ask(made, asking(model, turn({ provider, account: account(server.url), model }, "SEAL")))
          )
          assert.deepStrictEqual(
            [error.reason._tag, error.attempts, error.isRetryable, error.canFailOver],
            ["ReasoningRejected", 2, false, true]
          )
          assert.strictEqual(server.requests.length, 2)
        }).pipe(Effect.scoped))
    }

    it.live(`${name}: a request that is refused for another reason is not sent again`, () =>
      Effect.gen(function*() {
        const server = yield* service({ ...protocol, refusal: { error: { message: "the image is too small" } } }, () =>
          "status")
        const made = yield* client({ provider: at(server.url) })
        const error = yield* Effect.flip(
          made.client.call(asking(model, turn({ provider, account: account(server.url), model }, "SEAL")))
        )
        assert.strictEqual(error.reason._tag, "InvalidRequest")
        assert.strictEqual(server.requests.length, 1)
      }).pipe(Effect.scoped))
  }

  it.live("Gemini: calls that have lost their signature have Google's stand-in for it, whatever the model", () =>
    Effect.gen(function*() {
      const protocol = protocols.Gemini
      assert(protocol !== undefined)
      const server = yield* service(protocol, (body) => !body.includes("skip_thought_signature_validator") && "status")
      const made = yield* client({ provider: protocol.at(server.url) })
      for (const signature of ["SEAL", undefined]) {
        const call = { id: "1", name: "look", arguments: {} }
        const answer = yield* made.client.call({
          model: "gemini-2.5-flash",
          messages: [
            { role: "user", content: "Go." },
            {
              role: "assistant",
              content: [
                Message.ToolCall.make({ ...call, ...(signature !== undefined && { signature }) }),
                Message.ToolCall.make({ ...call, id: "2" })
              ]
            },
            {
              role: "tool",
              content: [
                Message.ToolResult.make({ id: "1", result: "a" }),
                Message.ToolResult.make({ id: "2", result: "b" })
              ]
            }
          ]
        }, uncached)
        assert.strictEqual(answer.attempts, 2)
        assert.strictEqual(server.requests.at(-1)?.body.split("skip_thought_signature_validator").length, 2)
      }
    }).pipe(Effect.scoped))
})

describe("reasoning of others", () => {
  for (const [name, protocol] of Object.entries(protocols)) {
    const { account, at, model, turn } = protocol
    const provider = names[name] ?? ""

    it.live(`${name}: goes back only to the provider, account and model that made it`, () =>
      Effect.gen(function*() {
        const server = yield* service(protocol, () => false)
        const made = yield* client({ provider: at(server.url) })
        const own = account(server.url)
        const sent = (tag: Tag, asked = model) =>
          Effect.map(made.client.call(asking(asked, turn(tag, "SEAL")), uncached), ({ warnings }) => [
            server.requests.at(-1)?.body.includes("SEAL"),
            warnings
          ])
        assert.deepStrictEqual(yield* sent({ provider, account: own, model }), [true, []])
        // Conversations that were kept before there were accounts.
        assert.deepStrictEqual(yield* sent({ provider }), [true, []])
        // A model's name with a date is the same model.
        assert.deepStrictEqual(yield* sent({ provider, account: own, model: `${model}-2026-01-31` }), [true, []])
        assert.deepStrictEqual(yield* sent({ provider, account: own, model }, `${model}-20260131`), [true, []])
        assert.deepStrictEqual(yield* sent({ provider, account: "another", model }), [
          false,
          ["reasoning was not sent: another account made it"]
        ])
        assert.deepStrictEqual(yield* sent({ provider, account: own, model: "another" }), [
          false,
          ["reasoning was not sent: another model made it"]
        ])
        assert.deepStrictEqual(yield* sent({ provider: "another", account: own, model }), [
          false,
          ["reasoning was not sent: another provider made it"]
        ])
      }).pipe(Effect.scoped))

    it.live(`${name}: an account has the name that the program gives it`, () =>
      Effect.gen(function*() {
        const server = yield* service(protocol, () => false)
        const made = yield* client({ provider: at(server.url, "team-a") })
        for (const [account, isSent] of [["team-a", true], [protocol.account(server.url), false]] as const) {
          yield* made.client.call(asking(model, turn({ provider, account, model }, "SEAL")), uncached)
          assert.strictEqual(server.requests.at(-1)?.body.includes("SEAL"), isSent)
        }
      }).pipe(Effect.scoped))
  }

  it.live("plain thoughts are bound to no account and no model", () =>
    Effect.gen(function*() {
      const server = yield* service(protocols.OpenRouter!, () => false)
      const made = yield* client({ provider: protocols.OpenRouter!.at(server.url) })
      const answer = yield* made.client.call(
        asking("x", {
          role: "assistant",
          content: [
            Message.Reasoning.make({ text: "I think.", provider: "openrouter", account: "another", model: "y" }),
            Message.Text.make({ text: "Oder" })
          ]
        })
      )
      assert.deepStrictEqual(answer.warnings, [])
      assert.include(server.requests[0]?.body, "I think.")
    }).pipe(Effect.scoped))

  it.live("the account is the address with organization and project, and never the key", () =>
    Effect.gen(function*() {
      const answer = {
        ...openAiAnswer,
        output: [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "E" }, ...openAiAnswer.output]
      }
      const server = yield* service({ ...protocols.OpenAi!, answer }, () => false)
      for (
        const [options, account] of [
          [{}, `${server.url}/responses`],
          [{ organization: "org-1", project: "proj-2" }, `${server.url}/responses org-1 proj-2`],
          [{ headers: { "OpenAI-Organization": "org-1" } }, `${server.url}/responses org-1`],
          [{ account: "mine", organization: "org-1" }, "mine"]
        ] as const
      ) {
        const made = yield* client({ provider: OpenAi.layer({ apiKey, baseUrl: server.url, ...options }) })
        const { parts } = yield* made.client.call({ model: "gpt-5-mini", prompt: "Go." })
        assert.deepStrictEqual(parts[0], {
          _tag: "Reasoning",
          id: "rs_1",
          encrypted: "E",
          provider: "openai",
          account,
          model: "gpt-5-mini"
        })
      }
    }).pipe(Effect.scoped))
})

describe("Balance: a conversation with reasoning", () => {
  /** Two accounts at one address, told apart by their keys; each reads its own reasoning only. */
  const accounts = Effect.gen(function*() {
    const down = new Set<string>()
    let n = 0
    const server = yield* serve((response, { body, headers }) => {
      const name = String(headers.authorization).slice(-1)
      const blobs = [...body.matchAll(/"encrypted_content":"(\w)/g)].map(([, owner]) => owner)
      const json = (status: number, value: unknown) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
      if (down.has(name)) return json(500, { error: { message: "down" } })
      if (blobs.some((owner) => owner !== name)) return json(400, { error: openAiRefusal })
      const output = [
        { type: "reasoning", id: `rs_${++n}`, summary: [], encrypted_content: `${name}-blob-${n}` },
        ...openAiAnswer.output
      ]
      return json(200, { ...openAiAnswer, output })
    })
    const layer = (name: string, options: Partial<OpenAi.Options> = {}) =>
      OpenAi.layer({ apiKey: Redacted.make(`sk-test-0123456789-${name}`), baseUrl: server.url, ...options })
    const asked = () => server.requests.map(({ headers }) => String(headers.authorization).slice(-1))
    return { server, layer, asked, down }
  })

  const model = "gpt-5-mini"

  const turns = (made: { readonly client: Client }, count: number, before: ReadonlyArray<Message.Message> = []) =>
    Effect.gen(function*() {
      let messages = before
      let last: LlmResponse.LlmResponse | undefined
      for (let i = 0; i < count; i++) {
        messages = [...messages, { role: "user", content: [Message.Text.make({ text: `Turn ${messages.length}` })] }]
        last = yield* made.client.call({ model, messages: [...messages] })
        messages = [...messages, last.message]
      }
      assert(last !== undefined)
      return { messages, last }
    })

  it.live("stays on the target that made it, whatever is to do elsewhere", () =>
    Effect.gen(function*() {
      const { asked, layer } = yield* accounts
      const made = yield* client({
        provider: Balance.over([{ layer: layer("a") }, { layer: layer("b") }], { by: "weight" })
      })
      for (let conversation = 0; conversation < 6; conversation++) {
        const before = asked().length
        const { last } = yield* turns(made, 4, [
          { role: "user", content: [Message.Text.make({ text: `Conversation ${conversation}` })] }
        ])
        assert.deepStrictEqual(last.warnings, [])
        const targets = asked().slice(before)
        assert.deepStrictEqual(targets, Array.from(targets, () => targets[0]))
        assert.strictEqual(targets.length, 4)
      }
    }).pipe(Effect.scoped))

  it.live("goes on without its reasoning where its target is out, and stays there", () =>
    Effect.gen(function*() {
      const { asked, down, layer } = yield* accounts
      const made = yield* client({
        provider: Balance.over([{ id: "one", layer: layer("a") }, { id: "two", layer: layer("b") }]),
        client: { retry: { times: 0 } }
      })
      const { messages } = yield* turns(made, 2)
      const [home = ""] = asked()
      down.add(home)
      const { last, messages: further } = yield* turns(made, 1, messages)
      const other = home === "a" ? "b" : "a"
      assert.deepStrictEqual(asked().slice(2), [home, other])
      assert.deepStrictEqual(last.warnings, ["reasoning was not sent: another account made it"])
      down.clear()
      yield* turns(made, 2, further)
      assert.deepStrictEqual(asked().slice(4), [other, other])
    }).pipe(Effect.scoped))

  it.live("finds its target in a balance within a balance", () =>
    Effect.gen(function*() {
      const { asked, layer } = yield* accounts
      const inner = (one: string, other: string) => Balance.over([{ layer: layer(one) }, { layer: layer(other) }])
      const made = yield* client({
        provider: Balance.over([{ id: "x", layer: inner("a", "b") }, { id: "y", layer: inner("c", "d") }], {
          by: "weight"
        })
      })
      for (let conversation = 0; conversation < 4; conversation++) {
        const before = asked().length
        yield* turns(made, 4, [{
          role: "user",
          content: [Message.Text.make({ text: `Conversation ${conversation}` })]
        }])
        assert.strictEqual(new Set(asked().slice(before)).size, 1)
      }
    }).pipe(Effect.scoped))

  it.live("may go to each of the targets that the program says share an account", () =>
    Effect.gen(function*() {
      const { asked, layer } = yield* accounts
      const shared = { account: "ours" }
      const made = yield* client({
        provider: Balance.over([{ layer: layer("a", shared) }, { layer: layer("a", shared) }, { layer: layer("b") }])
      })
      const reasoning = Message.Reasoning.make({ encrypted: "a-blob", provider: "openai", account: "ours", model })
      const answers = yield* Effect.forEach(Array.from({ length: 8 }), (_, i) =>
        made.client.call(
          asking(model, { role: "assistant", content: [reasoning, Message.Text.make({ text: `${i}` })] })
        ), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual([
        ...new Set(answers.flatMap(({ warnings }) => warnings))
      ], [])
      assert.deepStrictEqual([...new Set(asked())], ["a"])
    }).pipe(Effect.scoped))

  it.live("is asked elsewhere after its target hung", () =>
    Effect.gen(function*() {
      const hanging = yield* serve(() => {})
      const { asked, layer } = yield* accounts
      const made = yield* client({
        provider: Balance.over([
          { id: "hangs", layer: OpenAi.layer({ apiKey, baseUrl: hanging.url }) },
          { id: "answers", layer: layer("b") }
        ]),
        client: { timeout: "1 second", retry: { times: 1, base: "1 millis" } }
      })
      const reasoning = Message.Reasoning.make({
        encrypted: "a-blob",
        provider: "openai",
        account: `${hanging.url}/responses hangs`,
        model
      })
      const answer = yield* Effect.either(
        made.client.call(
          asking(model, { role: "assistant", content: [reasoning, Message.Text.make({ text: "Oder" })] })
        )
      )
      assert(Either.isRight(answer))
      assert.deepStrictEqual([hanging.requests.length, asked()], [1, ["b"]])
      assert.deepStrictEqual(answer.right.warnings, ["reasoning was not sent: another account made it"])
    }).pipe(Effect.scoped))
})
