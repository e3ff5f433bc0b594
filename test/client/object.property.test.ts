import { afterAll, assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as JsonSchemaDialect from "../../src/output/jsonSchemaDialect.js"
import { schemaWithValue } from "../support/arbitrarySchemas.js"
import * as Simulated from "../support/simulated.js"

const dialects: ReadonlyArray<LlmProvider.SchemaDialect> = ["openai", "anthropic", "gemini", "plain"]

type Sample = typeof schemaWithValue extends FastCheck.Arbitrary<infer Sample> ? Sample : never

/** The answer of a model that gives this value and follows its instructions. */
const written = (
  { encode, schema, value }: Sample,
  dialect: LlmProvider.SchemaDialect | LlmProvider.Dialect
): unknown => {
  const wire = Either.getOrThrow(JsonSchemaDialect.make(schema, dialect))
  return JSON.parse(JSON.stringify(wire.write(encode(value))))
}

const clientOn = <R>(provider: Layer.Layer<LlmProvider.LlmProvider, never, R>) =>
  LlmClient.layer({ retry: false }).pipe(Layer.provide([provider, LlmCache.layerNone, LlmLogger.layerSilent]))

// Each seed is fixed: what fails, fails again, and shrinks to the same small case.
const seeded = (numRuns: number, seed: number) => ({ numRuns, seed })

describe("LlmClient.object: any value of any schema, encoded and given as the model's answer, comes back as it was", () => {
  describe.each(dialects)("from a provider that takes schemas as %s does", (schemaDialect) => {
    let answer: LlmResponse.LlmResponse
    const say = (...parts: ReadonlyArray<Message.ResponsePart>) => {
      answer = LlmResponse.make({ parts, finishReason: "stop", model: "m", provider: "p" })
      return answer
    }
    const provider = LlmTest.layer([
      LlmTest.repeat(({ toolChoice }) =>
        typeof toolChoice === "object"
          ? say(Message.ToolCall.make({ id: "1", name: toolChoice.tool, arguments: JSON.parse(answer.text) }))
          : answer
      )
    ], { schemaDialect })
    const runtime = ManagedRuntime.make(clientOn(provider))
    afterAll(() => runtime.dispose())

    const ask = ({ schema }: Sample, mode: "native" | "tool" | "json" | "prompt") =>
      runtime.runPromise(
        LlmClient.object(schema, { model: "m", prompt: "Which?" }, { mode, reask: 0, cache: "bypass" }).pipe(
          Effect.map((response) => response.value)
        )
      )

    it("by its own mode", () =>
      FastCheck.assert(
        FastCheck.asyncProperty(schemaWithValue, async (sample) => {
          say(Message.Text.make({ text: JSON.stringify(written(sample, schemaDialect)) }))
          assert.deepStrictEqual(await ask(sample, "native"), sample.value)
        }),
        seeded(100, 41)
      ))

    it("by a tool that has to be called", () =>
      FastCheck.assert(
        FastCheck.asyncProperty(schemaWithValue, async (sample) => {
          say(Message.Text.make({ text: JSON.stringify(written(sample, schemaDialect)) }))
          assert.deepStrictEqual(await ask(sample, "tool"), sample.value)
        }),
        seeded(50, 45)
      ))

    // The words are the same for all of them.
    it.runIf(schemaDialect === "plain")("by a JSON mode that knows no schema", () =>
      FastCheck.assert(
        FastCheck.asyncProperty(schemaWithValue, async (sample) => {
          say(Message.Text.make({ text: JSON.stringify(written(sample, "plain")) }))
          assert.deepStrictEqual(await ask(sample, "json"), sample.value)
        }),
        seeded(50, 46)
      ))

    it.runIf(schemaDialect === "plain")("told in words, with prose around the answer", () =>
      FastCheck.assert(
        FastCheck.asyncProperty(schemaWithValue, async (sample) => {
          say(
            Message.Text.make({
              text: `Here:\n\`\`\`json\n${JSON.stringify(written(sample, "plain"), null, 2)}\n\`\`\``
            })
          )
          assert.deepStrictEqual(await ask(sample, "prompt"), sample.value)
        }),
        seeded(50, 42)
      ))

    it("as the arguments of a tool", () =>
      FastCheck.assert(
        FastCheck.asyncProperty(schemaWithValue, async (sample) => {
          const tool = LlmTool.make("tell", { parameters: sample.schema })
          const call = Message.ToolCall.make({ id: "1", name: "tell", arguments: written(sample, schemaDialect) })
          const calls = await runtime.runPromise(
            Effect.flatMap(LlmClient.toolkit([tool]), ({ toolCalls }) => toolCalls(say(call)))
          )
          assert.deepStrictEqual(calls, [{ id: "1", name: "tell", arguments: sample.value }])
        }),
        seeded(50, 43)
      ))
  })

  it.live.each([...Simulated.protocols])("over HTTP: %s", (protocol) => {
    let answer = ""
    return Simulated.over({ answer: () => answer }, (simulator) =>
      Effect.gen(function*() {
        const { layer, model } = Simulated.providers[protocol]
        const samples = FastCheck.sample(schemaWithValue, seeded(8, 44))
        const dialect = (yield* Simulated.provider(protocol, simulator)).schemaDialect ?? "plain"
        for (const sample of samples) {
          answer = JSON.stringify(written(sample, dialect))
          const { value } = yield* LlmClient.object(sample.schema, { model, prompt: "Which?" }).pipe(
            Effect.provide(clientOn(layer(simulator.url)))
          )
          assert.deepStrictEqual(value, sample.value)
        }
      }))
  })
})
