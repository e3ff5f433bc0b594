/** What the compiler must infer and refuse. Checked by `tsc`; there is nothing to run. */
import * as CacheKey from "effect-llm/CacheKey"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import type * as StreamPart from "effect-llm/StreamPart"
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { expectTypeOf } from "vitest"

class Other {
  readonly _tag = "Other"
}
interface Clock {
  readonly _: unique symbol
}

declare const call: Effect.Effect<"answer", LlmError.LlmError | Other, Clock>
declare const service: Context.Tag<"Service", string>

// ---------------------------------------------------------------------------------------------------------------------
// LlmError
// ---------------------------------------------------------------------------------------------------------------------

// A handler's answer, failure and requirement are added; LlmError stays, as all other reasons pass.
expectTypeOf(
  call.pipe(LlmError.catchReason("RateLimited", (reason, error) => {
    expectTypeOf(reason.retryAfter).toEqualTypeOf<Duration.Duration | undefined>()
    expectTypeOf(error).toEqualTypeOf<LlmError.LlmError>()
    return Effect.zipRight(service, Effect.fail(1 as const)) as Effect.Effect<"later", 1, "Service">
  }))
).toEqualTypeOf<Effect.Effect<"answer" | "later", LlmError.LlmError | Other | 1, Clock | "Service">>()

expectTypeOf(
  LlmError.catchReason(call, "TimedOut", (reason) => Effect.succeed(reason.phase))
).toEqualTypeOf<
  Effect.Effect<
    "answer" | "queue" | "attempt" | "firstPart" | "idle" | "total",
    LlmError.LlmError | Other,
    Clock
  >
>()

expectTypeOf(
  call.pipe(LlmError.catchReasons({
    ContentFiltered: () => Effect.succeed(1 as const),
    StreamInterrupted: (reason) => Effect.fail(reason.partial.text),
    AllProvidersFailed: (reason) => {
      expectTypeOf(reason.errors).toEqualTypeOf<ReadonlyArray<LlmError.LlmError>>()
      return Effect.zipRight(service, Effect.succeed(2 as const))
    }
  }))
).toEqualTypeOf<Effect.Effect<"answer" | 1 | 2, LlmError.LlmError | Other | string, Clock | "Service">>()

expectTypeOf(
  LlmError.catchReasons(call, { Refused: (_, error) => Effect.succeed(error.attempts) })
).toEqualTypeOf<Effect.Effect<"answer" | number, LlmError.LlmError | Other, Clock>>()

// @ts-expect-error no reason is called so
void LlmError.catchReason(call, "Ratelimited", () => Effect.void)
// @ts-expect-error no reason is called so
void call.pipe(LlmError.catchReason("Ratelimited", () => Effect.void))
// @ts-expect-error no reason is called so, though another is
void LlmError.catchReasons(call, { Refused: () => Effect.void, Ratelimited: () => Effect.void })
// @ts-expect-error no reason is called so, though another is
void call.pipe(LlmError.catchReasons({ Refused: () => Effect.void, Ratelimited: () => Effect.void }))
// @ts-expect-error a handler gives an Effect
void LlmError.catchReasons(call, { Refused: () => 1 })

expectTypeOf<LlmError.ReasonOf<"OutputTruncated">["text"]>().toEqualTypeOf<string>()
expectTypeOf<LlmError.ReasonTag>().toEqualTypeOf<LlmError.Reason["_tag"]>()

// ---------------------------------------------------------------------------------------------------------------------
// LlmRequest
// ---------------------------------------------------------------------------------------------------------------------

const accept = (_: LlmRequest.Input): void => {}

accept({ model: "m", prompt: "p" })
accept({ model: "m", prompt: "p", messages: undefined, temperature: undefined })
accept({ model: "m", messages: [{ role: "user", content: "p" }] })
accept({ model: "m", messages: [{ role: "user", content: [Message.Text.make({ text: "p" })] }], stop: "a" })
// @ts-expect-error neither prompt nor messages
accept({ model: "m" })
// @ts-expect-error prompt and messages
accept({ model: "m", prompt: "p", messages: [{ role: "user", content: "p" }] })
// @ts-expect-error no model
accept({ prompt: "p" })
// @ts-expect-error an unknown field
accept({ model: "m", prompt: "p", temprature: 1 })
// @ts-expect-error an unknown role
accept({ model: "m", messages: [{ role: "robot", content: "p" }] })
// @ts-expect-error the user calls no tools
accept({ model: "m", messages: [{ role: "user", content: [{ _tag: "ToolCall", id: "1", name: "f", arguments: {} }] }] })
declare const request: LlmRequest.LlmRequest
accept(request)

// ---------------------------------------------------------------------------------------------------------------------
// LlmResponse, StreamPart, LlmEvent, CacheKey
// ---------------------------------------------------------------------------------------------------------------------

const response = LlmResponse.make({ parts: [], finishReason: "stop", model: "m", provider: "p" })
expectTypeOf(response).toEqualTypeOf<LlmResponse.LlmResponse>()
expectTypeOf(response.usage.inputTokens).toEqualTypeOf<number | undefined>()
expectTypeOf(response.toolCalls).toEqualTypeOf<ReadonlyArray<Message.ToolCall>>()
// @ts-expect-error the text is what the parts say
LlmResponse.make({ text: "", parts: [], finishReason: "stop", model: "m", provider: "p" })
// @ts-expect-error an unknown finish reason
LlmResponse.make({ parts: [], finishReason: "end_turn", model: "m", provider: "p" })

expectTypeOf<Extract<StreamPart.StreamPart, { _tag: "Finish" }>["response"]>().toEqualTypeOf<LlmResponse.LlmResponse>()
expectTypeOf<LlmEvent.EventOf<"CallFailed">["error"]>().toEqualTypeOf<LlmError.LlmError>()

expectTypeOf(CacheKey.make).parameters.toEqualTypeOf<[LlmRequest.LlmRequest, CacheKey.Scope]>()
expectTypeOf(CacheKey.make).returns.toEqualTypeOf<string>()
