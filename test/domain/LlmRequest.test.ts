import { assert, describe, it } from "@effect/vitest"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"

const secret = "the user's secret words"

/** What programs without types, or with data from outside, may pass. */
const decode = (input: unknown, defaults?: LlmRequest.Settings) =>
  LlmRequest.decode(input as LlmRequest.Input, defaults)

const user = (...content: ReadonlyArray<unknown>) => ({ model: "m", messages: [{ role: "user", content }] })
const withPrompt = (fields: object) => ({ model: "m", prompt: secret, ...fields })
const tool = { name: "lookup", parameters: { type: "object" } }

describe("LlmRequest.decode", () => {
  describe("names what is wrong, and quotes nothing of it:", () => {
    for (
      const [what, input, field, expected] of [
        ["null", null, undefined, "an object"],
        ["nothing", undefined, undefined, "an object"],
        ["a string", secret, undefined, "an object"],
        ["an array", [secret], undefined, "an object"],
        ["a function", () => secret, undefined, "an object"],

        ["no model", { prompt: secret }, "model", "a value: it is missing"],
        ["an empty model", { model: "", prompt: secret }, "model", "the name of a model"],
        ["a blank model", { model: " ", prompt: secret }, "model", "the name of a model"],
        ["a model that is a number", { model: 5, prompt: secret }, "model", "the name of a model"],

        ["an empty prompt", { model: "m", prompt: "" }, "prompt", "text that is not empty"],
        ["a blank prompt", { model: "m", prompt: " \t\n\u00a0" }, "prompt", "text that is not empty"],
        ["a prompt that is null", { model: "m", prompt: null }, "prompt", "text that is not empty"],
        ["a prompt that is a list", { model: "m", prompt: [secret] }, "prompt", "text that is not empty"],
        [
          "a prompt and messages",
          { model: "m", prompt: secret, messages: [{ role: "user", content: secret }] },
          "prompt",
          "either prompt or messages, not both"
        ],

        ["neither prompt nor messages", { model: "m" }, "messages", "a value: it is missing"],
        ["no messages", { model: "m", messages: [] }, "messages", "a list of at least one message"],
        ["messages that are text", { model: "m", messages: secret }, "messages", "a list of at least one message"],
        [
          "an unknown role",
          { model: "m", messages: [{ role: secret, content: secret }] },
          "messages[0].role",
          "\"system\" | \"user\" | \"assistant\" | \"tool\""
        ],
        ["no role", { model: "m", messages: [{ content: secret }] }, "messages[0].role", "a value: it is missing"],
        ["no content", { model: "m", messages: [{ role: "user" }] }, "messages[0].content", "a value: it is missing"],
        [
          "empty content in a later message",
          { model: "m", messages: [{ role: "user", content: secret }, { role: "user", content: "" }] },
          "messages[1].content",
          "text that is not empty, or a list of parts"
        ],
        ["no parts", user(), "messages[0].content", "text that is not empty, or a list of parts"],
        [
          "a blank part",
          user({ _tag: "Text", text: " " }),
          "messages[0].content",
          "text that is not empty, or a list of parts"
        ],
        [
          "an unknown part",
          user({ _tag: "Text", text: "a" }, { _tag: "Video", url: secret }),
          "messages[0].content[1]._tag",
          "\"Text\" | \"Image\" | \"File\" | \"CachePoint\""
        ],
        [
          "points without content",
          user({ _tag: "CachePoint" }, { _tag: "CachePoint", lifetime: "1h" }),
          "messages[0].content",
          "text that is not empty, or a list of parts"
        ],
        [
          "the lifetime of a point",
          user({ _tag: "Text", text: "a" }, { _tag: "CachePoint", lifetime: secret }),
          "messages[0].content[1].lifetime",
          "\"5m\" | \"30m\" | \"1h\" | \"12h\" | \"24h\""
        ],
        [
          "provider options of a part that are not by provider",
          user({ _tag: "Text", text: "a", providerOptions: { cache_control: true } }),
          "messages[0].content[0].providerOptions.cache_control",
          "a JSON object"
        ],
        ["a part without a tag", user({ text: secret }), "messages[0].content[0]._tag", "a value: it is missing"],
        [
          "an assistant's part from the user",
          user({ _tag: "ToolCall", id: secret, name: "f", arguments: {} }),
          "messages[0].content[0]._tag",
          "\"Text\" | \"Image\" | \"File\" | \"CachePoint\""
        ],
        [
          "an image without bytes",
          user({ _tag: "Image", mediaType: "image/png" }),
          "messages[0].content[0].bytes",
          "a value: it is missing"
        ],
        [
          "an image whose bytes are not base64",
          user({ _tag: "Image", mediaType: "image/png", bytes: secret }),
          "messages[0].content[0].bytes",
          "bytes, as a Uint8Array or as base64"
        ],
        [
          "an unknown field of a part",
          user({ _tag: "Text", text: secret, cacheControl: secret }),
          "messages[0].content[0].cacheControl",
          "no such field"
        ],
        [
          "an unknown field of a message",
          { model: "m", messages: [{ role: "user", content: secret, name: secret }] },
          "messages[0].name",
          "no such field"
        ],
        [
          "a tool message without results",
          { model: "m", messages: [{ role: "tool", content: [] }] },
          "messages[0].content",
          "a list of at least one tool result"
        ],

        ["an unknown field", withPrompt({ temprature: secret }), "temprature", "no such field"],
        ["the wire's name of a field", withPrompt({ max_tokens: 5 }), "max_tokens", "no such field"],
        [
          "a prototype in disguise",
          JSON.parse("{\"model\":\"m\",\"prompt\":\"p\",\"__proto__\":{\"temperature\":1}}"),
          "__proto__",
          "no such field"
        ],
        ["blank instructions", withPrompt({ system: " " }), "system", "instructions that are not empty"],
        ["a temperature of NaN", withPrompt({ temperature: NaN }), "temperature", "a number between 0 and 2"],
        ["a temperature of 2.1", withPrompt({ temperature: 2.1 }), "temperature", "a number between 0 and 2"],
        ["a negative temperature", withPrompt({ temperature: -0.1 }), "temperature", "a number between 0 and 2"],
        ["a temperature that is text", withPrompt({ temperature: "0.5" }), "temperature", "a number between 0 and 2"],
        ["a temperature of null", withPrompt({ temperature: null }), "temperature", "a number between 0 and 2"],
        ["maxTokens 1.5", withPrompt({ maxTokens: 1.5 }), "maxTokens", "an integer of at least 0"],
        ["maxTokens -1", withPrompt({ maxTokens: -1 }), "maxTokens", "an integer of at least 0"],
        ["maxTokens Infinity", withPrompt({ maxTokens: Infinity }), "maxTokens", "an integer of at least 0"],
        ["topP 1.1", withPrompt({ topP: 1.1 }), "topP", "a number between 0 and 1"],
        ["topK 0.5", withPrompt({ topK: 0.5 }), "topK", "a positive integer"],
        ["seed 0.5", withPrompt({ seed: 0.5 }), "seed", "an integer"],
        ["seed 2^53", withPrompt({ seed: 2 ** 53 }), "seed", "an integer"],
        ["an empty stop text", withPrompt({ stop: "" }), "stop[0]", "text that is not empty"],
        ["a stop text that is none", withPrompt({ stop: ["a", 1] }), "stop[1]", "text that is not empty"],
        [
          "an unknown effort",
          withPrompt({ reasoningEffort: secret }),
          "reasoningEffort",
          "\"none\" | \"minimal\" | \"low\" | \"medium\" | \"high\" | \"xhigh\" | \"max\""
        ],
        ["an unknown verbosity", withPrompt({ verbosity: secret }), "verbosity", "\"low\" | \"medium\" | \"high\""],
        [
          "a tier that is one provider's own",
          withPrompt({ serviceTier: "scale" }),
          "serviceTier",
          "\"auto\" | \"standard\" | \"flex\" | \"priority\""
        ],
        [
          "an unknown summary",
          withPrompt({ reasoningSummary: true }),
          "reasoningSummary",
          "\"none\" | \"auto\" | \"concise\" | \"detailed\""
        ],
        ["parallel calls that are text", withPrompt({ parallelToolCalls: "no" }), "parallelToolCalls", "boolean"],
        ["an empty cache key", withPrompt({ promptCache: { key: "" } }), "promptCache.key", "text that is not empty"],
        [
          "a field of the cache that it does not have",
          withPrompt({ promptCache: { ttl: "1h" } }),
          "promptCache.ttl",
          "no such field"
        ],
        [
          "a tool without a name",
          withPrompt({ tools: [{ parameters: {} }] }),
          "tools[0].name",
          "a value: it is missing"
        ],
        [
          "a tool whose name is not one",
          withPrompt({ tools: [tool, { ...tool, name: secret }] }),
          "tools[1].name",
          "1 to 128 of the characters A-Z a-z 0-9 _ -"
        ],
        [
          "a tool without parameters",
          withPrompt({ tools: [{ name: "f" }] }),
          "tools[0].parameters",
          "a value: it is missing"
        ],
        [
          "a tool whose parameters are a list",
          withPrompt({ tools: [{ name: "f", parameters: [secret] }] }),
          "tools[0].parameters",
          "a JSON object"
        ],
        ["two tools of one name", withPrompt({ tools: [tool, tool] }), "tools", "tools of different names"],
        [
          "the choice of a tool that is not there",
          withPrompt({ tools: [tool], toolChoice: { tool: secret } }),
          "toolChoice",
          "the name of one of the tools"
        ],
        [
          "the choice of a tool where there are none",
          withPrompt({ toolChoice: { tool: "lookup" } }),
          "toolChoice",
          "the name of one of the tools"
        ],
        [
          "a tool required where there are none",
          withPrompt({ toolChoice: "required" }),
          "tools",
          "a tool: toolChoice requires one"
        ],
        [
          "an output schema without a name",
          withPrompt({ outputSchema: { name: "", schema: {} } }),
          "outputSchema.name",
          "1 to 64 of the characters A-Z a-z 0-9 _ -"
        ],
        ["an empty user", withPrompt({ user: "" }), "user", "text that is not empty"],
        [
          "provider options that are not by provider",
          withPrompt({ providerOptions: { logprobs: true } }),
          "providerOptions.logprobs",
          "a JSON object"
        ]
      ] as const
    ) {
      it.effect(what, () =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(decode(input))
          assert.deepStrictEqual(error.reason, {
            _tag: "InvalidRequest",
            ...(field !== undefined && { field }),
            message: `${field ?? "the request"}: expected ${expected}`
          })
          assert.strictEqual(error.attempts, 0)
          const printed = [error.message, error.stack, JSON.stringify(error), Cause.pretty(Cause.fail(error))].join()
          assert.notInclude(printed, secret)
        }))
    }
  })

  it.effect("names the model and the operation that the failure belongs to", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LlmRequest.decode({ model: "m", prompt: "" }, {}, "stream"))
      assert.strictEqual(error.model, "m")
      assert.strictEqual(error.operation, "stream")
      assert.isFalse(error.isRetryable)
      const nameless = yield* Effect.flip(decode({ model: 5 }))
      assert.isUndefined(nameless.model)
      assert.strictEqual(nameless.operation, "call")
    }))

  it.effect("makes a prompt one message of the user", () =>
    Effect.gen(function*() {
      const request = yield* LlmRequest.decode({ model: "m", prompt: " Name a river.\n" })
      assert.instanceOf(request, LlmRequest.LlmRequest)
      assert.deepStrictEqual(request.messages, [
        { role: "user", content: [{ _tag: "Text", text: " Name a river.\n" }] }
      ])
      assert.strictEqual(request.prompt, " Name a river.\n")
    }))

  it.effect("finds the prompt in the last message of the user", () =>
    Effect.gen(function*() {
      const request = yield* LlmRequest.decode({
        model: "m",
        messages: [
          { role: "user", content: "first" },
          { role: "user", content: [{ _tag: "Text", text: "se" }, { _tag: "Text", text: "cond" }] },
          { role: "assistant", content: "answer" }
        ]
      })
      assert.strictEqual(request.prompt, "second")
      const without = yield* LlmRequest.decode({ model: "m", messages: [{ role: "assistant", content: "answer" }] })
      assert.strictEqual(without.prompt, "")
    }))

  it.effect("takes the limits of each setting", () =>
    Effect.gen(function*() {
      for (
        const settings of [
          { temperature: 0 },
          { temperature: 2 },
          { topP: 0 },
          { topP: 1 },
          { maxTokens: 1 },
          { topK: 1 },
          { seed: Number.MIN_SAFE_INTEGER },
          { seed: Number.MAX_SAFE_INTEGER },
          { stop: [] },
          { stop: "\n" },
          { tools: [] },
          { tools: [{ name: "x".repeat(128), parameters: {} }] },
          { outputSchema: { name: "x".repeat(64), schema: {} } },
          { toolChoice: "auto" },
          { toolChoice: "none" }
        ] as ReadonlyArray<LlmRequest.Settings>
      ) {
        const request: LlmRequest.Settings = yield* LlmRequest.decode({ model: "m", prompt: "p", ...settings })
        const stop = typeof settings.stop === "string" ? [settings.stop] : settings.stop
        assert.deepInclude(request, { ...settings, ...(stop !== undefined && { stop }) })
      }
    }))

  it.effect("fills in defaults where the request is silent, and never overrules it", () =>
    Effect.gen(function*() {
      const defaults = { temperature: 0.7, maxTokens: 100, stop: "END", system: "Be terse." } as const
      const silent = yield* LlmRequest.decode({ model: "m", prompt: "p", temperature: undefined }, defaults)
      assert.deepInclude({ ...silent }, { temperature: 0.7, maxTokens: 100, stop: ["END"], system: "Be terse." })
      const outspoken = { temperature: 0, maxTokens: 1, stop: ["a"], system: "Be kind." }
      const explicit = yield* LlmRequest.decode({ model: "m", prompt: "p", ...outspoken }, defaults)
      assert.deepInclude({ ...explicit }, outspoken)
      assert.isUndefined((yield* LlmRequest.decode({ model: "m", prompt: "p" })).temperature)
    }))

  it.effect("checks defaults like everything else", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LlmRequest.decode({ model: "m", prompt: "p" }, { temperature: 5 }))
      assert.deepInclude(error.reason, { _tag: "InvalidRequest", field: "temperature" })
    }))

  it.effect("takes a request that is decoded already, and leaves it as it is", () =>
    Effect.gen(function*() {
      const request = yield* LlmRequest.decode({
        ...user({ _tag: "Image", bytes: new Uint8Array([1, 2]), mediaType: "image/png" }),
        temperature: 1
      } as LlmRequest.Input)
      assert.deepStrictEqual(yield* LlmRequest.decode(request, { temperature: 0 }), request)
    }))

  it.effect("takes options that are undefined as absent, for one provider or for all", () =>
    Effect.gen(function*() {
      const elbe = { model: "m", prompt: "Name a river." }
      const given: ReadonlyArray<readonly [LlmRequest.Input["providerOptions"], LlmRequest.Input["providerOptions"]]> =
        [
          [undefined, undefined],
          [{ gemini: undefined }, {}],
          [{ gemini: undefined, openai: { a: 1, b: undefined } }, { openai: { a: 1, b: undefined } }]
        ]
      for (const [providerOptions, expected] of given) {
        const asField = yield* LlmRequest.decode({ ...elbe, providerOptions })
        assert.deepStrictEqual(asField.providerOptions, expected)
        const asDefault = yield* LlmRequest.decode(elbe, { providerOptions })
        assert.deepStrictEqual(asDefault.providerOptions, expected)
      }
    }))

  it.effect("leaves the input and the defaults as they were", () =>
    Effect.gen(function*() {
      const deepFreeze = (value: unknown): void => {
        if (typeof value !== "object" || value === null || value instanceof Uint8Array) return
        Object.freeze(value)
        for (const inner of Object.values(value)) deepFreeze(inner)
      }
      const bytes = new Uint8Array([1, 2, 3])
      const input = {
        model: "m",
        messages: [
          { role: "user", content: "a" },
          { role: "user", content: [{ _tag: "Image", bytes, mediaType: "image/png" }] }
        ],
        stop: "END",
        tools: [tool],
        providerOptions: { openai: { nested: { a: [1] } } }
      } as const
      const defaults = { temperature: 0.5, stop: ["x"] }
      const before = JSON.stringify([input, defaults])
      deepFreeze([input, defaults])
      yield* LlmRequest.decode(input, defaults)
      assert.strictEqual(JSON.stringify([input, defaults]), before)
      assert.deepStrictEqual([...bytes], [1, 2, 3])
    }))

  it.effect("fails, but never dies, whatever it is given", () =>
    Effect.sync(() =>
      FastCheck.assert(
        FastCheck.property(
          FastCheck.oneof(
            FastCheck.anything(),
            FastCheck.record({
              model: FastCheck.oneof(FastCheck.string(), FastCheck.anything()),
              prompt: FastCheck.oneof(FastCheck.string(), FastCheck.anything()),
              messages: FastCheck.oneof(FastCheck.array(FastCheck.anything()), FastCheck.anything()),
              temperature: FastCheck.anything(),
              stop: FastCheck.anything(),
              tools: FastCheck.anything(),
              toolChoice: FastCheck.anything()
            }, { requiredKeys: [] })
          ),
          (input) => {
            const exit = Effect.runSyncExit(decode(input))
            if (exit._tag === "Failure") assert.strictEqual(exit.cause._tag, "Fail")
          }
        ),
        { numRuns: 500 }
      )
    ))
})
