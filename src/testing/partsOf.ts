import * as Message from "../domain/Message.js"
import type { StreamPart } from "../domain/StreamPart.js"

/** The content of an answer so far, from its stream parts. A tool call without an end is incomplete. */
export const partsOf = (stream: Iterable<StreamPart>): ReadonlyArray<Message.ResponsePart> => {
  const parts: Array<Message.ResponsePart> = []
  const calls = new Map<string, { readonly at: number; readonly name: string; json: string }>()

  const grow = (tag: "Text" | "Reasoning", text: string): void => {
    const last = parts.at(-1)
    if (last?._tag === tag) parts[parts.length - 1] = { ...last, text: (last.text ?? "") + text }
    else parts.push(tag === "Text" ? Message.Text.make({ text }) : Message.Reasoning.make({ text }))
  }

  for (const part of stream) {
    switch (part._tag) {
      case "TextDelta":
        grow("Text", part.text)
        break
      case "ReasoningDelta":
        grow("Reasoning", part.text)
        break
      case "ToolCallStart": {
        const { id, name } = part
        calls.set(id, { at: parts.length, name, json: "" })
        parts.push(Message.ToolCall.make({ id, name, arguments: "", incomplete: true }))
        break
      }
      case "ToolCallDelta": {
        const call = calls.get(part.id)
        if (call === undefined) break
        call.json += part.delta
        parts[call.at] = Message.ToolCall.make({
          id: part.id,
          name: call.name,
          arguments: call.json,
          incomplete: true
        })
        break
      }
      case "ToolCallEnd": {
        const { arguments: args, id, name } = part
        parts[calls.get(id)?.at ?? parts.length] = Message.ToolCall.make({ id, name, arguments: args })
        break
      }
      case "Source":
      case "Opaque":
        parts.push(part)
        break
      case "Finish":
        return part.response.parts
    }
  }
  return parts
}

/** The text of these parts. */
export const textOf = (parts: ReadonlyArray<Message.ResponsePart>): string =>
  Message.text({ role: "assistant", content: parts })
