import { assert } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export const request = { model: "gpt-4o-mini", prompt: "How long are Elbe and Oder?" } as const

/** Runs a test on a client whose provider follows a script to its end. */
export const following = (script: LlmTest.Script, options?: LlmClient.Options, provider?: LlmTest.Options) =>
<A, E>(
  test: Effect.Effect<A, E, LlmClient.LlmClient | LlmTest.LlmTest | LlmTest.Events>
) =>
  test.pipe(
    Effect.zipLeft(LlmTest.assertDone),
    Effect.provide(
      LlmClient.layer(options).pipe(
        Layer.provideMerge(Layer.merge(LlmTest.layer(script, provider), LlmTest.layerLogger)),
        Layer.provide(LlmCache.layerMemory())
      )
    )
  )

export class Drought extends Data.TaggedError("Drought")<{ readonly river: string }> {}

export const lengths: Readonly<Record<string, number>> = { Elbe: 1094, Oder: 840 }

/** A tool that remembers what it was asked. */
export const lengthTool = () => {
  const asked: Array<string> = []
  const tool = LlmTool.make("length", {
    description: "The length of a river in kilometers.",
    parameters: Schema.Struct({ river: Schema.String, unit: Schema.optional(Schema.Literal("km", "mi")) }),
    handler: ({ river }) =>
      Effect.suspend((): Effect.Effect<number, Drought | LlmTool.ToolFailure> => {
        asked.push(river)
        if (river === "Okavango") return new Drought({ river })
        const found = lengths[river]
        return found === undefined ? LlmTool.failure(`no river is called ${river}`) : Effect.succeed(found)
      })
  })
  return { asked, tool }
}

/** A turn that calls `length`, with the ids `call_0`, `call_1` and so on. */
export const callLength = (...rivers: ReadonlyArray<unknown>) =>
  LlmTest.toolCalls(rivers.map((river, i) => ({ name: "length", id: `call_${i}`, arguments: { river } })))

export const toolResult = (id: string, result: unknown, fields: Partial<Message.ToolResult> = {}) =>
  Message.ToolResult.make({ id, name: "length", result, ...fields })

/** A tool that takes as many seconds as its argument says, and notes when it begins and ends. */
export const waitTool = () => {
  const log: Array<string> = []
  const tool = LlmTool.make("wait", {
    parameters: Schema.Struct({ seconds: Schema.Number }),
    handler: ({ seconds }) =>
      Effect.sync(() => log.push(`begin ${seconds}`)).pipe(
        Effect.zipRight(Effect.delay(Effect.sync(() => log.push(`end ${seconds}`)), Duration.seconds(seconds))),
        Effect.as(seconds),
        Effect.onInterrupt(() => Effect.sync(() => log.push(`interrupted ${seconds}`)))
      )
  })
  return { log, tool }
}

/** A turn that calls `wait`. */
export const callWait = (...seconds: ReadonlyArray<number>) =>
  LlmTest.toolCalls(seconds.map((each, i) => ({ name: "wait", id: `wait_${i}`, arguments: { seconds: each } })))

export const reasonOf = (error: unknown): LlmError.Reason =>
  LlmError.isLlmError(error) ? error.reason : assert.fail(`no LlmError: ${String(error)}`)

/** A run as `streamTools` makes it. */
const streamedRun: typeof LlmClient.runTools = (request, tools, options) =>
  Effect.flatMap(
    Stream.runLast(LlmClient.streamTools(request, tools, options)),
    (last) =>
      last._tag === "Some" && "run" in last.value
        ? Effect.succeed(last.value.run)
        : Effect.dieMessage("The stream has ended without a run")
  )

/** The two ways to a run. */
export const ways: ReadonlyArray<readonly [name: "runTools" | "streamTools", run: typeof LlmClient.runTools]> = [
  ["runTools", LlmClient.runTools],
  ["streamTools", streamedRun]
]
