import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { sse } from "../../support/fakeHttp.js"
import { outcomesOf, sameAnswer, sameFailure } from "../../support/oddAnswers.js"

type Json = { readonly [field: string]: unknown }

const at = (url: string) => Gemini.layer({ apiKey: Redacted.make("AIza-1234567890abcdef"), baseUrl: url })

const request = { model: "gemini-2.5-flash", prompt: "Which rivers?" } as const

const chunk = (parts: ReadonlyArray<Json>, finishReason?: string, more: Json = {}): Json => ({
  candidates: [{
    content: { role: "model", parts },
    index: 0,
    ...(finishReason !== undefined && { finishReason }),
    ...more
  }],
  usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5 },
  modelVersion: "gemini-x"
})

/** The same answer whole and in chunks of one part each. */
const outcomes = (parts: ReadonlyArray<Json>, finishReason: string, more: Json = {}) =>
  outcomesOf(at, request, {
    call: { json: chunk(parts, finishReason, more) },
    stream: { events: sse([...parts.map((part) => chunk([part])), chunk([], finishReason, more)]) }
  })

const find = { functionCall: { id: "a", name: "find", args: { q: 1 } } }

describe("Gemini: a whole function call and another word for the end", () => {
  for (const finishReason of ["OTHER", "STOP", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "SOMETHING_NEW"]) {
    it.live(`is tool_calls, as whole calls decide: ${finishReason}`, () =>
      Effect.gen(function*() {
        const answer = sameAnswer(yield* outcomes([{ text: "I look." }, find], finishReason))
        assert.strictEqual(answer.finishReason, "tool_calls")
        assert.deepStrictEqual(answer.toolCalls, [{ _tag: "ToolCall", id: "a", name: "find", arguments: { q: 1 } }])
      }))
  }

  for (
    const [finishReason, expected] of [
      ["MAX_TOKENS", "length"],
      ["SAFETY", "content_filter"],
      ["LANGUAGE", "content_filter"],
      ["ESCALATION", "content_filter"],
      ["PUP_LIMITED_DISABLED", "content_filter"]
    ] as const
  ) {
    it.live(`stays ${expected}, where the answer was cut or stopped: ${finishReason}`, () =>
      Effect.gen(function*() {
        assert.strictEqual(sameAnswer(yield* outcomes([find], finishReason)).finishReason, expected)
      }))
  }
})

