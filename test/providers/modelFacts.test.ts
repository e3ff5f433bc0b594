import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Facts from "../../src/providers/modelFacts.js"
import * as Http from "../support/fakeHttp.js"

// What the data says of models, as it shows in requests. Each row was a 400, or an answer that was not what was asked for.

interface Body {
  readonly [field: string]: unknown
  readonly reasoning?: { readonly effort?: string }
  readonly generationConfig?: { readonly thinkingConfig?: { readonly [field: string]: unknown } }
}

type Settings = Partial<LlmRequest.PromptInput>

const prompt = "Name a river."

const tools = [{ name: "look_up", parameters: { type: "object" } }]

/** What is sent for a request, and the warnings of the answer. */
const encoded =
  (layer: Parameters<typeof Http.provider>[0], answer: unknown) => (model: string, settings: Settings = {}) =>
    Effect.gen(function*() {
      const { call, sent } = yield* Http.provider(layer, Http.json(answer))
      const { warnings } = yield* call({ model, prompt, ...settings })
      const body: Body = sent[0]!.body
      return { body, warnings }
    })

const responses = (options: OpenAi.Options = {}) =>
  encoded(OpenAi.layer(options), {
    id: "resp_1",
    status: "completed",
    model: "m",
    output: [{
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: "The Elbe.", annotations: [] }]
    }]
  })

const chat = (options: OpenAiChat.Options = {}) =>
  encoded(OpenAiChat.layer(options), {
    id: "chat_1",
    model: "m",
    choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "The Elbe." } }]
  })

const claude = (options: Anthropic.Options = {}) =>
  encoded(Anthropic.layer(options), {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "m",
    stop_reason: "end_turn",
    content: [{ type: "text", text: "The Elbe." }],
    usage: { input_tokens: 8, output_tokens: 4 }
  })

const gemini = (options: Gemini.Options = {}) =>
  encoded(Gemini.layer(options), {
    candidates: [{ content: { role: "model", parts: [{ text: "The Elbe." }] }, finishReason: "STOP" }]
  })

