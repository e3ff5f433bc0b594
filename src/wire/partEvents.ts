import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { LlmError, MalformedResponse } from "../domain/LlmError.js"
import { LlmResponse } from "../domain/LlmResponse.js"
import * as StreamPart from "../domain/StreamPart.js"
import { decodeUnknownEither } from "../internal/schemaIssue.js"
import type { Frame } from "./frame.js"

// The parts of a stream as server-sent events, and its failure as the last of them. Each event has an id and, in its data,
// the JSON of a part or of an `LlmError`; they have no names, so that a browser's `onmessage` gets all.

/** A part of a stream, or its failure. */
export type Content = StreamPart.StreamPart | LlmError

const Content = Schema.Union(
  Schema.TaggedStruct("TextDelta", { text: Schema.String }),
  Schema.TaggedStruct("ReasoningDelta", { text: Schema.String }),
  Schema.TaggedStruct("ToolCallStart", { id: Schema.String, name: Schema.String }),
  Schema.TaggedStruct("ToolCallDelta", { id: Schema.String, delta: Schema.String }),
  Schema.TaggedStruct("ToolCallEnd", { id: Schema.String, name: Schema.String, arguments: Schema.Unknown }),
  Schema.TaggedStruct("Finish", { response: LlmResponse }),
  LlmError
)

const encodeContent = Schema.encodeSync(Content)

const decodeContent = decodeUnknownEither(Schema.parseJson(Content))

/** The JSON of a part or a failure, its tag first. Deltas are JSON already. */
const encodeData = (content: Content): string => {
  if (content._tag === "Finish" || content._tag === "LlmError") return JSON.stringify(encodeContent(content))
  const { _tag, ...fields } = content
  return JSON.stringify({ _tag, ...fields })
}

/** An event. */
export const encode = (content: Content, id: string): string => `id: ${id}\ndata: ${encodeData(content)}\n\n`

/** A comment, which keeps a connection open. */
export const comment = ":\n\n"

/** A decoded part, equal to the one that was encoded. */
const revive = (content: typeof Content.Type): Content => {
  switch (content._tag) {
    case "TextDelta":
      return StreamPart.TextDelta(content)
    case "ReasoningDelta":
      return StreamPart.ReasoningDelta(content)
    case "ToolCallStart":
      return StreamPart.ToolCallStart(content)
    case "ToolCallDelta":
      return StreamPart.ToolCallDelta(content)
    case "ToolCallEnd":
      return StreamPart.ToolCallEnd(content)
    case "Finish":
      return StreamPart.Finish(content)
    case "LlmError":
      return content
  }
}

/** Reads an event, or gives the reason why it cannot be read, which does not quote it. */
export const decode = ({ data }: Frame): Either.Either<Content, MalformedResponse> =>
  Either.mapBoth(decodeContent(data), {
    onLeft: ({ issues: [issue] }) =>
      MalformedResponse.make({
        message: `an event is not a part of a stream: expected ${issue?.expected ?? "another shape"} at ${
          issue?.path ?? ""
        }`
      }),
    onRight: revive
  })
