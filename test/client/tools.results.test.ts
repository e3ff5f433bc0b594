import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as PlainJson from "../../src/output/plainJson.js"
import { errorOf } from "../support/exits.js"

const request = { model: "gpt-4o-mini", prompt: "How long is the Elbe?" } as const

/** Runs a test on a client with a cache whose provider follows a script to its end. */
const following =
  (script: LlmTest.Script) => <A, E>(test: Effect.Effect<A, E, LlmClient.LlmClient | LlmTest.LlmTest>) =>
    test.pipe(
      Effect.zipLeft(LlmTest.assertDone),
      Effect.provide(
        LlmClient.layer().pipe(
          Layer.provideMerge(LlmTest.layer(script)),
          Layer.provide([LlmCache.layerMemory(), LlmLogger.layerSilent])
        )
      )
    )

const call = (args: unknown = {}) => LlmTest.toolCalls([{ name: "length", arguments: args }])

const giving = (result: unknown) => LlmTool.make("length", { handler: () => Effect.succeed(result) })

/** So many objects and lists, each in the one before. */
const nested = (levels: number): unknown => {
  let value: unknown = "innermost"
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? { next: value } : [value]
  return value
}

describe("LlmClient.runTools: a result without JSON", () => {
  const circular: Record<string, unknown> = { river: "Elbe", note: "s3cret" }
  circular.mouth = { sea: "North Sea", rivers: [circular] }
  const endless = { toJSON: (): unknown => ({ next: { ...endless } }) }
  const throwing = (what: unknown) => ({
    toJSON: () => {
      throw what
    }
  })
  const trap = {
    get river(): never {
      throw new Error("s3cret")
    }
  }
  const tooDeep = "it is nested deeper than 500 levels"
  const ownCode = "its own code throws when it is written as JSON"

  const results: ReadonlyArray<readonly [name: string, result: unknown, problem: string]> = [
    ["a bigint", 1n, "it is a bigint"],
    ["a bigint inside", { list: [0, { kilometers: 1n, note: "s3cret" }] }, "list[1].kilometers is a bigint"],
    ["a cycle", circular, "mouth.rivers[0] refers to an object that it is in"],
    ["501 levels", nested(501), tooDeep],
    ["600 levels", nested(600), tooDeep],
    ["20,000 levels", nested(20_000), tooDeep],
    ["20,000 lists", JSON.parse("[".repeat(20_000) + "]".repeat(20_000)), tooDeep],
    ["a toJSON without an end", endless, tooDeep],
    ["a toJSON that throws", throwing(new Error("s3cret")), ownCode],
    ["a toJSON inside that throws", { list: [throwing(undefined)] }, ownCode],
    ["a getter that throws", trap, ownCode],
    ["a key of 100,000 characters", { ["k".repeat(100_000)]: 1n }, "\u2026 is a bigint"]
  ]

  const failing = (tool: LlmTool.AnyHandled, problem: string) =>
    Effect.gen(function*() {
      const error = errorOf(yield* Effect.exit(LlmClient.runTools(request, [tool as ReturnType<typeof giving>])))
      assert(error.reason._tag === "InvalidRequest")
      assert.strictEqual(error.reason.field, "tools")
      assert.include(error.message, "the result of the tool length cannot be sent as JSON: ")
      assert.include(error.message, problem)
      assert.isBelow(error.message.length, 600)
      assert.deepInclude(error, { operation: "runTools", attempts: 1, isRetryable: false, provider: "test" })
      assert.notInclude(`${error} ${JSON.stringify(error)}`, "s3cret")
    }).pipe(following([call()]))

  it.effect.each(results)(
    "fails the run, naming the tool and the place: %s",
    ([, result, problem]) => failing(giving(result), problem)
  )

  it.effect.each(results)(
    "likewise as a failure for the model: %s",
    ([, result, problem]) => failing(LlmTool.make("length", { handler: () => LlmTool.failure(result) }), problem)
  )

  it.effect("ends the other calls of its turn, and no other run", () =>
    Effect.gen(function*() {
      let interrupted = false
      const slow = LlmTool.make("slow", {
        handler: () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      })
      const [failed, other] = yield* Effect.all([
        Effect.flip(LlmClient.runTools(request, [giving(1n), slow], { concurrency: 2 })),
        LlmClient.runTools({ ...request, seed: 1 }, [giving(1094)])
      ])
      assert.include(failed.message, "tool length")
      assert.isTrue(interrupted)
      assert.strictEqual(other.response.text, "1094 km")
    }).pipe(following([
      LlmTest.toolCalls([{ name: "slow", arguments: {} }, { name: "length", arguments: {} }]),
      "1094 km"
    ])))
})

