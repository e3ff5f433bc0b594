import type { ResponsePart } from "./messageParts.js"
import type { Partial } from "./reasons.js"
import type { StreamPart } from "./StreamPart.js"
import { wellFormedParts } from "./wellFormedParts.js"

/** An answer as far as the parts of a stream have brought it, for the failure that it may end with. */
export interface AnswerSoFar {
  /** Takes the next part. */
  readonly push: (part: StreamPart) => void
  /** Begins anew. */
  readonly clear: () => void
  /** The parts so far, if one has come. */
  readonly partial: () => Partial | undefined
}

/** Makes an answer of which nothing has come. */
export const make = (): AnswerSoFar => {
  let parts: Array<ResponsePart> = []
  /** The places of the tool calls, by their ids. */
  let calls = new Map<string, number>()

  const clear = (): void => {
    if (parts.length === 0) return
    parts = []
    calls = new Map()
  }

  /** Replaces the last part by a longer one of its kind, or begins one. */
  const grow = (part: { readonly _tag: "Text" | "Reasoning"; readonly text: string }): void => {
    const last = parts.at(-1)
    if (last?._tag !== part._tag) parts.push(part)
    else parts[parts.length - 1] = { _tag: part._tag, text: `${last.text ?? ""}${part.text}` }
  }

  const callAt = (id: string): { readonly place: number; readonly text: string; readonly name: string } | undefined => {
    const place = calls.get(id)
    const part = place === undefined ? undefined : parts[place]
    return place === undefined || part?._tag !== "ToolCall"
      ? undefined
      : { place, name: part.name, text: String(part.arguments) }
  }

  return {
    push: (part) => {
      switch (part._tag) {
        case "TextDelta":
          return grow({ _tag: "Text", text: part.text })
        case "ReasoningDelta":
          return grow({ _tag: "Reasoning", text: part.text })
        case "ToolCallStart": {
          calls.set(part.id, parts.length)
          parts.push({ _tag: "ToolCall", id: part.id, name: part.name, arguments: "", incomplete: true })
          return
        }
        case "ToolCallDelta": {
          const call = callAt(part.id)
          if (call === undefined) return
          parts[call.place] = {
            _tag: "ToolCall",
            id: part.id,
            name: call.name,
            arguments: call.text + part.delta,
            incomplete: true
          }
          return
        }
        case "ToolCallEnd": {
          const { _tag, ...call } = part
          parts[calls.get(part.id) ?? parts.length] = { _tag: "ToolCall", ...call }
          return
        }
        case "Source":
        case "Opaque": {
          parts.push(part)
          return
        }
        case "Finish":
          return
      }
    },
    clear,
    partial: () => parts.length === 0 ? undefined : partialOf(parts)
  }
}

/** Parts of an answer, with their text. */
export const partialOf = (begun: ReadonlyArray<ResponsePart>): Partial => {
  const parts = [...wellFormedParts(begun)]
  return { text: parts.map((part) => part._tag === "Text" ? part.text : "").join(""), parts }
}
