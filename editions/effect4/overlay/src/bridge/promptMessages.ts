// In place of declarations: results of Effect 4 may have parts for the model, and turns may ask for approval and get it.

/** The parts of a turn whose own parts are not known. */
const visibleParts = (
  { content }: Prompt.AssistantMessage,
  warn: (warning: string) => void
): ReadonlyArray<Message.ResponsePart> =>
  content.flatMap((part): ReadonlyArray<Message.ResponsePart> => {
    switch (part.type) {
      case "text":
        return part.text === "" ? [] : [{ _tag: "Text", text: part.text }]
      case "reasoning":
        return part.text === "" ? [] : [{ _tag: "Reasoning", text: part.text }]
      case "tool-call":
        if (!part.providerExecuted) {
          return [{ _tag: "ToolCall", id: part.id, name: part.name, arguments: part.params }]
        }
        warn(`a call of ${part.name} was not sent: a provider has run it`)
        return []
      case "tool-result":
        warn(`a result of ${part.name} was not sent: a provider has run it`)
        return []
      case "file":
        warn("a file in a turn of the model was not sent")
        return []
      case "tool-approval-request":
        // It is between the program and its user.
        return []
    }
  })

/** A part of what a tool shows to the model. */
export const resultPart = (part: Prompt.ToolModelOutputPart): Message.ToolResultPartInput =>
  part.type === "text" ? { _tag: "Text", text: part.text } : fileOf(part)

const results = (
  { content }: Prompt.ToolMessage,
  warn: (warning: string) => void
): ReadonlyArray<Message.Input> => {
  const [first, ...others] = content.flatMap((part) => {
    if (part.type === "tool-approval-response") return []
    const { id, isFailure, modelOutput, name, providerExecuted, result } = part
    if (!providerExecuted) {
      // What the tool shows to the model takes the place of its result.
      const shown = modelOutput === undefined ? { result } : { result: "", parts: modelOutput.map(resultPart) }
      return [{ _tag: "ToolResult" as const, id, name, ...shown, ...(isFailure && { isError: true }) }]
    }
    warn(`a result of ${name} was not sent: a provider has run it`)
    return []
  })
  return first === undefined ? [] : [{ role: "tool", content: [first, ...others] }]
}