describe("Models of OpenAI", () => {
  it.effect.each<[model: string, asked: LlmRequest.ReasoningEffort, sent: string | undefined]>([
    ["gpt-6-astra", "none", "low"],
    ["gpt-6-astra", "minimal", "low"],
    ["gpt-6-astra", "max", "max"],
    ["gpt-6.1-sol", "none", "low"],
    ["gpt-6.2-astra-law", "minimal", "low"],
    ["gpt-6-sol", "none", "none"],
    ["gpt-6-luna", "minimal", "low"],
    ["gpt-5.6-sol", "minimal", "low"],
    ["gpt-5.6-sol", "max", "max"],
    ["gpt-5.5", "max", "xhigh"],
    ["gpt-5.4-nano", "max", "xhigh"],
    ["gpt-5.2", "minimal", "low"],
    ["gpt-5.1", "xhigh", "high"],
    ["gpt-5.1-codex-max", "none", "low"],
    ["gpt-5.2-pro", "none", "medium"],
    ["gpt-5.4-pro-2026-03-05", "low", "medium"],
    ["gpt-5", "none", "minimal"],
    ["gpt-5-mini", "xhigh", "high"],
    ["gpt-5-pro", "low", "high"],
    ["o3", "none", "low"],
    ["o4-mini", "xhigh", "high"],
    ["gpt-5.2-chat-latest", "low", undefined],
    ["gpt-4o", "low", undefined],
    ["openai/gpt-5.1", "max", "high"],
    ["a-new-model", "max", "max"]
  ])("%s is asked for the effort %s with %s", ([model, asked, expected]) =>
    Effect.gen(function*() {
      const { body, warnings } = yield* responses()(model, { reasoningEffort: asked })
      assert.strictEqual(body.reasoning?.effort, expected)
      const warning = expected === undefined
        ? `reasoningEffort was not sent: ${model} does not take it`
        : `reasoningEffort was sent as ${expected}: ${model} does not take ${asked}`
      assert.deepStrictEqual(warnings, expected === asked ? [] : [warning])
    }))

  it.effect.each<[model: string, effort: LlmRequest.ReasoningEffort | undefined, samples: boolean]>([
    ["gpt-5.1", undefined, true],
    ["gpt-5.2-2025-12-11", undefined, true],
    ["gpt-5.4-mini", undefined, true],
    ["gpt-5.2", "low", false],
    ["gpt-5.5", undefined, false],
    ["gpt-5.5", "none", true],
    ["gpt-5.6-terra", undefined, false],
    ["gpt-5.6-terra", "none", true],
    ["gpt-6-luna", "none", true],
    ["gpt-6-sol", "none", true],
    ["gpt-6.1-terra", "none", true],
    ["gpt-6-astra", "none", false],
    ["gpt-5.1-codex", "none", false],
    ["gpt-5.5-pro", "none", false],
    ["gpt-5.1-chat-latest", undefined, false],
    ["gpt-5.3-chat-latest", undefined, false],
    ["gpt-5-chat-latest", undefined, true],
    ["gpt-4o-search-preview", undefined, false]
  ])("%s at the effort %s takes sampling settings: %s", ([model, reasoningEffort, samples]) =>
    Effect.gen(function*() {
      for (const ask of [responses(), chat()]) {
        const effort = reasoningEffort === undefined ? {} : { reasoningEffort }
        const byDefault = yield* ask(model, effort)
        assert.strictEqual(byDefault.body.temperature, samples ? 0 : undefined)
        const asked = yield* ask(model, { ...effort, temperature: 0.3, topP: 0.5 })
        assert.deepStrictEqual(
          [asked.body.temperature, asked.body.top_p],
          samples ? [0.3, 0.5] : [undefined, undefined]
        )
        const unsent = asked.warnings.filter((warning) => /^(?:temperature|topP) was not sent/.test(warning))
        assert.strictEqual(unsent.length, samples ? 0 : 2)
      }
    }))

  it.effect("give out what they thought, if they may have, so that later turns can have it", () =>
    Effect.gen(function*() {
      for (const model of ["gpt-5.2-chat-latest", "gpt-daybreak-blue-latest", "gpt-rosalind-research", "gpt-6.2-sol"]) {
        assert.deepStrictEqual((yield* responses()(model)).body.include, ["reasoning.encrypted_content"])
      }
      for (const model of ["gpt-4o", "gpt-5-chat-latest", "a-new-model"]) {
        assert.notProperty((yield* responses()(model)).body, "include")
      }
    }))

  it.effect("take tools in Chat Completions only as they can, with a word about Responses", () =>
    Effect.gen(function*() {
      for (const model of ["gpt-5.6-sol", "gpt-6-luna"]) {
        const silent = yield* chat()(model, { tools })
        assert.strictEqual(silent.body.reasoning_effort, "none")
        assert.strictEqual(silent.body.temperature, 0)
        assert.match(silent.warnings.join(), /^reasoningEffort was sent as none: .*Responses/)
        assert.strictEqual((yield* chat()(model, { tools, reasoningEffort: "high" })).body.reasoning_effort, "none")
        assert.deepStrictEqual((yield* chat()(model, { tools, reasoningEffort: "none" })).warnings, [])
        assert.strictEqual((yield* chat()(model, { reasoningEffort: "high" })).body.reasoning_effort, "high")
        // A router asks in its own way.
        assert.notProperty((yield* chat()(`openai/${model}`, { tools })).body, "reasoning_effort")
      }
      for (const model of ["gpt-5.2", "gpt-5.4"]) {
        const told = yield* chat()(model, { tools, reasoningEffort: "high" })
        assert.notProperty(told.body, "reasoning_effort")
        assert.match(told.warnings.join(), /^reasoningEffort was not sent: .*Responses/)
        assert.deepStrictEqual((yield* chat()(model, { tools })).warnings, [])
      }
      const { body } = yield* responses()("gpt-5.6-sol", { tools, reasoningEffort: "high" })
      assert.strictEqual(body.reasoning?.effort, "high")
    }))

  it.effect("take the effort max in Responses only", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* chat()("gpt-5.6-sol", { reasoningEffort: "max" })).body.reasoning_effort, "xhigh")
      // Other hosts have efforts of their own.
      assert.strictEqual((yield* chat()("deepseek-v4", { reasoningEffort: "max" })).body.reasoning_effort, "max")
    }))
})

