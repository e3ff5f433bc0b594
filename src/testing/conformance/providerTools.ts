import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as LlmRequest from "../../domain/LlmRequest.js"
import type * as LlmResponse from "../../domain/LlmResponse.js"
import * as Message from "../../domain/Message.js"
import { content } from "./calls.js"
import { answer, type Entry, expect, finished, make, same, streamed, Violation } from "./check.js"

/**
 * A tool that the provider runs, and a prompt for it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderToolUse {
  readonly tool: LlmRequest.ProviderTool
  /** A prompt that makes the model use the tool. Default: one that names the tool, and the address of a page. */
  readonly prompt?: string | undefined
}

const Stored = Schema.parseJson(Schema.Array(Message.Message))

/** A conversation after a trip through JSON, as another process would read it. */
const throughJson = (
  messages: ReadonlyArray<Message.Message>
): Effect.Effect<ReadonlyArray<Message.Message>, Violation> =>
  Effect.mapError(
    Effect.flatMap(Schema.encode(Stored)(messages), Schema.decode(Stored)),
    ({ message }) => new Violation({ expected: "a conversation that JSON can hold", actual: message })
  )

/** The tool's parts of an answer: its calls, results and sources. */
const ofTool = ({ parts }: LlmResponse.LlmResponse): ReadonlyArray<Message.ResponsePart> =>
  parts.filter(({ _tag }) => _tag === "Opaque" || _tag === "Source")

const checksOf = (model: string) => ({ prompt: given, tool }: ProviderToolUse): ReadonlyArray<Entry> => {
  const prompt = given ?? `Use ${tool.name}: how long is the Elbe? A page on it is https://example.com/elbe.`
  const asked: Message.UserMessage = { role: "user", content: [Message.Text.make({ text: prompt })] }
  const input: LlmRequest.Input = { model, messages: [asked], providerTools: [tool] }

  const goesOn = (response: LlmResponse.LlmResponse): ReadonlyArray<Message.Message> => [
    asked,
    response.message,
    { role: "user", content: [Message.Text.make({ text: "Echo: And on." })] }
  ]

  return [
    make(
      `call: its answer has the parts of the provider's ${tool.name}, whole`,
      {},
      (subject) =>
        Effect.gen(function*() {
          const response = yield* answer(subject, input)
          yield* expect(ofTool(response).length > 0, "calls, results or sources", response.parts)
          const partial = response.parts.filter((part) => part._tag === "Opaque" && part.partial === true)
          yield* same("the blocks that were not read whole", partial, [])
        })
    ),

    make(
      `stream: gives the same as call, with the provider's ${tool.name}`,
      { capability: "deterministic" },
      (subject) =>
        Effect.gen(function*() {
          const called = yield* answer(subject, input)
          const response = yield* finished(yield* streamed(subject, input))
          yield* same("the streamed answer", content(response), content(called))
        })
    ),

    make(
      `call: a conversation with the provider's ${tool.name} survives JSON, and continues`,
      {},
      (subject) =>
        Effect.gen(function*() {
          const messages = goesOn(yield* answer(subject, input))
          const stored = yield* throughJson(messages)
          yield* same("the conversation", stored, messages)
          const next = yield* answer(subject, { ...input, messages: stored })
          yield* expect(next.parts.length > 0, "an answer", next.parts)
          const lost = next.warnings.filter((warning) => warning.includes("was not sent"))
          yield* same("the warnings about unsent parts of the conversation", lost, [])
        })
    )
  ]
}

/** The checks of each tool that the provider runs. */
export const providerTools = (model: string, uses: ReadonlyArray<ProviderToolUse>): ReadonlyArray<Entry> =>
  uses.flatMap(checksOf(model))