describe("Gemini: an answer in one piece without a finish reason", () => {
  for (const finishReason of [undefined, "FINISH_REASON_UNSPECIFIED"]) {
    it.live(`is tool_calls if it has calls: ${finishReason}`, () =>
      Effect.gen(function*() {
        const { call } = yield* outcomesOf(at, request, { call: { json: chunk([find], finishReason) } })
        assert(call._tag === "Right")
        assert.strictEqual(call.right.finishReason, "tool_calls")
      }))

    it.live(`is malformed if it has text, which may be cut: ${finishReason}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomesOf(at, request, { call: { json: chunk([{ text: "Elbe" }], finishReason) } })
        assert(outcome.call._tag === "Left")
        assert.strictEqual(outcome.call.left.reason._tag, "MalformedResponse")
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))

    it.live(`is a failure where a stream just ends: ${finishReason}`, () =>
      Effect.gen(function*() {
        const events = sse([chunk([{ text: "Elbe" }]), chunk([find], finishReason)])
        const { stream } = yield* outcomesOf(at, request, { call: { json: chunk([find], "STOP") }, stream: { events } })
        assert(stream._tag === "Left")
        assert.strictEqual(stream.left.reason._tag, "StreamInterrupted")
      }))
  }
})

describe("Gemini: the id of a call", () => {
  const callsOf = (parts: ReadonlyArray<ReadonlyArray<Json>>) =>
    Effect.map(
      outcomesOf(at, request, {
        call: { json: chunk(parts.flat(), "STOP") },
        stream: { events: sse([...parts.map((part) => chunk(part)), chunk([], "STOP")]) }
      }),
      (outcomes) => sameAnswer(outcomes).toolCalls.map(({ arguments: args, id, name }) => [id, name, args])
    )

  it.live("distinguishes a repeated call from another one", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* callsOf([[find], [find]]), [["a", "find", { q: 1 }]])
      const other = { functionCall: { id: "b", name: "find", args: { q: 1 } } }
      assert.deepStrictEqual(yield* callsOf([[find], [other]]), [["a", "find", { q: 1 }], ["b", "find", { q: 1 }]])
    }))

  it.live("is one of our own where the service gives none, and does not go back: older ones refuse the field", () =>
    Effect.gen(function*() {
      const nameless = { functionCall: { name: "find", args: { q: 1 } } }
      const twice = yield* callsOf([[nameless], [nameless]])
      assert.deepStrictEqual(twice, [["local_call_0", "find", { q: 1 }], ["local_call_1", "find", { q: 1 }]])
      const { bodies } = yield* outcomesOf(at, {
        model: request.model,
        messages: [
          { role: "user", content: "Which rivers?" },
          {
            role: "assistant",
            content: ["local_call_0", "a"].map((id) => Message.ToolCall.make({ id, name: "find", arguments: { q: 1 } }))
          },
          {
            role: "tool",
            content: [
              Message.ToolResult.make({ id: "local_call_0", result: "local_call_0" }),
              Message.ToolResult.make({ id: "a", result: "a" })
            ]
          }
        ]
      }, { call: { json: chunk([{ text: "Elbe" }], "STOP") } })
      const response = (output: string) => ({ name: "find", response: { output } })
      assert.deepStrictEqual((bodies[0]?.contents as ReadonlyArray<Json>).slice(1), [
        { role: "model", parts: [nameless, find] },
        {
          role: "user",
          parts: [
            { functionResponse: response("local_call_0") },
            { functionResponse: { id: "a", ...response("a") } }
          ]
        }
      ])
    }))
})

describe("Gemini: the ends of an answer", () => {
  for (
    const [finishReason, expected] of [
      ["LANGUAGE", "content_filter"],
      ["ESCALATION", "content_filter"],
      ["PUP_LIMITED_DISABLED", "content_filter"],
      ["TOO_MANY_TOOL_CALLS", "length"],
      ["IMAGE_OTHER", "other"],
      ["NO_IMAGE", "other"]
    ] as const
  ) {
    it.live(`keep the text: ${finishReason} is ${expected}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomes([{ text: "Elbe" }], finishReason)
        const answer = sameAnswer(outcome)
        assert.strictEqual(answer.finishReason, expected)
        assert.strictEqual(answer.text, "Elbe")
        assert.strictEqual(answer.providerMetadata?.finishReason, finishReason)
        assert.deepStrictEqual(outcome.requests, [1, 1], "not kept")
      }))
  }

  for (
    const [finishReason, tag] of [
      ["UNEXPECTED_TOOL_CALL", "ToolArgumentsInvalid"],
      ["MALFORMED_FUNCTION_CALL", "ToolArgumentsInvalid"],
      ["MISSING_THOUGHT_SIGNATURE", "InvalidRequest"],
      ["MALFORMED_RESPONSE", "MalformedResponse"],
      ["TOO_MANY_TOOL_CALLS", "MalformedResponse"],
      ["OTHER", "MalformedResponse"],
      ["IMAGE_OTHER", "MalformedResponse"],
      ["NO_IMAGE", "MalformedResponse"],
      ["SOMETHING_NEW", "MalformedResponse"]
    ] as const
  ) {
    it.live(`are a failure where nothing came, never an empty success: ${finishReason} is ${tag}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomes([], finishReason, { finishMessage: "call:find{q:" })
        const reason = sameFailure(outcome)
        assert.strictEqual(reason._tag, tag)
        if (reason._tag === "ToolArgumentsInvalid") assert.strictEqual(reason.raw, "call:find{q:")
      }))
  }

  it.live("are not a failure where a filter left nothing: that is content_filter", () =>
    Effect.gen(function*() {
      for (const finishReason of ["SAFETY", "LANGUAGE", "PUP_LIMITED_DISABLED"]) {
        assert.strictEqual(sameAnswer(yield* outcomes([], finishReason)).finishReason, "content_filter")
      }
    }))
})

describe("Gemini: an answer of which nothing was read", () => {
  for (
    const part of [
      { inlineData: { mimeType: "image/png", data: "AQID" } },
      { fileData: { mimeType: "image/png", fileUri: "gs://a" } },
      { executableCode: { language: "PYTHON", code: "1" } },
      { hologram: {} }
    ]
  ) {
    it.live(`has what came, with a warning, and is never cached: ${Object.keys(part).join()}`, () =>
      Effect.gen(function*() {
        const outcome = yield* outcomes([part], "STOP")
        const answer = sameAnswer(outcome)
        const kind = Object.keys(part).join()
        assert.deepStrictEqual<ReadonlyArray<unknown>>(answer.parts, [
          { _tag: "Opaque", provider: "gemini", kind, json: part }
        ])
        assert.strictEqual(answer.text, "")
        assert.deepStrictEqual(answer.warnings, [`a block of the kind ${kind} was kept as it came`])
        assert.deepStrictEqual(outcome.requests, [1, 1])
      }))
  }

  it.live("is none where the model said nothing", () =>
    Effect.gen(function*() {
      assert.strictEqual(sameAnswer(yield* outcomes([], "STOP")).text, "")
    }))
})

describe("Gemini: arguments in pieces", () => {
  const call = (functionCall: Json): Json => ({ functionCall })
  const piece = (jsonPath: string, value: Json, willContinue = true): Json =>
    call({ partialArgs: [{ jsonPath, ...value }], willContinue })

  const cases: ReadonlyArray<readonly [how: string, parts: ReadonlyArray<Json>, args: unknown]> = [
    [
      "a text in two pieces",
      [
        call({ name: "find", id: "a", willContinue: true }),
        piece("$.city", { stringValue: "New ", willContinue: true }),
        piece("$.city", { stringValue: "Delhi" }),
        call({})
      ],
      { city: "New Delhi" }
    ],
    [
      "values of every kind, in objects and lists",
      [
        call({ name: "find", id: "a", willContinue: true, partialArgs: [{ jsonPath: "$.n", numberValue: 0 }] }),
        piece("$.stops[0].name", { stringValue: "Ulm" }),
        piece("$.stops[1].name", { stringValue: "Wien" }),
        piece("$['a b'].c", { boolValue: false }),
        piece("$.none", { nullValue: "NULL_VALUE" }, false)
      ],
      { n: 0, stops: [{ name: "Ulm" }, { name: "Wien" }], "a b": { c: false }, none: null }
    ],
    [
      "two texts whose pieces come in turn",
      [
        call({ name: "find", id: "a", willContinue: true }),
        piece("$.city", { stringValue: "New ", willContinue: true }),
        piece("$.river", { stringValue: "Yam", willContinue: true }),
        piece("$.days", { numberValue: 3 }),
        piece("$.city", { stringValue: "Delhi" }),
        piece("$.river", { stringValue: "una" }),
        call({})
      ],
      { city: "New Delhi", river: "Yamuna", days: 3 }
    ],
    ["none", [call({ name: "find", id: "a", willContinue: true }), call({})], {}],
    [
      "all at once",
      [call({ name: "find", id: "a", partialArgs: [{ jsonPath: "$.q", stringValue: "" }] })],
      { q: "" }
    ],
    [
      "a name that objects have already",
      [call({ name: "find", id: "a", partialArgs: [{ jsonPath: "$.__proto__.x", numberValue: 1 }] })],
      JSON.parse("{\"__proto__\":{\"x\":1}}")
    ]
  ]
  for (const [how, parts, args] of cases) {
    it.live(`are put together: ${how}`, () =>
      Effect.gen(function*() {
        const answer = sameAnswer(yield* outcomes(parts, "STOP"))
        assert.strictEqual(answer.finishReason, "tool_calls")
        assert.deepStrictEqual(JSON.stringify(answer.toolCalls[0]?.arguments), JSON.stringify(args))
      }))
  }

  it.live("belong to two calls, one after the other", () =>
    Effect.gen(function*() {
      const answer = sameAnswer(
        yield* outcomes([
          call({ name: "find", id: "a", willContinue: true }),
          piece("$.q", { numberValue: 1 }),
          call({ name: "look", id: "b", willContinue: true }),
          piece("$.q", { numberValue: 2 }),
          call({})
        ], "STOP")
      )
      assert.deepStrictEqual(answer.toolCalls.map(({ arguments: args, id, name }) => [id, name, args]), [
        ["a", "find", { q: 1 }],
        ["b", "look", { q: 2 }]
      ])
    }))

  it.live("without an end are a failure, or at the token limit an incomplete call: half of them are never run", () =>
    Effect.gen(function*() {
      const parts = [
        call({ name: "find", id: "a", willContinue: true }),
        piece("$.q", { stringValue: "El", willContinue: true })
      ]
      const { call: called } = yield* outcomes(parts, "STOP")
      assert(called._tag === "Left")
      assert.strictEqual(called.left.reason._tag, "MalformedResponse")
      const cut = sameAnswer(yield* outcomes(parts, "MAX_TOKENS"))
      assert.strictEqual(cut.finishReason, "length")
      assert.strictEqual(cut.toolCalls[0]?.incomplete, true)
    }))

  it.live("without a place are a failure", () =>
    Effect.gen(function*() {
      for (const jsonPath of ["", "q", "$", "$.", "$[99999]", `$${".a".repeat(1000)}`]) {
        const { call: called } = yield* outcomes([
          call({ name: "find", partialArgs: [{ jsonPath, stringValue: "x" }] })
        ], "STOP")
        assert(called._tag === "Left", jsonPath.slice(0, 20))
        assert.strictEqual(called.left.reason._tag, "MalformedResponse")
      }
    }))
})

describe("Gemini: counts", () => {
  it.live("that are repeated as 0 are the larger ones", () =>
    Effect.gen(function*() {
      const usage = (promptTokenCount: number, candidatesTokenCount: number) => ({
        usageMetadata: { promptTokenCount, candidatesTokenCount }
      })
      const { stream } = yield* outcomesOf(at, request, {
        call: { json: chunk([{ text: "Elbe" }], "STOP") },
        stream: {
          events: sse([{ ...chunk([{ text: "Elbe" }]), ...usage(1500, 3) }, { ...chunk([], "STOP"), ...usage(0, 9) }])
        }
      })
      assert(stream._tag === "Right")
      assert.deepStrictEqual(stream.right.usage, { inputTokens: 1500, outputTokens: 9 })
    }))
})

describe("Gemini: a conversation that goes on", () => {
  it.live("leaves out a call that was cut and has no result, with a warning: half of its arguments is not what was meant", () =>
    Effect.gen(function*() {
      const outcome = yield* outcomesOf(at, {
        model: request.model,
        messages: [
          { role: "user", content: "Which rivers?" },
          {
            role: "assistant",
            content: [
              Message.Text.make({ text: "I look." }),
              Message.ToolCall.make({ id: "a", name: "find", arguments: "{\"ci", incomplete: true })
            ]
          },
          { role: "user", content: "Go on." }
        ]
      }, { call: { json: chunk([{ text: "Elbe" }], "STOP") } })
      const sent = JSON.stringify(outcome.bodies[0])
      assert.include(sent, "I look.")
      assert.notInclude(sent, "find")
      assert(outcome.call._tag === "Right")
      assert.include(outcome.call.right.warnings.join(), "was cut")
    }))

  it.live("with a schema and tools together fails before it is sent up to 2.5, which takes either, so that another is asked", () =>
    Effect.gen(function*() {
      const both = (model: string) =>
        outcomesOf(at, {
          model,
          prompt: "Which rivers?",
          tools: [{ name: "find", parameters: { type: "object", properties: {} } }],
          outputSchema: { name: "river", schema: { type: "object", properties: {} } }
        }, { call: { json: chunk([{ text: "{}" }], "STOP") } })
      const { bodies, call: old } = yield* both("gemini-2.5-flash")
      assert(old._tag === "Left")
      assert.strictEqual(old.left.reason._tag, "UnsupportedFeature")
      assert.isTrue(old.left.canFailOver)
      assert.deepStrictEqual(bodies, [])
      for (const model of ["gemini-3-pro-preview", "gemma-3"]) {
        assert.strictEqual((yield* both(model)).call._tag, "Right")
      }
    }))
})
