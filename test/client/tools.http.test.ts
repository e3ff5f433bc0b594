import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { valueOf } from "../../src/testing/simulator/schemaValue.js"
import * as Simulated from "../support/simulated.js"
import { lengthTool, reasonOf, ways } from "../support/toolRuns.js"

/** The protocols of models, and of hosts of Chat Completions, that take no schema for their answers beside tools. */
const byTool: ReadonlySet<Simulated.Protocol> = new Set(["gemini", "ollama", "openai-chat"])

const clientOn = <R>(provider: Layer.Layer<LlmProvider.LlmProvider, never, R>) =>
  LlmClient.layer().pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))

describe("Runs of tools over HTTP", () => {
  const Measure = LlmTool.make("measure", {
    description: "Measures a river.",
    parameters: Schema.Struct({
      river: Schema.String,
      at: Schema.Date,
      depth: Schema.Option(Schema.Int),
      marks: Schema.Record({ key: Schema.String, value: Schema.Int }),
      place: Schema.Tuple(Schema.Number, Schema.Number)
    })
  })

  const both = Simulated.protocols.flatMap((protocol) => ways.map(([operation, run]) => ({ protocol, operation, run })))

  it.live.each(both)(
    "a model that follows the schema is understood, and answers with what it was told: $operation, $protocol",
    ({ protocol, run }) =>
      Simulated.over({
        answer: ({ tools, turns }) => {
          const last = turns.at(-1)
          return last?.role === "tool" ? `It is ${last.text}` : {
            toolCalls: tools.map(({ name, parameters }) => ({ name, arguments: valueOf(parameters, ["Elbe"]) }))
          }
        }
      }, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const asked: Array<unknown> = []
          const tool = LlmTool.handle(Measure, (args) => {
            asked.push(args)
            return Effect.succeed("1094 kilometers")
          })
          const { response, steps } = yield* run({ model, prompt: "Please measure the Elbe." }, [tool]).pipe(
            Effect.provide(clientOn(layer(simulator.url)))
          )
          assert.lengthOf(asked, 1)
          assert.isTrue(Schema.is(Measure.parameters)(asked[0]))
          assert.include(response.text, "It is 1094 kilometers")
          assert.deepStrictEqual(steps.map(({ response }) => response.finishReason), ["tool_calls", "stop"])
          assert.lengthOf(yield* simulator.requests, 2)
        }))
  )

  it.live.each(both)(
    "a model gives a value at the end, in the mode that leaves it its tools: $operation, $protocol",
    ({ protocol, run }) =>
      Simulated.over({}, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const { asked, tool } = lengthTool()
          const { steps, value } = yield* run({ model, prompt: "Please tell the length of a river." }, [tool], {
            output: Schema.Struct({ kilometers: Schema.Int })
          }).pipe(Effect.provide(clientOn(layer(simulator.url))))
          assert.lengthOf(asked, 1)
          assert.isTrue(Number.isInteger(value?.kilometers))
          assert.strictEqual(steps.at(-1)?.response.finishReason, byTool.has(protocol) ? "tool_calls" : "stop")
        }))
  )

  it.live.each(both)(
    "a conversation with a picture, reasoning and calls goes on after JSON, as it came: $operation, $protocol",
    ({ protocol, run }) =>
      Simulated.over({}, (simulator) =>
        Effect.gen(function*() {
          const Stored = Schema.parseJson(Schema.Array(Message.Message))
          const { layer, thinking: model } = Simulated.providers[protocol]
          const { tool } = lengthTool()
          const settings = { model, reasoningEffort: "low" } as const
          const ask = (messages: ReadonlyArray<Message.Input>) =>
            run({ ...settings, messages }, [tool]).pipe(Effect.provide(clientOn(layer(simulator.url))))
          const picture = { _tag: "Image", bytes: new Uint8Array([137, 80, 78, 71]), mediaType: "image/png" } as const
          const text = Message.Text.make({ text: "Please tell the length of a river." })
          const first = yield* ask([{ role: "user", content: [text, picture] }])
          const stored = yield* Schema.encode(Stored)(first.messages)
          const read = yield* Schema.decode(Stored)(stored)
          assert.deepStrictEqual(read, first.messages)
          assert.strictEqual(yield* Schema.encode(Stored)(read), stored)
          const question = { role: "user", content: "Echo: and on" } as const
          const [here, there] = [yield* ask([...first.messages, question]), yield* ask([...read, question])]
          assert.strictEqual(there.response.text, "and on")
          assert.deepStrictEqual(there.messages, here.messages)
          const bodies = (yield* simulator.requests).slice(-2).map(({ body }) => body)
          assert.deepStrictEqual(bodies[1], bodies[0])
        }))
  )

  it.live.each([...Simulated.protocols])(
    "a consumer that stops in the second turn aborts its request: %s",
    (protocol) =>
      Simulated.over({
        answer: ({ turns }) =>
          turns.at(-1)?.role === "tool"
            ? { text: "It is long, and longer than that, and still it goes on and on." }
            : { toolCalls: [{ name: "length", arguments: { river: "Elbe" } }] },
        pace: "50 millis"
      }, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const { asked, tool } = lengthTool()
          yield* LlmClient.streamTools({ model, prompt: "How long is the Elbe?" }, [tool]).pipe(
            Stream.takeUntil((part) => part._tag === "TextDelta"),
            Stream.runDrain,
            Effect.provide(clientOn(layer(simulator.url)))
          )
          assert.deepStrictEqual(asked, ["Elbe"])
          yield* Simulated.lastEnds(simulator)
          const requests = yield* simulator.requests
          assert.deepStrictEqual(requests.map(({ outcome }) => outcome), ["answered", "aborted"])
        }))
  )

  it.live.each([...Simulated.protocols])(
    "a turn is retried before its first content, and its break after that is the failure of the run: %s",
    (protocol) =>
      Simulated.over({
        answer: ({ turns }) =>
          turns.at(-1)?.role === "tool"
            ? { text: "It is long, and longer than that, and still it goes on and on." }
            : { toolCalls: [{ name: "length", arguments: { river: "Elbe" } }] },
        faults: Simulator.sequence([
          Simulator.status(503),
          Simulator.ok,
          Simulator.reset,
          Simulator.cutStream({ afterEvents: 8 })
        ])
      }, (simulator) =>
        Effect.gen(function*() {
          const { layer, model } = Simulated.providers[protocol]
          const { asked, tool } = lengthTool()
          const tags: Array<string> = []
          const error = yield* LlmClient.streamTools({ model, prompt: "How long is the Elbe?" }, [tool], {
            retry: { base: "1 millis" }
          }).pipe(
            Stream.runForEach((part) => Effect.sync(() => tags.push(part._tag))),
            Effect.provide(clientOn(layer(simulator.url))),
            Effect.flip
          )
          assert.deepInclude(error, { operation: "streamTools", attempts: 4 })
          assert.strictEqual(reasonOf(error)._tag, "StreamInterrupted")
          assert.deepStrictEqual(asked, ["Elbe"])
          assert.strictEqual(tags.filter((tag) => tag === "ToolResult").length, 1)
          assert.strictEqual(tags.at(-1), "TextDelta")
        }))
  )
})
