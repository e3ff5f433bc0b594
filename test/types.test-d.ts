/** What the compiler must infer and refuse. Checked by `tsc`; there is nothing to run. */
import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import * as CacheKey from "effect-llm/CacheKey"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmEvent from "effect-llm/LlmEvent"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as StandardSchema from "effect-llm/StandardSchema"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import * as v from "valibot"
import { expectTypeOf } from "vitest"
import * as z from "zod"

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
// Conversations
// ---------------------------------------------------------------------------------------------------------------------

declare const answered: LlmResponse.LlmResponse
declare const ran: LlmClient.ToolRun<{ readonly a: 1 } | undefined>

const conversation: Array<Message.Input> = [{ role: "user", content: "Name a river." }]
conversation.push(answered.message, { role: "user", content: [Message.Text.make({ text: "Another." })] })
conversation.push(answered.message, Message.toolResults(answered.toolCalls.map(({ id }) => ({ id, result: 1 }))))
for (const message of ran.messages) conversation.push(message)
expectTypeOf<Array<Message.Input>>().toEqualTypeOf<typeof conversation>()
accept({ model: "m", messages: conversation })
accept({ model: "m", messages: [...ran.messages, { role: "user", content: "Another." }] })
expectTypeOf(Message.toolResults([Message.ToolResult.make({ id: "1", result: [1], isError: true })])).toEqualTypeOf<
  Message.ToolMessage
>()
// @ts-expect-error a result belongs to a call
Message.toolResults([{ result: 1 }])
// @ts-expect-error a message has content
conversation.push({ role: "user" })

const Conversation = Schema.parseJson(Schema.Array(Message.Message))
expectTypeOf(Schema.decodeSync(Conversation)("[]")).toEqualTypeOf<ReadonlyArray<Message.Message>>()
expectTypeOf(Schema.encodeSync(Conversation)).parameter(0).toEqualTypeOf<ReadonlyArray<Message.Message>>()
Schema.encodeSync(Conversation)(ran.messages)

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

// ---------------------------------------------------------------------------------------------------------------------
// LlmTool
// ---------------------------------------------------------------------------------------------------------------------

class NotFound {
  readonly _tag = "NotFound"
}
declare const lookUp: (river: string) => Effect.Effect<number, NotFound, Clock>
declare const toFail: (river: string) => Effect.Effect<number, NotFound | LlmTool.ToolFailure>

const Length = LlmTool.make("length", {
  parameters: Schema.Struct({ river: Schema.String, at: Schema.optional(Schema.Date) }),
  handler: (args, call) => {
    expectTypeOf(args).toEqualTypeOf<{ readonly river: string; readonly at?: Date | undefined }>()
    expectTypeOf(call).toEqualTypeOf<Message.ToolCall>()
    return lookUp(args.river)
  }
})
const Now = LlmTool.make("now")
const Depth = LlmTool.make("depth", { parameters: z.object({ river: z.string() }) })

expectTypeOf(Length.name).toEqualTypeOf<"length">()
expectTypeOf(Length.parameters.fields.river).toEqualTypeOf<typeof Schema.String>()

const HandledDepth = Depth.pipe(LlmTool.handle(({ river }) => {
  expectTypeOf(river).toEqualTypeOf<string>()
  return toFail(river)
}))
const HandledNow = LlmTool.handle(Now, () => Effect.succeed("noon"))

// Failures and requirements of all handlers; a ToolFailure is the model's business.
expectTypeOf(LlmClient.runTools({ model: "m", prompt: "p" }, [Length, HandledDepth, HandledNow])).toEqualTypeOf<
  Effect.Effect<LlmClient.ToolRun, LlmError.LlmError | NotFound, LlmClient.LlmClient | Clock>
>()
expectTypeOf(LlmClient.runTools({ model: "m", prompt: "p" }, [HandledNow], { maxSteps: 2 })).toEqualTypeOf<
  Effect.Effect<LlmClient.ToolRun, LlmError.LlmError, LlmClient.LlmClient>
>()
// @ts-expect-error nothing runs it
void LlmClient.runTools({ model: "m", prompt: "p" }, [Now])

// Streamed: the same parts, failures and requirements, and one more end.
const streamedRun = LlmClient.streamTools({ model: "m", prompt: "p" }, [Length, HandledDepth])
expectTypeOf(streamedRun).toEqualTypeOf<
  Stream.Stream<LlmClient.ToolPart, LlmError.LlmError | NotFound, LlmClient.LlmClient | Clock>
