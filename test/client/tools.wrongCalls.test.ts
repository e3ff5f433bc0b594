import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Gemini from "effect-llm/Gemini"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTool from "effect-llm/LlmTool"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as StreamPart from "effect-llm/StreamPart"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { client, serve, transports } from "../support/overHttp.js"
import { callLength, following, lengthTool, reasonOf, request, ways } from "../support/toolRuns.js"

const depth = LlmTool.make("depth", { handler: () => Effect.succeed(3) })

const invalid = (fields: { readonly name?: string; readonly raw: string }) =>
  LlmTest.fail(LlmError.ToolArgumentsInvalid.make({ message: "the arguments are not JSON", ...fields }))

const again =
  "The arguments have to be JSON that fits the tool's schema.\nCall the tool again with all arguments, corrected."

describe.each(ways)("LlmClient.%s: calls that cannot be read", (operation, run) => {
  it.effect("are reported to the model, with its own words before", () =>
    Effect.gen(function*() {
      const { asked, tool } = lengthTool()
      const { messages, response, steps } = yield* run(request, [tool])
      assert.strictEqual(response.text, "1094 km")
      assert.deepStrictEqual(asked, ["Elbe"])
      assert.deepStrictEqual(messages.slice(1, 3), [
        { role: "assistant", content: [{ _tag: "Text", text: "{\"river\":" }] },
        { role: "user", content: [{ _tag: "Text", text: `Your call of the tool length could not be read.\n${again}` }] }
      ])
      assert.deepStrictEqual<unknown>((yield* LlmTest.requests)[1]?.messages, messages.slice(0, 3))
      assert.lengthOf(steps, 2)
      assert.strictEqual(response.attempts, 3)
    }).pipe(following([invalid({ name: "length", raw: "{\"river\":" }), callLength("Elbe"), "1094 km"])))

  it.effect("leave the usage of the run open, as nobody knows what they cost", () =>
    Effect.gen(function*() {
      const { response } = yield* run(request, [lengthTool().tool])
      assert.deepStrictEqual(response.usage, {})
    }).pipe(following([invalid({ name: "length", raw: "{" }), LlmTest.text("1094", { usage: { inputTokens: 5 } })])))

  it.effect.each(
    [
      ["the name of one tool", "<function=depth>{", "depth"],
      ["the names of two tools", "length or depth", undefined],
      ["no name of a tool", "print(width(", undefined],
      ["a longer name", "length_of(", undefined],
      ["nothing", " ", undefined]
    ] as const
  )("name the tool where it can be seen: %s", ([_, raw, name]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool, depth], { reask: 0 }))
      const reason = reasonOf(error)
      assert(reason._tag === "ToolArgumentsInvalid")
      assert.strictEqual(reason.name, name)
      assert.strictEqual(reason.raw, raw)
      assert.strictEqual(LlmError.isLlmError(error) ? error.operation : undefined, operation)
    }).pipe(following([invalid({ raw })])))

  it.effect("of no known name are answered with the names that there are", () =>
    Effect.gen(function*() {
      const { messages } = yield* run(request, [lengthTool().tool, depth])
      assert.deepStrictEqual(messages.slice(1, -1), [{
        role: "user",
        content: [{
          _tag: "Text",
          text: `Your call of a tool could not be read.\nThere are: length, depth.\n${again}`
        }]
      }])
    }).pipe(following([invalid({ raw: "" }), "done"])))

  it.effect("fail the run, once they were reported as often as `reask` says", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { reask: 2 }))
      assert.deepInclude(reasonOf(error), { _tag: "ToolArgumentsInvalid", name: "length", raw: "3" })
      assert.deepInclude(error, { operation, attempts: 3 })
    }).pipe(following(["1", "2", "3"].map((raw) => invalid({ name: "length", raw })))))

  it.effect("count together with calls that do not fit", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool]))
      assert.deepInclude(reasonOf(error), { name: "length", raw: "{" })
    }).pipe(following([callLength(7), invalid({ name: "length", raw: "{" })])))

  it.effect("are forgiven by a turn that is right", () =>
    Effect.gen(function*() {
      const { response } = yield* run(request, [lengthTool().tool])
      assert.strictEqual(response.text, "done")
    }).pipe(
      following([
        invalid({ name: "length", raw: "{" }),
        callLength("Elbe"),
        invalid({ name: "length", raw: "{" }),
        "done"
      ])
    ))

  it.effect("fail the run at its last turn", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(run(request, [lengthTool().tool], { maxSteps: 1 }))
      assert.strictEqual(reasonOf(error)._tag, "ToolArgumentsInvalid")
    }).pipe(following([invalid({ name: "length", raw: "{" })])))
})

describe("LlmClient.streamTools: calls that cannot be read", () => {
  it.effect("have emitted their parts, but no Finish; the parts of the next turn follow", () =>
    Effect.gen(function*() {
      const { tool } = lengthTool()
      const parts = yield* Stream.runCollect(LlmClient.streamTools(request, [tool]))
      assert.deepStrictEqual([...parts].map(({ _tag }) => _tag), [
        "TextDelta",
        "ToolCallStart",
        "ToolCallDelta",
        "TextDelta",
        "Finish",
        "Finish"
      ])
    }).pipe(following([
      LlmTest.stream([
        "Let me see.",
        StreamPart.ToolCallStart({ id: "a", name: "length" }),
        StreamPart.ToolCallDelta({ id: "a", delta: "{\"river\":" })
      ], { end: LlmError.ToolArgumentsInvalid.make({ name: "length", raw: "{\"river\":" }) }),
      "done"
    ])))
})