describe("LlmClient.runTools: a result is sent as JSON", () => {
  const sent = (result: unknown) =>
    Effect.gen(function*() {
      yield* LlmClient.runTools(request, [giving(result)])
      const [, second] = yield* LlmTest.requests
      const last = second?.messages.at(-1)
      return last?.role === "tool" ? last.content[0].result : assert.fail("no result was sent")
    }).pipe(following([call(), "done"]))

  it.effect("a lone surrogate as U+FFFD, in texts and in keys, and whole characters as they are", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* sent("half \ud83d"), "half \ufffd")
      assert.strictEqual(yield* sent("\ude00\ud83d"), "\ufffd\ufffd")
      assert.deepStrictEqual(
        yield* sent({ "\udc00 key": ["\ud800", "\ud83c\udf0a"], "\\ud800": "\\ud83d \\\\ud83d \u2028 \n" }),
        { "\ufffd key": ["\ufffd", "\ud83c\udf0a"], "\\ud800": "\\ud83d \\\\ud83d \u2028 \n" }
      )
    }))

  it.effect("likewise the texts and arguments of the model itself, which go back to it", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const tool = LlmTool.make("length", {
        parameters: Schema.Struct({ river: Schema.String }),
        handler: ({ river }) => Effect.sync(() => seen.push(river))
      })
      const { response } = yield* LlmClient.runTools(request, [tool])
      assert.deepStrictEqual([response.text, seen], ["done", ["El\ufffdbe"]])
    }).pipe(following([call({ river: "El\ud83dbe" }), "done"])))

  it.effect("as deep as a request may be", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sent(nested(500)), nested(500))
    }))

  it.effect("with an object that stands in several places", () =>
    Effect.gen(function*() {
      const elbe = { river: "Elbe" }
      assert.deepStrictEqual(yield* sent({ first: elbe, all: [elbe, elbe] }), { first: elbe, all: [elbe, elbe] })
    }))

  it("as `JSON.stringify` writes it, whatever JSON can express", () => {
    const values = FastCheck.oneof(
      FastCheck.jsonValue({ noUnicodeString: false }),
      FastCheck.object({ withDate: true, withNullPrototype: true, withSparseArray: true })
    )
    FastCheck.assert(FastCheck.property(values, (value) => {
      const copied = PlainJson.copy(value)
      assert(Either.isRight(copied))
      assert.deepStrictEqual(copied.right, JSON.parse(JSON.stringify(value) ?? "null"))
    }))
  })

  it("without a lone surrogate, whatever the text", () => {
    const text = FastCheck.array(FastCheck.constantFrom("\ud83d", "\ude00", "\\", "u", "d", "\"", "8", "a", "\n"))
    FastCheck.assert(FastCheck.property(text, (pieces) => {
      const whole = pieces.join("")
      const copied = PlainJson.copy({ [whole]: whole })
      assert(Either.isRight(copied))
      const expected = whole.replace(/\p{Surrogate}/gu, "\ufffd")
      assert.deepStrictEqual(copied.right, { [expected]: expected })
    }))
  })
})

describe("LlmClient.runTools: a handler's arguments are its own", () => {
  const spoil = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return
    for (const child of Object.values(value)) spoil(child)
    Object.assign(value, { spoiled: true })
  }

  const river = { name: "Elbe", tags: ["long", { sea: ["North"] }] }

  const parameters = {
    "of a known shape": Schema.Struct({
      river: Schema.Struct({ name: Schema.String, tags: Schema.Array(Schema.Unknown) })
    }),
    "of an open shape": Schema.Struct({ river: Schema.Unknown }),
    "of any members": Schema.Record({ key: Schema.String, value: Schema.Unknown })
  }

  it.effect.each(Object.entries(parameters))(
    "%s: their changes reach neither the answer, nor the conversation, nor later calls",
    ([, { ast }]) =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const tool = LlmTool.make("length", {
          parameters: Schema.make<unknown, unknown, never>(ast),
          handler: (args, call) =>
            Effect.sync(() => {
              seen.push(structuredClone([args, call.arguments]))
              spoil(args)
              spoil(call)
              return 1094
            })
        })
        const first = yield* LlmClient.runTools(request, [tool])
        const second = yield* LlmClient.runTools(request, [tool])
        assert.deepStrictEqual(second.steps.map(({ response }) => response.origin), ["cache", "cache"])
        assert.deepStrictEqual(seen, [[{ river }, { river }], [{ river }, { river }]])
        assert.deepStrictEqual(second.messages, first.messages)
        assert.notInclude(JSON.stringify([first, second]), "spoiled")
      }).pipe(following([call({ river }), "done"]))
  )

  it.effect("likewise those of a toolkit", () =>
    Effect.gen(function*() {
      const tool = LlmTool.make("length", { parameters: parameters["of any members"] })
      const { definitions, toolCalls } = yield* LlmClient.toolkit([tool])
      const ask = LlmClient.call({ ...request, tools: definitions })
      for (const origin of ["provider", "cache"]) {
        const response = yield* ask
        assert.strictEqual(response.origin, origin)
        const [first] = yield* toolCalls(response)
        assert.deepStrictEqual(first?.arguments, { river })
        spoil(first?.arguments)
        assert.deepStrictEqual(response.toolCalls.map((call) => call.arguments), [{ river }])
      }
    }).pipe(following([call({ river })])))

  it.effect("and do not fit where they are nested deeper than a request may be", () =>
    Effect.gen(function*() {
      const asked: Array<unknown> = []
      const tool = LlmTool.make("length", {
        parameters: parameters["of any members"],
        handler: (args) => Effect.sync(() => void asked.push(args))
      })
      const error = errorOf(yield* Effect.exit(LlmClient.runTools(request, [tool], { reask: 0 })))
      assert(error.reason._tag === "ToolArgumentsInvalid")
      assert.strictEqual(error.reason.name, "length")
      assert.lengthOf(asked, 0)
    }).pipe(following([call({ river: nested(600) })])))
})