>()
declare const part: LlmClient.ToolPart<"value">
if (part._tag === "Finish") {
  if ("run" in part) expectTypeOf(part.run).toEqualTypeOf<LlmClient.ToolRun<"value">>()
  else expectTypeOf(part.response).toEqualTypeOf<LlmResponse.LlmResponse>()
}
if (part._tag === "ToolResult") expectTypeOf(part).toEqualTypeOf<Message.ToolResult>()

// The options of a run add their value, failures and requirements; each option has its own.
class Terminal extends Context.Tag("Terminal")<Terminal, (question: string) => Effect.Effect<boolean, "closed">>() {}
declare const Value: Schema.Schema<Date, string, Other>
const approved = LlmClient.runTools({ model: "m", prompt: "p" }, [Length, HandledNow], {
  output: Value,
  approve: (call) => {
    if (call.name === "length") expectTypeOf(call.arguments.at).toEqualTypeOf<Date | undefined>()
    expectTypeOf(call.name).toEqualTypeOf<"length" | "now">()
    return Effect.flatMap(
      Terminal,
      (ask) => Effect.map(ask(call.id), (yes) => yes ? LlmTool.approved : LlmTool.pending)
    )
  },
  prepareStep: ({ messages, step, steps }) => {
    expectTypeOf(step).toEqualTypeOf<number>()
    expectTypeOf(messages).toEqualTypeOf<ReadonlyArray<Message.Message>>()
    expectTypeOf(steps).toEqualTypeOf<ReadonlyArray<LlmClient.ToolStep>>()
    return Effect.as(toFail("Elbe"), { temperature: 1 })
  },
  stopWhen: [(steps) => steps.length > 2]
})
expectTypeOf(approved).toEqualTypeOf<
  Effect.Effect<
    LlmClient.ToolRun<Date | undefined>,
    LlmError.LlmError | NotFound | "closed" | LlmTool.ToolFailure,
    LlmClient.LlmClient | Clock | Other | Terminal
  >
>()
expectTypeOf(
  Effect.map(
    LlmClient.runTools({ model: "m", prompt: "p" }, [], { output: z.object({ a: z.string() }) }),
    (run) => run.value?.a
  )
).toEqualTypeOf<Effect.Effect<string | undefined, LlmError.LlmError, LlmClient.LlmClient>>()
// @ts-expect-error no option is called so
void LlmClient.runTools({ model: "m", prompt: "p" }, [HandledNow], { maxStep: 2 })
// @ts-expect-error a decision is no boolean
void LlmClient.runTools({ model: "m", prompt: "p" }, [HandledNow], { approve: () => Effect.succeed(true) })
// @ts-expect-error tools are given beside the request
void LlmClient.streamTools({ model: "m", prompt: "p" }, [HandledNow], { prepareStep: () => ({ tools: [Now] }) })
LlmTool.make("f", {
  parameters: Schema.Struct({ a: Schema.Number }),
  // @ts-expect-error its arguments are others
  handler: ({ b }) => Effect.succeed(b)
})

declare const one: Schema.Schema<1, 1, Other>
const Measured = LlmTool.make("measured", { parameters: Schema.Struct({ by: one }) })
const calls = Effect.flatMap(LlmClient.toolkit([Length, Now, Depth, Measured]), ({ toolCalls }) => toolCalls(response))
expectTypeOf(calls).toEqualTypeOf<
  Effect.Effect<
    ReadonlyArray<
      | { readonly id: string; readonly name: "length"; readonly arguments: typeof Length.parameters.Type }
      | { readonly id: string; readonly name: "now"; readonly arguments: typeof Now.parameters.Type }
      | { readonly id: string; readonly name: "depth"; readonly arguments: { river: string } }
      | { readonly id: string; readonly name: "measured"; readonly arguments: { readonly by: 1 } }
    >,
    LlmError.LlmError,
    LlmClient.LlmClient | Clock | Other
  >
>()

// ---------------------------------------------------------------------------------------------------------------------
// StandardSchema
// ---------------------------------------------------------------------------------------------------------------------

const asked = { model: "m", prompt: "p" } as const
declare const someone: Schema.Schema<Date, string, Clock>

