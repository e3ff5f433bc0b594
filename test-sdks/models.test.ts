import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
// @ts-expect-error A script has no types.
import * as Script from "../scripts/check-models.mjs"
import * as AnthropicModels from "../src/providers/anthropic/models.js"
import * as GeminiModels from "../src/providers/gemini/models.js"
import { find, type ModelFacts } from "../src/providers/modelFacts.js"
import * as OpenAiModels from "../src/providers/openai/models.js"
import * as Http from "../test/support/fakeHttp.js"

// The models that the newest SDKs name: the data has each of them, and no request has a setting that its model refuses.

type Body = { readonly [field: string]: unknown }

const modelsOf = (provider: string): ReadonlyArray<string> => Script.modelsOf(provider).names

const at = (value: unknown, ...path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Body | undefined)?.[key], value)

/** What is sent for a request. The answer does not matter. */
const bodyOf = (layer: Parameters<typeof Http.provider>[0], request: LlmRequest.Input): Effect.Effect<Body> =>
  Effect.gen(function*() {
    const { call, sent } = yield* Http.provider(layer, Http.json({}))
    yield* Effect.exit(call(request))
    assert.strictEqual(sent.length, 1)
    return sent[0]!.body
  })

const prompt = "Name a river."
const tools = [{ name: "look_up", parameters: { type: "object" } }]

/** Requests with nothing, and with all that a model may refuse. */
const requests: ReadonlyArray<Omit<LlmRequest.PromptInput, "model">> = [
  { prompt },
  { prompt, tools },
  { prompt, temperature: 0.3, topP: 0.5, topK: 5, stop: ["."] },
  { prompt, tools, toolChoice: "required", temperature: 0.3 },
  ...(["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const).flatMap((reasoningEffort) => [
    { prompt, reasoningEffort, temperature: 0.3, maxTokens: 50_000 },
    { prompt, reasoningEffort, tools }
  ])
]

const anyEffort = ["minimal", "low", "medium", "high", "xhigh", "max"] as const

const takenEfforts = ({ efforts = anyEffort, reasoning }: ModelFacts): ReadonlyArray<string> =>
  reasoning === "never" ? [] : [...efforts, ...reasoning === "always" ? [] : ["none"]]

/** Whether a model reasons at the effort that was sent for it. */
const isReasoning = ({ reasoning }: ModelFacts, effort: unknown): boolean =>
  reasoning === "always" ||
  (effort === undefined ? reasoning === "byDefault" : effort !== "none" && reasoning !== "never")

/** The settings of a body that its model refuses. */
const refused = (
  facts: ModelFacts,
  sent: { readonly effort: unknown; readonly reasons: boolean; readonly sampling: ReadonlyArray<unknown> }
): ReadonlyArray<string> => [
  ...sent.effort !== undefined && !takenEfforts(facts).includes(String(sent.effort)) ? [`effort ${sent.effort}`] : [],
  ...(facts.sampling === "never" || (facts.sampling === "withoutReasoning" && sent.reasons)) &&
      sent.sampling.some((value) => value !== undefined)
    ? ["sampling"]
    : []
]

const none: ReadonlyArray<string> = []

describe("The models of the SDKs", () => {
  it("are all in the data, one by one", () => {
    const data = { openai: OpenAiModels, anthropic: AnthropicModels, gemini: GeminiModels }
    for (const [provider, { models, nameOf }] of Object.entries(data)) {
      const search = find(models, nameOf)
      assert.deepStrictEqual(modelsOf(provider).filter((model) => search(model) === undefined), [])
      assert.isAbove(modelsOf(provider).length, 20)
    }
  })

  it.effect("get from Responses no setting that they refuse", () =>
    Effect.forEach(
      modelsOf("openai"),
      (model) =>
        Effect.forEach(requests, (request) =>
          Effect.map(bodyOf(OpenAi.layer({}), { model, ...request }), (body) => {
            const facts = OpenAiModels.known(model)!
            const effort = at(body, "reasoning", "effort")
            const sent = { effort, reasons: isReasoning(facts, effort), sampling: [body.temperature, body.top_p] }
            assert.deepStrictEqual(refused(facts, sent), none, `${model} ${JSON.stringify(request)}`)
          }))
    ))

  it.effect("get from Chat Completions no setting that they refuse", () =>
    Effect.forEach(
      modelsOf("openai"),
      (model) =>
        Effect.forEach(requests, (request) =>
          Effect.map(bodyOf(OpenAiChat.layer({}), { model, ...request }), (body) => {
            const facts = OpenAiModels.known(model)!
            const effort = body.reasoning_effort
            const sent = { effort, reasons: isReasoning(facts, effort), sampling: [body.temperature, body.top_p] }
            const what = `${model} ${JSON.stringify(request)}`
            assert.deepStrictEqual(refused(facts, sent), none, what)
            // A model whose efforts are not known gets what the program asks for.
            if (facts.efforts !== undefined) assert.notStrictEqual(effort, "max", what)
            if (facts.stop === false) {
              assert.notProperty(body, "stop", what)
            }
            if (facts.reasoning !== "never") assert.notProperty(body, "max_tokens", what)
            if (request.tools !== undefined && facts.chatTools !== undefined) {
              assert.strictEqual(effort, facts.chatTools === "withoutReasoning" ? "none" : undefined, what)
            }
          }))
    ))

  it.effect("get from Messages no setting that they refuse", () =>
    Effect.forEach(
      modelsOf("anthropic"),
      (model) =>
        Effect.forEach(requests, (request) =>
          Effect.map(bodyOf(Anthropic.layer({}), { model, ...request }), (body) => {
            const facts = AnthropicModels.known(model)!
            const thinking = at(body, "thinking", "type")
            const reasons = thinking === undefined ? isReasoning(facts, undefined) : thinking !== "disabled"
            const sent = {
              effort: at(body, "output_config", "effort"),
              reasons,
              sampling: [body.temperature, body.top_p, body.top_k]
            }
            const what = `${model} ${JSON.stringify(request)}`
            assert.deepStrictEqual(refused(facts, sent), none, what)
            if (facts.reasoning === "always") assert.notStrictEqual(thinking, "disabled", what)
            if (facts.reasoningControl === "effort") assert.notStrictEqual(thinking, "enabled", what)
            if (facts.reasoningControl === "budget") assert.notStrictEqual(thinking, "adaptive", what)
            if (facts.forcedTools === false) assert.notStrictEqual(at(body, "tool_choice", "type"), "any", what)
            if (request.maxTokens === undefined) assert.isAtMost(Number(body.max_tokens), facts.maxOutputTokens!, what)
          }))
    ))

  it.effect("get from Gemini no setting that they refuse", () =>
    Effect.forEach(
      modelsOf("gemini"),
      (model) =>
        Effect.forEach(requests, (request) =>
          Effect.map(bodyOf(Gemini.layer({}), { model, ...request }), (body) => {
            const facts = GeminiModels.known(model)!
            const config = at(body, "generationConfig", "thinkingConfig")
            const level = at(config, "thinkingLevel")
            const budget = at(config, "thinkingBudget")
            const what = `${model} ${JSON.stringify(request)}`
            if (facts.efforts?.length === 0) assert.isUndefined(config, what)
            if (level !== undefined) assert.include(takenEfforts(facts), String(level).toLowerCase(), what)
            if (budget !== undefined) {
              const [least, most] = facts.reasoningBudget ?? [0, 24_576]
              assert.isAtLeast(Number(budget), least, what)
              assert.isAtMost(Number(budget), most, what)
            }
          }))
    ))
})
