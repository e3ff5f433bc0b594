import * as Data from "effect/Data"
import type * as Message from "../domain/Message.js"

/**
 * A handler's failure that goes to the model, which may then try something else: the model gets `result`, marked as an
 * error. Any other failure of a handler fails the run.
 *
 * @since 0.1.0
 * @category errors
 */
export class ToolFailure extends Data.TaggedError("ToolFailure")<{
  /** The result for the model. */
  readonly result: unknown
}> {}

/**
 * Fails a handler with a result for the model.
 *
 * @since 0.1.0
 * @category errors
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * const lengths: Record<string, number> = { Elbe: 1094, Oder: 840 }
 *
 * const RiverLength = LlmTool.make("river_length", {
 *   parameters: Schema.Struct({ river: Schema.String }),
 *   handler: ({ river }) =>
 *     lengths[river] === undefined
 *       ? LlmTool.failure(`no river is called ${river}`)
 *       : Effect.succeed({ kilometers: lengths[river] })
 * })
 * ```
 */
export const failure = (result: unknown): ToolFailure => new ToolFailure({ result })

/**
 * A handler's result with images and files. `withParts` makes one.
 *
 * @since 0.1.0
 * @category models
 */
export class ResultWithParts extends Data.TaggedClass("ResultWithParts")<{
  /** A string is sent as it is, anything else as JSON. */
  readonly result: unknown
  /** Images, files and texts, in this order behind it. */
  readonly parts: ReadonlyArray<Message.ToolResultPartInput>
}> {}

/**
 * A handler's result with images, files and further texts, which the model gets behind it in this order. An empty string as
 * `result`: they are all of it. `failure` takes it, too. How each provider sends them: `Message.ToolResult`.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { LlmTool } from "effect-llm"
 *
 * declare const takePhotograph: Effect.Effect<Uint8Array>
 *
 * const Photograph = LlmTool.make("photograph", {
 *   description: "Takes a photograph of the river.",
 *   handler: () =>
 *     Effect.map(takePhotograph, (bytes) =>
 *       LlmTool.withParts({ direction: "north" }, [{ _tag: "Image", bytes, mediaType: "image/jpeg" }]))
 * })
 * ```
 */
export const withParts = (result: unknown, parts: ReadonlyArray<Message.ToolResultPartInput>): ResultWithParts =>
  new ResultWithParts({ result, parts })
