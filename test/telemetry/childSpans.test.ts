import { assert, describe, it } from "@effect/vitest"
import * as Balance from "effect-llm/Balance"
import * as Fallback from "effect-llm/Fallback"
import * as Hedge from "effect-llm/Hedge"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmTool from "effect-llm/LlmTool"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { serverFailed } from "../support/errors.js"
import { type Recorded, recorder, treeOf } from "../support/recordedSpans.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { everyStream, steps } from "../support/scriptedStreams.js"
import { target } from "../support/targets.js"
import { within } from "../support/testClock.js"

const clientOn = (provider: Layer.Layer<LlmProvider.LlmProvider>) =>
  LlmClient.layerDefault({ retry: { jitter: false } }).pipe(Layer.provide(provider))

const attributesOf = (spans: ReadonlyArray<Recorded>, name: string) =>
  spans.filter((span) => span.name === name).map(({ attributes }) => Object.fromEntries(attributes))

/** A call and a stream, each traced by itself. */
const both = (provider: Layer.Layer<LlmProvider.LlmProvider>) =>
  Effect.gen(function*() {
    const traces: Array<ReadonlyArray<Recorded>> = []
    for (const ask of [LlmClient.call(request), Stream.runDrain(LlmClient.stream(request))]) {
      const { spans, traced } = recorder()
      yield* within("1 minute")(traced(ask.pipe(Effect.provide(clientOn(provider)))))
      assert.isTrue(spans.every(({ status }) => status._tag === "Ended"))
      traces.push(spans)
    }
    return traces
  })

describe("child spans", () => {
  it.effect("a stream has one for each attempt, which ends with its connection", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([
        everyStream((n) => n === 1 ? steps(1_000, serverFailed) : steps(1_000, "Elbe", 4_000, ", Rhine"))
      ], { client: { retry: { jitter: false } } })
      yield* within("7 seconds")(traced(Effect.exit(Stream.runDrain(client.stream(request)))))
      assert.deepStrictEqual(treeOf(spans), ["chat gpt-4o-mini", "  attempt 1", "  attempt 2"])
      assert.deepStrictEqual(attributesOf(spans, "attempt 1"), [{
        "error.type": "ServerFailed"
      }])
      const seconds = spans.map(({ status }) =>
        status._tag === "Ended" ? Number(status.endTime - status.startTime) / 1e9 : NaN
      )
      assert.deepStrictEqual(seconds, [7, 1, 5])
    }).pipe(Effect.scoped))

  it.effect("a fallback has one for each target that it asks, with the reason of its failure", () =>
    Effect.gen(function*() {
      const provider = target("openai", serverFailed).layer.pipe(
        Fallback.to(target("gemini").layer, { model: "gemini-2.5-flash" })
      )
      for (const spans of yield* both(provider)) {
        assert.deepStrictEqual(treeOf(spans), [
          "chat gpt-4o-mini",
          "  attempt 1",
          "    target openai/gpt-4o-mini",
          "    target gemini/gemini-2.5-flash"
        ])
        assert.deepStrictEqual(attributesOf(spans, "target openai/gpt-4o-mini"), [{
          "effect_llm.target": "openai/gpt-4o-mini",
          "gen_ai.provider.name": "openai",
          "gen_ai.request.model": "gpt-4o-mini",
          "error.type": "ServerFailed"
        }])
        assert.deepStrictEqual(attributesOf(spans, "target gemini/gemini-2.5-flash"), [{
          "effect_llm.target": "gemini/gemini-2.5-flash",
          "gen_ai.provider.name": "gcp.gemini",
          "gen_ai.request.model": "gemini-2.5-flash"
        }])
      }
    }))

  it.effect("a balance has one for each target that it asks", () =>
    Effect.gen(function*() {
      const provider = Balance.over([
        { id: "first", layer: target("openai", serverFailed).layer },
        { id: "second", layer: target("openai", serverFailed).layer }
      ])
      for (const spans of yield* both(provider)) {
        const targets = spans.filter(({ name }) => name.startsWith("target")).map(({ name }) => name)
        assert.sameMembers(targets.slice(0, 2), ["target first/gpt-4o-mini", "target second/gpt-4o-mini"])
      }
    }))

  it.effect("a hedge has one for each of its requests, of which the slower one is interrupted", () =>
    Effect.gen(function*() {
      const slow = target("openai", Effect.delay(LlmTest.text("Elbe"), "10 seconds"))
      const [spans = []] = yield* both(slow.layer.pipe(Hedge.after("1 second", { maxExtraLoad: 1 })))
      assert.deepStrictEqual(treeOf(spans), [
        "chat gpt-4o-mini",
        "  attempt 1",
        "    target first request",
        "    target second request"
      ])
      assert.deepStrictEqual(attributesOf(spans, "target second request").map((known) => known["error.type"]), [
        "Interrupted"
      ])
    }))

  it.scoped("a run of a tool has one, with the type of its failure", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const { client } = yield* scriptedClient([
        LlmTest.toolCalls([{ name: "length", arguments: { river: "Elbe" } }])
      ])
      const tool = LlmTool.make("length", {
        parameters: Schema.Struct({ river: Schema.String }),
        handler: () => Effect.fail({ _tag: "NoSuchRiver" as const })
      })
      yield* traced(Effect.exit(client.runTools(request, [tool])))
      const [attributes] = attributesOf(spans, "execute_tool length")
      assert.isString(attributes?.["gen_ai.tool.call.id"])
      assert.deepInclude(attributes, {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "length",
        "gen_ai.tool.type": "function",
        "error.type": "NoSuchRiver"
      })
    }))

  it.effect("a program that does not trace has none", () =>
    Effect.gen(function*() {
      const provider = target(
        "openai",
        Effect.flatMap(
          Effect.option(Effect.currentParentSpan),
          (span) => Effect.succeed(LlmTest.text(span._tag)).pipe(Effect.flatten)
        )
      ).layer
      const { text } = yield* LlmClient.call(request).pipe(Effect.provide(clientOn(provider)))
      assert.strictEqual(text, "None")
    }))
})
