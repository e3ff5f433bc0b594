import type * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmProvider from "effect-llm/LlmProvider"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Pricing from "effect-llm/Pricing"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answerIn, batched, batchesOf, failureIn, outcomesOf, requestsOf } from "../support/batches.js"
import { over } from "../support/simulated.js"

// Every provider that has batches, against the simulator, over real HTTP.

const secret = "sk-simulated-0123456789"

const apiKey = Redacted.make(secret)

const makes = {
  OpenAi: {
    model: "gpt-4o-mini",
    make: (url: string) => OpenAi.make({ apiKey, baseUrl: `${url}/v1` })
  },
  OpenAiChat: {
    model: "gpt-4o-mini",
    make: (url: string) => OpenAiChat.make({ apiKey, baseUrl: `${url}/v1`, capabilities: { batches: true } })
  },
  Anthropic: {
    model: "claude-haiku-4-5",
    make: (url: string) => Anthropic.make({ apiKey, baseUrl: url })
  },
  Gemini: {
    model: "gemini-2.5-flash",
    make: (url: string) => Gemini.make({ apiKey, baseUrl: url })
  }
} satisfies Record<string, {
  readonly model: string
  readonly make: (url: string) => Effect.Effect<LlmProvider.Service, never, HttpClient.HttpClient>
}>

/** What an answer of a batch has in common with that of a call. */
const comparable = ({ finishReason, model, parts, provider, usage, warnings }: LlmResponse.LlmResponse) => ({
  finishReason,
  model,
  parts,
  provider,
  usage: { ...usage, serviceTier: undefined },
  warnings
})

/** Faults of single requests: those that manage a batch meet none. */
const ofRequests = (plan: Simulator.FaultPlan): Simulator.FaultPlan => (attempt) =>
  /batches|files/.test(attempt.prompt.protocol) ? Simulator.ok : plan(attempt)

/** Faults of the requests that manage a batch. */
const ofManagement = (plan: Simulator.FaultPlan): Simulator.FaultPlan => (attempt) =>
  /batches|files/.test(attempt.prompt.protocol) ? plan(attempt) : Simulator.ok

/** Whether a request is for a file of results. */
const isOfResults = (text: string): boolean => /\/content$|\/results$|:download$/.test(text)

