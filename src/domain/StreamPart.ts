/**
 * What a streamed answer is made of: deltas as they come, then exactly one `Finish` that carries the whole response.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { LlmResponse } from "./LlmResponse.js"

/**
 * One part of a streamed answer.
 *
 * @since 0.1.0
 * @category models
 */
export type StreamPart = Data.TaggedEnum<{
  /** More of the answer's text. */
  TextDelta: { readonly text: string }
  /** More of what the model thinks. */
  ReasoningDelta: { readonly text: string }
  /** The model begins to ask for a tool. */
  ToolCallStart: { readonly id: string; readonly name: string }
  /** More of the call's arguments, as JSON text. */
  ToolCallDelta: { readonly id: string; readonly delta: string }
  /** The call is whole: its arguments, parsed. */
  ToolCallEnd: { readonly id: string; readonly name: string; readonly arguments: unknown }
  /** The end of the answer, and all of it. */
  Finish: { readonly response: LlmResponse }
}>

const constructors = Data.taggedEnum<StreamPart>()

/**
 * @since 0.1.0
 * @category constructors
 */
export const TextDelta = constructors.TextDelta

/**
 * @since 0.1.0
 * @category constructors
 */
export const ReasoningDelta = constructors.ReasoningDelta

/**
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallStart = constructors.ToolCallStart

/**
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallDelta = constructors.ToolCallDelta

/**
 * @since 0.1.0
 * @category constructors
 */
export const ToolCallEnd = constructors.ToolCallEnd

/**
 * @since 0.1.0
 * @category constructors
 */
export const Finish = constructors.Finish

/**
 * Whether a value is a part with the given tag.
 *
 * @since 0.1.0
 * @category refinements
 */
export const is = constructors.$is

/**
 * The parts that a finished answer would have streamed: each piece of content whole, then `Finish`.
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
      case "Refusal":
    }
  }
  parts.push(Finish({ response }))
  return parts
}