describe("LlmClient.runTools: a result with parts", () => {
  const bytes = Uint8Array.of(1, 2, 3)
  const image = { _tag: "Image", bytes: "AQID", mediaType: "image/png" } as const
  const kept = Message.ImageBytes.make({ bytes, mediaType: "image/png" })
  const text = Message.Text.make({ text: "From the north:" })

  const results = (tool: LlmTool.AnyHandled) =>
    Effect.map(LlmClient.runTools(request, [tool as ReturnType<typeof giving>]), ({ messages, steps: [step] }) => {
      const [result] = step?.results ?? []
      assert(result !== undefined)
      assert.deepStrictEqual(messages[2], { role: "tool", content: [result] })
      return messages[2]
    })

  it.effect("reaches the model with its images, whether they are bytes or base64", () =>
    Effect.gen(function*() {
      const given = yield* results(giving(LlmTool.withParts({ at: "noon" }, [text, image, kept])))
      const result = { id: "call_1", name: "length", result: { at: "noon" }, parts: [text, kept, kept] }
      assert.deepStrictEqual(given, Message.toolResults([result]))
      const last = (yield* LlmTest.requests).at(-1)
      assert.deepStrictEqual(last?.messages.at(-1), given)
    }).pipe(following([call(), "1094 km"])))

  it.effect("is a failure for the model with its images, as the result of LlmTool.failure", () =>
    Effect.gen(function*() {
      const broken = LlmTool.make("length", {
        handler: () => LlmTool.failure(LlmTool.withParts("the gauge is broken", [image]))
      })
      const result = { id: "call_1", name: "length", result: "the gauge is broken", parts: [kept], isError: true }
      assert.deepStrictEqual(yield* results(broken), Message.toolResults([result]))
    }).pipe(following([call(), "1094 km"])))

  it.effect("without parts is the plain result", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* results(giving(LlmTool.withParts(1094, []))),
        Message.toolResults([{ id: "call_1", name: "length", result: 1094 }])
      )
    }).pipe(following([call(), "1094 km"])))

  it.effect("comes as a part of a stream", () =>
    Effect.gen(function*() {
      const parts = yield* Stream.runCollect(
        LlmClient.streamTools(request, [giving(LlmTool.withParts("", [image]))])
      )
      const [result] = [...parts].filter((part) => part._tag === "ToolResult")
      assert.deepStrictEqual(
        result,
        Message.ToolResult.make({ id: "call_1", name: "length", result: "", parts: [kept] })
      )
    }).pipe(following([call(), "1094 km"])))

  it.effect.each(
    [
      ["bytes that are no base64", { ...image, bytes: "***" }],
      ["no media type", { _tag: "Image", bytes: "AQID" }],
      ["a thought", { _tag: "Reasoning", text: "s3cret" }]
    ] as const
  )("fails the run, naming the tool and the place, with %s", ([, part]) =>
    Effect.gen(function*() {
      const tool = giving(LlmTool.withParts("", [part as never]))
      const error = errorOf(yield* Effect.exit(LlmClient.runTools(request, [tool])))
      assert(error.reason._tag === "InvalidRequest")
      assert.include(error.message, "the result of the tool length cannot be sent: ")
      assert.include(error.message, "parts[0]")
      assert.notInclude(`${error}`, "s3cret")
    }).pipe(following([call()])))
})