for (const [name, { make, model }] of Object.entries(makes)) {
  const on = <A, E>(
    options: Simulator.Options,
    test: (
      provider: LlmProvider.Service,
      batches: LlmProvider.Batches,
      simulator: Simulator.Service
    ) => Effect.Effect<A, E, HttpClient.HttpClient | Scope.Scope>
  ) =>
    over(
      options,
      (simulator) => Effect.flatMap(make(simulator.url), (provider) => test(provider, batchesOf(provider), simulator))
    )

  describe(`${name}: batches`, () => {
    it.scopedLive("gives the answers that calls give, at the tier of batches", () =>
      on({ apiKey: secret }, (provider, batches) =>
        Effect.gen(function*() {
          const requests = yield* requestsOf(model, [
            "Echo: one",
            "Echo: two, with “quotes” and ünïcode\n",
            "Name a lake."
          ])
          const { outcomes, state } = yield* batched(batches, requests)
          assert.deepInclude(state, { status: "ended", succeeded: 3, failed: 0 })
          assert.isUndefined(state.error)
          assert.strictEqual(outcomes.size, 3)
          for (const { id, request } of requests) {
            const answer = answerIn(outcomes, id)
            const called = yield* provider.call(request)
            assert.deepStrictEqual(comparable(answer), comparable(called))
            assert.strictEqual(answer.usage.serviceTier, "batch")
            assert.isObject(answer.raw)
          }
        })))

    it.scopedLive("gives tool calls and structured answers, and the warnings of a call", () =>
      on({}, (provider, batches) =>
        Effect.gen(function*() {
          const tools = [{
            name: "weather",
            description: "The weather of a city.",
            parameters: {
              type: "object",
              properties: { city: { type: "string" } },
              required: ["city"],
              additionalProperties: false
            }
          }]
          const requests = yield* requestsOf(model, ["What is the weather in Dresden?"], {
            tools,
            stop: ["never said"],
            seed: 7
          })
          const { outcomes } = yield* batched(batches, requests)
          const [first] = requests
          assert(first !== undefined)
          const called = yield* provider.call(first.request)
          assert.deepStrictEqual(comparable(answerIn(outcomes, "r0")), comparable(called))
          assert.strictEqual(called.finishReason, "tool_calls")
        })))

    it.scopedLive("gives each request the failure that a call has", () => {
      const faults = [
        Simulator.status(429),
        Simulator.quota("credit"),
        Simulator.status(500),
        Simulator.status(529),
        Simulator.status(404),
        Simulator.status(400),
        Simulator.ok
      ]
      const prompts = faults.map((_, index) => `Echo: ${index}`)
      return on({
        faults: ofRequests(({ prompt }) => faults[prompts.indexOf(prompt.text)] ?? Simulator.ok)
      }, (provider, batches) =>
        Effect.gen(function*() {
          const requests = yield* requestsOf(model, prompts)
          const { outcomes, state } = yield* batched(batches, requests)
          assert.deepInclude(state, { status: "ended", succeeded: 1, failed: 6 })
          for (const { id, request } of requests.slice(0, -1)) {
            const error = failureIn(outcomes, id)
            const called = yield* Effect.flip(provider.call(request))
            assert.deepStrictEqual(error.reason, called.reason)
            assert.strictEqual(error.operation, "call")
            assert.strictEqual(error.provider, provider.name)
            assert.strictEqual(error.model, model)
          }
          answerIn(outcomes, "r6")
        }))
    })

    it.scopedLive("reports requests that the service did not get to, and those that were cancelled", () =>
      Effect.gen(function*() {
        const prompts = ["Echo: one", "Echo: two"]
        yield* on({
          faults: ofRequests(({ prompt }) => prompt.text === prompts[1] ? Simulator.silence : Simulator.ok)
        }, (_, batches) =>
          Effect.gen(function*() {
            const requests = yield* requestsOf(model, prompts)
            const { outcomes, state } = yield* batched(batches, requests)
            assert.strictEqual(state.status, "ended")
            assert.isUndefined(state.error)
            assert.strictEqual(answerIn(outcomes, "r0").text, "one")
            const late = failureIn(outcomes, "r1")
            // Gemini has the same words for what it did not come to and what took too long.
            assert.strictEqual(late.reason._tag, name === "Gemini" ? "ServerFailed" : "TimedOut", late.message)
          }))
        yield* on({ batch: "1 hour" }, (_, batches) =>
          Effect.gen(function*() {
            const requests = yield* requestsOf(model, prompts)
            const id = yield* batches.submit({ name: "cancelled", requests })
            assert.strictEqual((yield* batches.state(id)).status, "running")
            const early = yield* Effect.flip(outcomesOf(batches, id, requests))
            assert.deepInclude(early.reason, { _tag: "InvalidRequest", code: "not_ended" })
            yield* batches.cancel(id)
            assert.strictEqual((yield* batches.state(id)).status, "ended")
            const outcomes = yield* outcomesOf(batches, id, requests)
            assert.deepInclude(failureIn(outcomes, "r0").reason, { _tag: "InvalidRequest", code: "cancelled" })
            assert.strictEqual(outcomes.size, 2)
          }))
      }))

    it.scopedLive("costs half of what calls cost", () =>
      on({}, (provider) =>
        Effect.gen(function*() {
          const pricing = yield* Pricing.make({ [provider.name]: { [model]: { input: 2, output: 8 } } })
          const priced = Pricing.makePriced(provider, pricing)
          const requests = yield* requestsOf(model, ["Echo: one"])
          const { outcomes } = yield* batched(batchesOf(priced), requests)
          const [first] = requests
          assert(first !== undefined)
          const called = yield* priced.call(first.request)
          assert(called.cost !== undefined && called.cost > 0)
          assert.strictEqual(answerIn(outcomes, "r0").cost, called.cost / 2)
        })))

    it.scopedLive("reports that there is no such batch", () =>
      on({}, (_, batches) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(batches.state("batch_of_nobody"))
          assert.strictEqual(error.operation, "batch")
          assert.strictEqual(error.status, 404)
        })))

    it.scopedLive(
      "finds a batch by its name, on whatever page it is, where the service keeps names",
      () =>
        on({}, (_, { find, submit }) =>
          Effect.gen(function*() {
            if (find === undefined) return
            const requests = yield* requestsOf(model, ["Echo: one"])
            const first = yield* submit({ name: "the first", requests })
            for (let i = 0; i < 205; i++) yield* submit({ name: `another ${i}`, requests })
            assert.strictEqual(yield* find("the first"), first)
            assert.isUndefined(yield* find("the last"))
          })),
      60_000
    )

    it.scopedLive("fails where the results break off, after all that had come, and reads them again", () => {
      const breaks = [Simulator.cut, Simulator.halfJson, Simulator.status(503), Simulator.html(200)]
      return on({}, (_, batches, simulator) =>
        Effect.gen(function*() {
          // Enough for a file, where the service sends few results with the batch itself.
          const requests = yield* requestsOf(
            model,
            Array.from({ length: 150 }, (_, i) => `Echo: ${i} ${"long ".repeat(200)}`)
          )
          const id = yield* batches.submit({ name: "a batch", requests })
          for (const fault of breaks) {
            let broken = false
            yield* simulator.setFaults(ofManagement(({ prompt }) => {
              if (broken || !isOfResults(prompt.text)) return Simulator.ok
              broken = true
              return fault
            }))
            const read: Array<string> = []
            const error = yield* Effect.flip(
              Stream.runForEach(batches.results(id), (result) => Effect.sync(() => read.push(result.id)))
            )
            assert.isTrue(broken)
            assert.isTrue(error.isRetryable, `${Simulator.describe(fault)}: ${error.message}`)
            assert.strictEqual(error.operation, "batch")
            if (fault === Simulator.cut || fault === Simulator.halfJson) assert.isAbove(read.length, 10)
            const outcomes = yield* outcomesOf(batches, id, requests)
            assert.strictEqual(outcomes.size, requests.length)
          }
        }))
    })

    it.scopedLive("aborts what it waits for when it is interrupted", () =>
      on({}, (_, batches, simulator) =>
        Effect.gen(function*() {
          const requests = yield* requestsOf(model, ["Echo: one"])
          const id = yield* batches.submit({ name: "a batch", requests })
          yield* simulator.setFaults(ofManagement(Simulator.always(Simulator.silence)))
          const began = (yield* simulator.requests).length
          const waits = [
            Effect.asVoid(batches.submit({ name: "a batch", requests })),
            Effect.asVoid(batches.state(id)),
            batches.cancel(id),
            Stream.runDrain(batches.results(id))
          ]
          for (const [index, wait] of waits.entries()) {
            const fiber = yield* Effect.fork(wait)
            yield* simulator.awaitRequests((all) => all.length > began + index)
            yield* Fiber.interrupt(fiber)
            yield* simulator.awaitRequests((all) => all[began + index]?.outcome === "aborted")
          }
        })))

    it.scopedLive("keeps keys and prompts out of the failures of a batch", () =>
      on({ apiKey: "another key" }, (_, batches) =>
        Effect.gen(function*() {
          const requests = yield* requestsOf(model, ["Echo: one"])
          const error = yield* Effect.flip(batches.submit({ name: "a batch", requests }))
          assert.strictEqual(error.reason._tag, "AuthenticationFailed")
          assert.notInclude(JSON.stringify(error), secret)
        })))

    it.scopedLive("measures the bytes of a request, and refuses what cannot be in a batch", () =>
      on({}, (_, batches) =>
        Effect.gen(function*() {
          const [short, long] = yield* requestsOf(model, ["Echo: a", `Echo: ${"é".repeat(1000)}`])
          assert(short !== undefined && long !== undefined)
          const sizes = [yield* batches.size(short), yield* batches.size(long)] as const
          assert.strictEqual(sizes[1] - sizes[0], 1999)
        })))
  })
}
