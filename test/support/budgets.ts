import * as Budget from "effect-llm/Budget"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Pricing from "effect-llm/Pricing"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { respond } from "./samples.js"
import { countOf } from "./targets.js"
import { within } from "./testClock.js"

/** 50 tokens are reserved for it: 10 of input, as all tests estimate it, and 40 of output. */
export const request = { model: "gpt-4o-mini", prompt: "Name three rivers.", maxTokens: 40 } as const

export const reserved = 50

export const estimateInput = () => 10

export const used = (inputTokens: number, outputTokens: number): LlmResponse.LlmResponse =>
  respond("Elbe", { provider: "test", model: "gpt-4o-mini", usage: { inputTokens, outputTokens } })

/** $1 for a token of input, $2 for one of output. */
export const pricing = Pricing.layerPrices({ test: { "gpt-4o-mini": { input: 1e6, output: 2e6 } } })

/** A scripted provider behind a limit, the count of its requests, and a view of its spending. */
export const limited = Effect.fnUntraced(function*(
  options: Omit<Budget.Options, "scope">,
  answer: LlmTest.Answer | LlmTest.Step
) {
  const inner = yield* LlmTest.make([LlmTest.repeat(answer)])
  const context = yield* Layer.build(Layer.merge(Budget.layerMemory, pricing))
  const { call, stream } = yield* Effect.provide(
    Budget.make(inner.provider, { scope: "all", estimateInput, ...options }),
    context
  )
  const decoded = yield* Effect.orDie(LlmRequest.decode(request))
  const spent = (key?: string) => Effect.provide(Budget.spent("all", key), context)
  return {
    call: call(decoded),
    context,
    count: countOf(inner),
    decoded,
    load: inner.load,
    provider: { ...inner.provider, call, stream },
    spent,
    stream
  }
})

export const tokens = ({ reserved, tokens }: Budget.Spent) => ({ spent: tokens, reserved: reserved.tokens })

export const nothing = { spent: 0, reserved: 0 }

export const charged = (spent: number) => ({ spent, reserved: 0 })

export const partialUsage = ({ reason }: LlmError.LlmError): LlmResponse.Usage =>
  reason._tag === "StreamInterrupted" ? reason.partial.usage ?? {} : {}

/** A client on a provider, with everything that it reports. */
export const clientOn = <A, R>(
  provider: Layer.Layer<LlmProvider.LlmProvider | A, never, R>,
  cache: Layer.Layer<LlmCache.LlmCache> = LlmCache.layerNone
) => LlmClient.layer().pipe(Layer.provide(cache), Layer.provideMerge(provider), Layer.provideMerge(LlmTest.layerLogger))

export const ended = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(within("10 seconds")(self), (exit) => exit)

export const reasonOf = <A, R>(self: Effect.Effect<A, LlmError.LlmError, R>) =>
  Effect.map(Effect.flip(self), ({ reason }) => reason)

export const messageOf = <A, R>(self: Effect.Effect<A, LlmError.LlmError, R>) =>
  Effect.map(reasonOf(self), (reason) => reason._tag === "BudgetExceeded" ? reason.message : reason)
