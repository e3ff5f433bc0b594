/** Combinators that take an effect or a stream. Checked by `tsc`; there is nothing to run. */
import * as Budget from "effect-llm/Budget"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as Pricing from "effect-llm/Pricing"
import * as RateLimit from "effect-llm/RateLimit"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { expectTypeOf } from "vitest"

class Other {
  readonly _tag = "Other"
}
interface Clock {
  readonly _: unique symbol
}

declare const effect: Effect.Effect<"answer", LlmError.LlmError | Other, Clock>
declare const stream: Stream.Stream<"part", LlmError.LlmError | Other, Clock>
declare const tag: Context.Tag<"Service", string>

// An effect stays an effect, and a stream a stream, in both forms.
expectTypeOf(effect.pipe(LlmClient.withOptions({ timeout: "1 second" }))).toEqualTypeOf<typeof effect>()
expectTypeOf(stream.pipe(LlmClient.withOptions({ timeout: "1 second" }))).toEqualTypeOf<typeof stream>()
expectTypeOf(LlmClient.withOptions(effect, {})).toEqualTypeOf<typeof effect>()
expectTypeOf(LlmClient.withOptions(stream, {})).toEqualTypeOf<typeof stream>()
expectTypeOf(effect.pipe(RateLimit.withPriority(1))).toEqualTypeOf<typeof effect>()
expectTypeOf(stream.pipe(RateLimit.withPriority(1))).toEqualTypeOf<typeof stream>()
expectTypeOf(RateLimit.withPriority(stream, 1)).toEqualTypeOf<typeof stream>()
expectTypeOf(effect.pipe(Budget.within({ tokens: 1 }))).toEqualTypeOf<typeof effect>()
expectTypeOf(stream.pipe(Budget.within({ tokens: 1 }))).toEqualTypeOf<typeof stream>()

// A budget in dollars needs prices.
expectTypeOf(effect.pipe(Budget.within({ dollars: 1 }))).toEqualTypeOf<
  Effect.Effect<"answer", LlmError.LlmError | Other, Clock | Pricing.Pricing>
>()
expectTypeOf(Budget.within(stream, { dollars: 1 })).toEqualTypeOf<
  Stream.Stream<"part", LlmError.LlmError | Other, Clock | Pricing.Pricing>
>()

// Also where the types are not known yet.
export const generic = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(LlmClient.withOptions({ cache: "bypass" }), RateLimit.withPriority(2), Budget.within({ tokens: 9 }))
export const genericStream = <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  self.pipe(LlmClient.withOptions({ cache: "bypass" }), RateLimit.withPriority(2), Budget.within({ tokens: 9 }))

// The handler of a stream gives a stream, or its last element.
expectTypeOf(
  stream.pipe(LlmError.catchReason("StreamInterrupted", (reason, error) => {
    expectTypeOf(reason.partial.text).toEqualTypeOf<string>()
    expectTypeOf(error).toEqualTypeOf<LlmError.LlmError>()
    return Stream.fromEffect(Effect.zipRight(tag, Effect.fail(1 as const)))
  }))
).toEqualTypeOf<Stream.Stream<"part", LlmError.LlmError | Other | 1, Clock | "Service">>()
expectTypeOf(
  LlmError.catchReason(stream, "Refused", () => Effect.succeed("refused" as const))
).toEqualTypeOf<Stream.Stream<"part" | "refused", LlmError.LlmError | Other, Clock>>()
expectTypeOf(
  stream.pipe(LlmError.catchReasons({
    Refused: () => Effect.succeed(1 as const),
    TimedOut: () => Stream.fail("late" as const)
  }))
).toEqualTypeOf<Stream.Stream<"part" | 1, LlmError.LlmError | Other | "late", Clock>>()

// The handler of an effect gives an effect.
expectTypeOf(
  effect.pipe(LlmError.catchReason("Refused", () => Stream.make(1)))
).toEqualTypeOf<"The handler of an effect gives an effect, and not a stream">()

// @ts-expect-error no reason is called so
void LlmError.catchReason(stream, "Ratelimited", () => Effect.void)
// @ts-expect-error neither an effect nor a stream
void LlmClient.withOptions(1, {})

expectTypeOf<LlmClient.Service["streamText"]>().returns.toEqualTypeOf<Stream.Stream<string, LlmError.LlmError>>()

// Reasons are types, and take durations in any form.
expectTypeOf(LlmError.RateLimited.make({ retryAfter: "7 seconds" })).toEqualTypeOf<LlmError.RateLimited>()
expectTypeOf<LlmError.RateLimited["retryAfter"]>().toEqualTypeOf<Duration.Duration | undefined>()
void LlmError.RateLimited.make({})
void LlmError.RateLimited.make()
void LlmError.CircuitOpen.make({ retryAfter: 500 })
void LlmError.TimedOut.make({ phase: "attempt", limit: "1 second" })
// @ts-expect-error a reason that has to be known
void LlmError.CircuitOpen.make({})
// @ts-expect-error no such unit
void LlmError.RateLimited.make({ retryAfter: "7 moons" })

expectTypeOf(LlmError.fail({ _tag: "Overloaded", retryAfter: "1 minute" })).toEqualTypeOf<
  Effect.Effect<never, LlmError.LlmError>
>()
void LlmError.fail(LlmError.RateLimited.make({ retryAfter: "7 seconds" }), { status: 429, attempts: 0 })
void LlmError.fail({ _tag: "AllProvidersFailed", errors: [] })
// @ts-expect-error no such reason
void LlmError.fail({ _tag: "Overload" })
// @ts-expect-error its issues are missing
void LlmError.fail({ _tag: "OutputInvalid", text: "" })
// @ts-expect-error the reason is the first argument
void LlmError.fail({ _tag: "Overloaded" }, { reason: { _tag: "Overloaded" } })