describe("Models of Anthropic", () => {
  it.effect("are forced to call a tool where they can be", () =>
    Effect.gen(function*() {
      const forced = { tools, toolChoice: "required" } as const
      for (
        const model of [
          "claude-haiku-5-5",
          "claude-fable-5",
          "claude-mythos-5",
          "claude-opus-5",
          "claude-fable-5-20260601"
        ]
      ) {
        const { body, warnings } = yield* claude()(model, forced)
        assert.deepStrictEqual(body.tool_choice, { type: "any" }, model)
        assert.deepStrictEqual(warnings, [])
      }
      for (const model of ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-2-20260901"]) {
        assert.deepStrictEqual((yield* claude()(model, forced)).body.tool_choice, { type: "auto" }, model)
      }
    }))

  it.effect("have the same facts under the names of other services", () =>
    Effect.gen(function*() {
      for (
        const model of [
          "claude-opus-4-1",
          "anthropic/claude-opus-4.1",
          "us.anthropic.claude-opus-4-1-20250805-v1:0",
          "claude-opus-4-1@20250805"
        ]
      ) {
        const { body, warnings } = yield* claude()(model, { temperature: 0.5, topP: 0.5 })
        assert.strictEqual(body.temperature, 0.5)
        assert.deepStrictEqual(warnings, [`topP was not sent: ${model} does not take it`])
      }
    }))

  it.effect("take no sampling settings in a version of the protocol that has none", () =>
    Effect.gen(function*() {
      const ask = claude({ version: "2026-10-21" })
      assert.notProperty((yield* ask("claude-haiku-4-5")).body, "temperature")
      const { body, warnings } = yield* ask("claude-haiku-4-5", { temperature: 0.5, topK: 5 })
      assert.notProperty(body, "temperature")
      assert.notProperty(body, "top_k")
      assert.deepStrictEqual(warnings, [
        "temperature was not sent: version 2026-10-21 does not take it",
        "topK was not sent: version 2026-10-21 does not take it"
      ])
    }))

  it.effect("get a limit that they can put out, and room for thoughts if they may have some", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* claude()("claude-3-opus-20240229")).body.max_tokens, 4_096)
      const small = claude({ models: { "claude-*": { maxOutputTokens: 2_000 } } })
      assert.strictEqual((yield* small("claude-haiku-5-5")).body.max_tokens, 2_000)
      assert.strictEqual((yield* claude()("claude-opus-7")).body.max_tokens, 4_096 + 16_384)
    }))
})

describe("Models of Google", () => {
  it.effect("take what they took before under names with a collection", () =>
    Effect.gen(function*() {
      const { body } = yield* gemini()("models/gemini-2.5-flash", { reasoningEffort: "low" })
      const config: unknown = body.generationConfig
      assert.deepStrictEqual(config, {
        temperature: 0,
        thinkingConfig: { thinkingBudget: 1_024, includeThoughts: true }
      })
    }))
})

