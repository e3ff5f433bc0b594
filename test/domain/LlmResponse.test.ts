import { assert, describe, it } from "@effect/vitest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as HashSet from "effect/HashSet"
import * as Schema from "effect/Schema"

const call = Message.ToolCall.make({ id: "call_1", name: "f", arguments: { a: [1] } })
const parts = [
  Message.Reasoning.make({ text: "hm", signature: "c2ln", provider: "anthropic" }),
  Message.Text.make({ text: "Elbe, " }),
  call,
  Message.Text.make({ text: "Oder" })
]

const full = LlmResponse.make({
  parts,
  finishReason: "tool_calls",
  usage: { inputTokens: 20, cachedInputTokens: 4, outputTokens: 12, reasoningTokens: 3 },
  model: "claude-haiku-4-5",
  provider: "anthropic",
  id: "msg_1",
  requestId: "req_1",
  attempts: 2,
  latency: Duration.millis(1500),
  cost: 0.01,
  rateLimit: { tokens: { limit: 100, remaining: 0, resetAfter: Duration.seconds(1) } },
  warnings: ["temperature: not taken by this model"],
  providerMetadata: { service_tier: "standard" }
})

describe("LlmResponse", () => {
  it("derives the text from the text parts and finds the tool calls", () => {
    assert.strictEqual(full.text, "Elbe, Oder")
    assert.deepStrictEqual(full.toolCalls, [call])
    assert.deepStrictEqual(full.message, { role: "assistant", content: parts })
  })

  it("has U+FFFD in place of lone surrogates, in any part of it, and leaves whole characters as they are", () => {
    const given = (text: string): ReadonlyArray<Message.ResponsePart> => [
      Message.Text.make({ text }),
      Message.Reasoning.make({ text, provider: "anthropic" }),
      Message.Refusal.make({ text }),
      Message.ToolCall.make({ id: "call_1", name: "f", arguments: { [text]: [text, { text }] } }),
      Message.ToolCall.make({ id: "call_2", name: "f", arguments: text, incomplete: true }),
      Message.Opaque.make({ provider: "anthropic", kind: "block", json: { text } })
    ]
    const made = (text: string) =>
      LlmResponse.make({ parts: given(text), finishReason: "stop", model: "m", provider: "p" })
    for (
      const [text, whole] of [["a\ud83db", "a\ufffdb"], ["\ude00", "\ufffd"], [
        "\\ud83d 😀 \u0000",
        "\\ud83d 😀 \u0000"
      ]] as const
    ) {
      assert.deepStrictEqual(made(text).parts, given(whole))
      assert.strictEqual(made(text).text, whole)
    }
    const parts = given("😀")
    assert.strictEqual(LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" }).parts, parts)
  })

  it("leaves arguments that are no JSON as they are", () => {
    const circular: Record<string, unknown> = {}
    circular.itself = circular
    for (const value of [circular, 1n, undefined]) {
      const parts = [Message.ToolCall.make({ id: "call_1", name: "f", arguments: value })]
      assert.strictEqual(LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" }).parts, parts)
    }
  })

  it("holds nothing that it was not given", () => {
    const bare = LlmResponse.make({ parts: [], finishReason: "stop", model: "m", provider: "p" })
    assert.deepStrictEqual({ ...bare }, {
      text: "",
      parts: [],
      finishReason: "stop",
      usage: {},
      model: "m",
      provider: "p",
      origin: "provider",
      attempts: 1,
      latency: Duration.zero,
      warnings: []
    })
  })

  it("is stored as JSON and comes back equal", () => {
    const stored = JSON.stringify(Schema.encodeSync(LlmResponse.LlmResponse)(full))
    const restored = Schema.decodeUnknownSync(LlmResponse.LlmResponse)(JSON.parse(stored))
    assert.instanceOf(restored, LlmResponse.LlmResponse)
    assert.deepStrictEqual(restored, full)
    assert.strictEqual(restored.toolCalls.length, 1)
  })

  it("keeps sources, opaque blocks, logprobs and the details of usage when it is stored", () => {
    const source = Message.Source.make({
      provider: "p",
      kind: "url_citation",
      url: "https://example.com",
      json: { n: 1 }
    })
    const response = LlmResponse.make({
      parts: [
        Message.Opaque.make({ provider: "p", kind: "web_search_call", json: { id: "ws_1", action: null } }),
        Message.Text.make({ text: "Elbe" }),
        source
      ],
      finishReason: "stop",
      usage: {
        inputTokens: 9,
        cacheWriteTokens: 7,
        cacheWrite5mTokens: 4,
        cacheWrite1hTokens: 3,
        serverToolUse: { web_search_requests: 1 },
        serviceTier: "priority"
      },
      model: "m",
      provider: "p",
      logprobs: [{ token: "Elbe", logprob: -0.1, bytes: [69], top: [{ token: "Oder", logprob: -3 }] }]
    })
    const stored = JSON.stringify(Schema.encodeSync(LlmResponse.LlmResponse)(response))
    assert.deepStrictEqual(Schema.decodeUnknownSync(LlmResponse.LlmResponse)(JSON.parse(stored)), response)
    assert.strictEqual(response.text, "Elbe")
    assert.deepStrictEqual(response.sources, [source])
  })

  it("still reads an answer that was stored before it had sources, opaque blocks and logprobs", () => {
    const stored = {
      text: "Elbe",
      parts: [{ _tag: "Text", text: "Elbe" }],
      finishReason: "stop",
      usage: { inputTokens: 1 },
      model: "m",
      provider: "p",
      origin: "provider",
      attempts: 1,
      latency: 3,
      warnings: []
    }
    assert.deepStrictEqual(
      Schema.decodeUnknownSync(LlmResponse.LlmResponse)(stored),
      LlmResponse.make({
        parts: [Message.Text.make({ text: "Elbe" })],
        finishReason: "stop",
        usage: { inputTokens: 1 },
        model: "m",
        provider: "p",
        latency: Duration.millis(3)
      })
    )
  })

  it("keeps its raw body to itself: never encoded, decoded, nor given to another caller", () => {
    const bare = LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" })
    const raw = { id: "resp_1", output: [{ type: "message" }] }
    const response = LlmResponse.freeze(LlmResponse.update(bare, { raw }))
    assert.strictEqual(response.raw, raw)
    assert.isTrue(Object.isFrozen(raw.output[0]))
    const encoded = Schema.encodeSync(LlmResponse.LlmResponse)(response)
    assert.notProperty(encoded, "raw")
    assert.notProperty(Schema.decodeUnknownSync(LlmResponse.LlmResponse)({ ...encoded, raw }), "raw")
    assert.deepStrictEqual(LlmResponse.withoutRaw(response), bare)
    assert.instanceOf(LlmResponse.withoutRaw(response), LlmResponse.LlmResponse)
    for (const origin of ["cache", "shared"] as const) {
      assert.notProperty(LlmResponse.reuse(response, { origin, latency: Duration.zero }), "raw")
    }
  })

  it("rejects counts that cannot be", () => {
    const encoded = Schema.encodeSync(LlmResponse.LlmResponse)(full)
    for (
      const wrong of [{ usage: { inputTokens: -1 } }, { attempts: 0.5 }, { finishReason: "end_turn" }, { text: 1 }]
    ) {
      const exit = Effect.runSyncExit(Schema.decodeUnknown(LlmResponse.LlmResponse)({ ...encoded, ...wrong }))
      assert.isTrue(Exit.isFailure(exit))
    }
  })

  describe("isComplete: may be kept and given to others", () => {
    const complete: { readonly [Reason in LlmResponse.FinishReason]: boolean } = {
      stop: true,
      tool_calls: true,
      length: false,
      content_filter: false,
      refusal: false,
      pause: false,
      context_window: false,
      other: false
    }
    for (const finishReason of LlmResponse.FinishReason.literals) {
      it(`${finishReason}: ${complete[finishReason] ? "yes" : "no"}`, () => {
        const response = LlmResponse.make({ parts, finishReason, model: "m", provider: "p" })
        assert.strictEqual(LlmResponse.isComplete(response), complete[finishReason])
      })
    }
    it("an empty text, and calls that were announced but did not come: no", () => {
      for (
        const [parts, finishReason] of [
          [[], "stop"],
          [[Message.Text.make({ text: " \n" })], "stop"],
          [[Message.Reasoning.make({ text: "hm", provider: "p" })], "stop"],
          [[Message.Text.make({ text: "I look." })], "tool_calls"]
        ] as const
      ) assert.isFalse(LlmResponse.isComplete(LlmResponse.make({ parts, finishReason, model: "m", provider: "p" })))
    })
    it("nothing but opaque blocks, and a block that could not be read whole beside a text: no", () => {
      const block = Message.Opaque.make({ provider: "p", kind: "custom_tool_call", json: {} })
      const text = Message.Text.make({ text: "Elbe" })
      const isComplete = (...parts: ReadonlyArray<Message.ResponsePart>) =>
        LlmResponse.isComplete(LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" }))
      assert.isFalse(isComplete(block))
      assert.isTrue(isComplete(block, text))
      assert.isFalse(isComplete({ ...block, partial: true }, text))
    })
    it("a refusal that claims to have stopped: no", () => {
      const refusal = Message.Refusal.make({ text: "I can't." })
      const response = LlmResponse.make({ parts: [refusal], finishReason: "stop", model: "m", provider: "p" })
      assert.isFalse(LlmResponse.isComplete(response))
    })
  })

  describe("freeze", () => {
    const answer = () =>
      LlmResponse.make({
        parts: [Message.ToolCall.make({ id: "call_1", name: "f", arguments: { rivers: [{ name: "Elbe" }] } })],
        finishReason: "tool_calls",
        usage: { inputTokens: 1 },
        model: "m",
        provider: "p",
        latency: Duration.millis(3),
        rateLimit: { tokens: { limit: 1, resetAfter: Duration.seconds(1) } },
        warnings: ["a"],
        providerMetadata: { tier: { name: "standard" } }
      })

    it("lets no receiver change the plain data of an answer for another", () => {
      const response = answer()
      assert.strictEqual(LlmResponse.freeze(response), response)
      const { parts, providerMetadata, rateLimit, usage, warnings } = response
      const { arguments: args } = response.toolCalls[0]!
      for (
        const data of [parts, parts[0], args, usage, warnings, rateLimit, rateLimit?.tokens, providerMetadata?.tier]
      ) {
        assert.isTrue(Object.isFrozen(data))
      }
      assert.throws(() => Object.assign(Object(args), { rivers: [] }), TypeError)
      assert.throws(() => Object(args).rivers[0].name = "Oder", TypeError)
      assert.deepStrictEqual(response, answer())
    })

    it("leaves the answer and its durations to Effect, which keeps their hashes in them", () => {
      const response = LlmResponse.freeze(answer())
      assert.isFalse(Object.isFrozen(response))
      assert.isFalse(Object.isFrozen(response.latency))
      assert.isFalse(Object.isFrozen(response.rateLimit?.tokens?.resetAfter))
      const set = HashSet.make(response)
      assert.isTrue(HashSet.has(set, response))
      assert.isTrue(Equal.equals(response, response))
      assert.strictEqual(Hash.hash(response.latency), Hash.hash(Duration.millis(3)))
    })

    it("holds for answers that are stored, reused, updated and read again", () => {
      const response = LlmResponse.freeze(answer())
      const stored = Schema.decodeUnknownSync(LlmResponse.LlmResponse)(
        JSON.parse(JSON.stringify(Schema.encodeSync(LlmResponse.LlmResponse)(response)))
      )
      assert.deepStrictEqual(stored, response)
      const cached = LlmResponse.freeze(LlmResponse.reuse(response, { origin: "cache", latency: Duration.zero }))
      assert.isTrue(Object.isFrozen(cached.usage))
      assert.isTrue(HashSet.has(HashSet.make(cached), cached))
      assert.strictEqual(LlmResponse.update(cached, { cost: 1 }).cost, 1)
    })

    it("keeps the fields that a provider leaves out from being shared in a changeable form", () => {
      const bare = () => LlmResponse.make({ parts: [], finishReason: "stop", model: "m", provider: "p" })
      assert.throws(() => Object.assign(bare().usage, { inputTokens: 1 }), TypeError)
      assert.throws(() => (bare().warnings as Array<string>).push("a"), TypeError)
      assert.deepStrictEqual(bare().usage, {})
    })
  })

  describe("reuse", () => {
    const reused = LlmResponse.reuse(full, { origin: "cache", latency: Duration.millis(3) })

    it("bills nothing and keeps what the answer cost when it was made", () => {
      assert.deepStrictEqual(reused.usage, { inputTokens: 0, outputTokens: 0 })
      assert.deepStrictEqual(reused.originalUsage, full.usage)
      assert.strictEqual(reused.cost, 0)
      assert.strictEqual(reused.attempts, 0)
      assert.strictEqual(reused.origin, "cache")
      assert.deepStrictEqual(reused.latency, Duration.millis(3))
    })

    it("keeps all else", () => {
      const { attempts, cost, latency, origin, originalUsage, usage, ...others } = reused
      assert.deepInclude(full, others)
      assert.instanceOf(reused, LlmResponse.LlmResponse)
      assert.deepStrictEqual(
        [attempts, cost, latency, origin, originalUsage, usage].filter((value) => value === undefined),
        []
      )
    })

    it("keeps the first usage when it is reused again", () => {
      const again = LlmResponse.reuse(reused, { origin: "shared", latency: Duration.zero })
      assert.deepStrictEqual(again.originalUsage, full.usage)
      assert.strictEqual(again.origin, "shared")
    })

    it("claims no cost where none is known", () => {
      const unknown = LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" })
      const { cost } = LlmResponse.reuse(unknown, { origin: "cache", latency: Duration.zero })
      assert.isUndefined(cost)
    })
  })
})