expectTypeOf(LlmClient.object(someone, asked)).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<Date>, LlmError.LlmError, LlmClient.LlmClient | Clock>
>()
expectTypeOf(LlmClient.object(z.object({ a: z.string().transform(Number) }), asked)).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<{ a: number }>, LlmError.LlmError, LlmClient.LlmClient>
>()
expectTypeOf(LlmClient.object(type({ a: "string", "b?": "number" }), asked)).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<{ a: string; b?: number }>, LlmError.LlmError, LlmClient.LlmClient>
>()
expectTypeOf(LlmClient.object(toStandardJsonSchema(v.object({ a: v.string() })), asked)).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<{ a: string }>, LlmError.LlmError, LlmClient.LlmClient>
>()
expectTypeOf(LlmClient.object(Schema.standardSchemaV1(Schema.Struct({ a: Schema.String })), asked)).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<{ readonly a: string }>, LlmError.LlmError, LlmClient.LlmClient>
>()
// @ts-expect-error Valibot's own schemas do not tell their JSON Schema
void LlmClient.object(v.object({ a: v.string() }), asked)
// @ts-expect-error nor do they here
StandardSchema.from(v.object({ a: v.string() }))
expectTypeOf(StandardSchema.from(v.object({ a: v.string() }), { jsonSchema: {} })).toEqualTypeOf<
  Schema.Schema<{ a: string }, unknown>
>()
/** A schema that comes as a parameter. */
export const generic = <A, I, R>(schema: Schema.Schema<A, I, R>) => {
  const result = LlmClient.object(schema, asked)
  expectTypeOf(result).toEqualTypeOf<
    Effect.Effect<LlmClient.ObjectResponse<A>, LlmError.LlmError, LlmClient.LlmClient | R>
  >()
}

// ---------------------------------------------------------------------------------------------------------------------
// Values, whole and as they come
// ---------------------------------------------------------------------------------------------------------------------

class Units extends Context.Tag("Units")<Units, number>() {}

const River = Schema.Struct({
  name: Schema.String,
  length: Schema.NumberFromString,
  mouth: Schema.optional(Schema.Struct({ name: Schema.String, country: Schema.NullOr(Schema.String) })),
  towns: Schema.Array(Schema.Struct({ name: Schema.String })),
  kind: Schema.Literal("stream", "river")
})

expectTypeOf(LlmClient.object(River, { model: "m", prompt: "p" })).toEqualTypeOf<
  Effect.Effect<LlmClient.ObjectResponse<typeof River.Type>, LlmError.LlmError, LlmClient.LlmClient>
>()

declare const WithUnits: Schema.Schema<typeof River.Type, typeof River.Encoded, Units>

const streamed = LlmClient.streamObject(WithUnits, { model: "m", prompt: "p" }, { mode: "tool", name: "river" })
expectTypeOf(streamed).toEqualTypeOf<
  Stream.Stream<
    LlmClient.ObjectPart<typeof River.Type, typeof River.Encoded>,
    LlmError.LlmError,
    LlmClient.LlmClient | Units
  >
>()

type Part<Tag> = Extract<Stream.Stream.Success<typeof streamed>, { readonly _tag: Tag }>
expectTypeOf<Part<"Finish">["value"]>().toEqualTypeOf<typeof River.Type>()
expectTypeOf<Part<"Finish">["response"]>().toEqualTypeOf<LlmResponse.LlmResponse>()
// In the form that the schema decodes from, with elements that are whole.
expectTypeOf<Part<"Partial">["value"]>().toEqualTypeOf<{
  readonly name?: string
  readonly length?: string
  readonly mouth?: { readonly name?: string; readonly country?: string | null } | undefined
  readonly towns?: ReadonlyArray<{ readonly name: string }>
  readonly kind?: "stream" | "river"
}>()

expectTypeOf<LlmClient.DeepPartial<ReadonlyArray<{ readonly a: string }>>>()
  .toEqualTypeOf<ReadonlyArray<{ readonly a: string }>>()
expectTypeOf<LlmClient.DeepPartial<readonly [string, number]>>().toEqualTypeOf<readonly [string?, number?]>()
expectTypeOf<LlmClient.DeepPartial<string>>().toEqualTypeOf<string>()
expectTypeOf<LlmClient.DeepPartial<unknown>>().toEqualTypeOf<unknown>()
expectTypeOf<LlmClient.DeepPartial<{ readonly [key: string]: number }>>()
  .toEqualTypeOf<{ readonly [key: string]: number | undefined }>()

// @ts-expect-error nobody asks again for a value that was shown
void LlmClient.streamObject(WithUnits, { model: "m", prompt: "p" }, { reask: 1 })
// @ts-expect-error an unknown mode
void LlmClient.object(WithUnits, { model: "m", prompt: "p" }, { mode: "grammar" })