describe("The option `models`", () => {
  it.effect("puts facts on top of the library's own, one by one", () =>
    Effect.gen(function*() {
      const ask = responses({ models: { "gpt-6-*": { sampling: "always" } } })
      const { body } = yield* ask("gpt-6-astra", { reasoningEffort: "minimal" })
      assert.strictEqual(body.temperature, 0)
      assert.strictEqual(body.reasoning?.effort, "low")
      assert.notProperty((yield* ask("gpt-6.1-sol")).body, "temperature")
    }))

  it.effect("likens a name to a model, and counts the first name that fits", () =>
    Effect.gen(function*() {
      const ask = chat({
        baseUrl: "https://me.openai.azure.com/openai/v1",
        models: { "prod-eu": { like: "o3" }, "prod-*": { like: "gpt-4o", stop: false } }
      })
      const eu = yield* ask("prod-eu", { temperature: 0.5, maxTokens: 9 })
      assert.notProperty(eu.body, "temperature")
      assert.strictEqual(eu.body.max_completion_tokens, 9)
      const us = yield* ask("prod-us", { stop: "." })
      assert.strictEqual(us.body.temperature, 0)
      assert.notProperty(us.body, "stop")
      assert.deepStrictEqual(us.warnings, ["stop was not sent: prod-us does not take it"])
    }))

  it.effect("has facts for every provider", () =>
    Effect.gen(function*() {
      const models = { "nova-*": { sampling: "never", efforts: ["high"] } } as const
      const asked = { reasoningEffort: "low", temperature: 0.5 } as const
      const openai = yield* responses({ models })("nova-9", asked)
      const anthropic = yield* claude({ models })("nova-9", asked)
      const google = yield* gemini({ models })("nova-9", asked)
      const ollama = yield* encoded(Ollama.layer({ models }), {
        model: "m",
        message: { role: "assistant", content: "The Elbe." },
        done: true,
        done_reason: "stop"
      })("nova-9", asked)
      assert.strictEqual(openai.body.reasoning?.effort, "high")
      assert.deepStrictEqual(anthropic.body.thinking, { type: "enabled", budget_tokens: 16_384 })
      assert.strictEqual(google.body.generationConfig?.thinkingConfig?.thinkingLevel, "HIGH")
      assert.strictEqual(ollama.body.think, "high")
      for (const { body, warnings } of [openai, anthropic, google, ollama]) {
        assert.notInclude(JSON.stringify(body), "temperature")
        assert.include(warnings, "temperature was not sent: nova-9 does not take it")
        assert.include(warnings, "reasoningEffort was sent as high: nova-9 does not take low")
      }
    }))

  it.effect("names a mistake when the layer is built", () =>
    Effect.gen(function*() {
      const mistakes: ReadonlyArray<readonly [facts: object, message: string]> = [
        [{ samplin: "never" }, "models[\"m\"].samplin must be a known option, such as models[\"m\"].sampling"],
        [{ sampling: "sometimes" }, "models[\"m\"].sampling must be one of always, withoutReasoning, never"],
        [{ efforts: ["huge"] }, "models[\"m\"].efforts must be a list of minimal, low"],
        [{ maxOutputTokens: 0 }, "models[\"m\"].maxOutputTokens must be an integer of at least 1"]
      ]
      for (const [facts, message] of mistakes) {
        const exit = yield* Effect.exit(Http.provider(OpenAi.layer({ models: { m: facts } }), Http.json({})))
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.include(Cause.pretty(exit.cause), message)
      }
    }))
})

describe("An effort", () => {
  const all = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const
  const efforts = all.filter((effort) => effort !== "none")
  const facts = FastCheck.record({
    efforts: FastCheck.option(FastCheck.subarray(efforts), { nil: undefined }),
    reasoning: FastCheck.constantFrom(
      "always" as const,
      "byDefault" as const,
      "onRequest" as const,
      "never" as const,
      undefined
    )
  })

  it("is rounded to one that the model takes, and as it is if it is one, with a warning if and only if it differs", () => {
    FastCheck.assert(FastCheck.property(facts, FastCheck.constantFrom(...all), (facts, asked) => {
      const { effort, warning } = Facts.roundEffort("m", facts, asked)
      const taken: ReadonlyArray<string> = facts.reasoning === "never" ? [] : [
        ...facts.reasoning === "always" ? [] : ["none"],
        ...facts.efforts ?? efforts
      ]
      if (effort !== undefined) assert.include(taken, effort)
      if (facts.efforts?.length !== 0 && taken.includes(asked)) assert.strictEqual(effort, asked)
      const isNothingLost = effort === asked || (asked === "none" && facts.reasoning === "never")
      assert.strictEqual(warning === undefined, isNothingLost)
      // Never more than was asked for, unless there is no less.
      if (effort !== undefined && all.indexOf(effort) > all.indexOf(asked)) {
        assert.isTrue(
          taken.every((other) =>
            other === "none" ||
            efforts.findIndex((each) => each === other) >= efforts.findIndex((each) => each === effort)
          )
        )
      }
    }))
  })
})
