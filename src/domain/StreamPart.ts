/**
 * The parts of a streamed answer: deltas as they arrive, sources and opaque blocks as soon as they are whole, then exactly one `Finish` with the whole response.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { LlmResponse } from "./LlmResponse.js"
import type * as Message from "./Message.js"

/**
 * More of the answer's text.
 *
 * @since 0.1.0
 * @category models
 */
export interface TextDelta {
  readonly _tag: "TextDelta"
  readonly text: string
}

/**
 * More of the model's thoughts.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReasoningDelta {
  readonly _tag: "ReasoningDelta"
  readonly text: string
}

/**
 * The model starts a tool call.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCallStart {
  readonly _tag: "ToolCallStart"
  /** The id of the call, which its later parts and its result carry. */
  readonly id: string
  /** The name of the tool. */
  readonly name: string
}

/**
 * More of a call's arguments.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCallDelta {
  readonly _tag: "ToolCallDelta"
  readonly id: string
  /** A piece of the arguments' JSON text. */
  readonly delta: string
}

/**
 * The tool call is complete.
 *
 * @since 0.1.0
 * @category models
 */
export interface ToolCallEnd {
  readonly _tag: "ToolCallEnd"
  readonly id: string
  readonly name: string
  /** The parsed JSON of the arguments. */
  readonly arguments: unknown
}

/**
 * The end of the answer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Finish {
  readonly _tag: "Finish"
  /** The whole answer. */
  readonly response: LlmResponse
}

/**
 * One part of a streamed answer. `Source` and `Opaque` are those of `Message`.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamPart =
  | TextDelta
  | ReasoningDelta
  | ToolCallStart
  | ToolCallDelta
  | ToolCallEnd
  | Message.Source
  | Message.Opaque
  | Finish

const constructors = Data.taggedEnum<StreamPart>()

/**
 * More of the answer's text.
 *
 * @since 0.1.0
 * @category constructors
 */
export const TextDelta: Data.Case.Constructor<TextDelta, "_tag"> = constructors.TextDelta

/**
 * More of the model's thoughts.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ReasoningDelta: Data.Case.Constructor<ReasoningDelta, "_tag"> = constructors.ReasoningDelta

/**
 * The model starts a tool call.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallStart: Data.Case.Constructor<ToolCallStart, "_tag"> = constructors.ToolCallStart

/**
 * More of a call's arguments.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallDelta: Data.Case.Constructor<ToolCallDelta, "_tag"> = constructors.ToolCallDelta

/**
 * The tool call is complete.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallEnd: Data.Case.Constructor<ToolCallEnd, "_tag"> = constructors.ToolCallEnd

/**
 * The end of the answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const Finish: Data.Case.Constructor<Finish, "_tag"> = constructors.Finish

/**
 * Whether a value is a part with the given tag.
 *
 * @since 0.1.0
 * @category refinements
 */
export const is = constructors.$is

/**
 * The stream parts of a complete answer: each piece of content whole, then `Finish`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromResponse = (response: LlmResponse): ReadonlyArray<StreamPart> => {
  const parts: Array<StreamPart> = []
  for (const part of response.parts) {
    switch (part._tag) {
      case "Text":
        parts.push(TextDelta({ text: part.text }))
        break
      case "Reasoning":
        if (part.text !== undefined) parts.push(ReasoningDelta({ text: part.text }))
        break
      case "ToolCall":
        parts.push(ToolCallStart({ id: part.id, name: part.name }))
        if (part.incomplete === true) {
          parts.push(ToolCallDelta({ id: part.id, delta: String(part.arguments) }))
        } else {
          parts.push(
            ToolCallDelta({ id: part.id, delta: JSON.stringify(part.arguments) ?? "" }),
            ToolCallEnd({ id: part.id, name: part.name, arguments: part.arguments })
          )
        }
        break
      case "Source":
      case "Opaque":
        parts.push(part)
        break
      case "Refusal":
    }
  }
  parts.push(Finish({ response }))
  return parts
}