// ---------------------------------------------------------------------------------------------------------------------
// As services send them
// ---------------------------------------------------------------------------------------------------------------------

const apiKey = Redacted.make("key-0123456789")

type ProviderAt = (url: string) => Layer.Layer<LlmProvider.LlmProvider, never, HttpClient.HttpClient>

interface Service {
  readonly providerAt: ProviderAt
  readonly status?: number
  /** The first answer, and the second: whole, and as a stream. */
  readonly wrong: unknown
  readonly right: unknown
  readonly events: (answer: unknown) => string
}

const chatCompletion = (message: object, finish_reason: string) => ({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
})

/** A completion as one chunk of a stream. */
const chatEvents = (answer: unknown): string => {
  const { choices, ...rest } = answer as ReturnType<typeof chatCompletion>
  const chunk = { ...rest, choices: choices.map(({ message, ...end }) => ({ ...end, delta: message })) }
  return `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`
}

const geminiAnswer = (parts: ReadonlyArray<unknown>, end: object) => ({
  candidates: [{ content: { role: "model", parts }, ...end }],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 }
})

const services: Readonly<Record<string, Service>> = {
  "arguments that are not JSON (Chat Completions)": {
    providerAt: (url) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1` }),
    wrong: chatCompletion({
      content: null,
      tool_calls: [{
        index: 0,
        id: "call_1",
        type: "function",
        function: { name: "length", arguments: "{river: Elbe" }
      }]
    }, "tool_calls"),
    right: chatCompletion({ content: "done" }, "stop"),
    events: chatEvents
  },
  "tool_use_failed (Groq)": {
    providerAt: (url) => OpenAiChat.layer({ apiKey, baseUrl: `${url}/v1`, name: "groq" }),
    status: 400,
    wrong: {
      error: {
        message: "Failed to call a function. Please adjust your prompt.",
        type: "invalid_request_error",
        code: "tool_use_failed",
        failed_generation: "<function=length>{\"river\": \"Elbe\"</function>"
      }
    },
    right: chatCompletion({ content: "done" }, "stop"),
    events: chatEvents
  },
  "MALFORMED_FUNCTION_CALL (Gemini)": {
    providerAt: (url) => Gemini.layer({ apiKey, baseUrl: url }),
    wrong: geminiAnswer([], {
      finishReason: "MALFORMED_FUNCTION_CALL",
      finishMessage: "Malformed function call: print(default_api.length(river="
    }),
    right: geminiAnswer([{ text: "done" }], { finishReason: "STOP" }),
    events: (answer) => `data: ${JSON.stringify(answer)}\n\n`
  }
}

describe.each(ways)("LlmClient.%s: calls that a service could not read, over HTTP", (operation, run) => {
  const served = ({ events, providerAt, right, status = 200, wrong }: Service, wrongs: number) =>
    Effect.gen(function*() {
      let count = 0
      const server = yield* serve((response) => {
        const isWrong = count++ < wrongs
        const isError = isWrong && status !== 200
        const answer = isWrong ? wrong : right
        const streams = operation === "streamTools" && !isError
        response
          .writeHead(isError ? status : 200, { "content-type": streams ? "text/event-stream" : "application/json" })
          .end(streams ? events(answer) : JSON.stringify(answer))
      })
      const made = yield* client({ provider: providerAt(server.url), transport: transports.fetch })
      const { asked, tool } = lengthTool()
      const exit = yield* Effect.either(
        run({ model: "gpt-4o", prompt: "How long is the Elbe?" }, [tool, depth]).pipe(
          Effect.provideService(LlmClient.LlmClient, made.client)
        )
      )
      return { asked, exit, bodies: server.requests.map(({ body }) => body) }
    }).pipe(Effect.scoped)

  it.live.each(Object.keys(services))("are reported to the model: %s", (name) =>
    Effect.gen(function*() {
      const { asked, bodies, exit } = yield* served(services[name] ?? assert.fail(name), 1)
      assert(exit._tag === "Right")
      assert.strictEqual(exit.right.response.text, "done")
      assert.deepStrictEqual(asked, [])
      assert.lengthOf(bodies, 2)
      assert.include(bodies[1], "Your call of the tool length could not be read.")
    }))

  it.live.each(Object.keys(services))(
    "and fail the run after that, naming the tool: %s",
    (name) =>
      Effect.gen(function*() {
        const { bodies, exit } = yield* served(services[name] ?? assert.fail(name), 2)
        assert(exit._tag === "Left")
        assert.deepInclude(reasonOf(exit.left), { _tag: "ToolArgumentsInvalid", name: "length" })
        assert.deepInclude(exit.left, { operation, attempts: 2 })
        assert.lengthOf(bodies, 2)
      })
  )
})
