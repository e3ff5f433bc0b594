// In place of declarations: an AiError of Effect 4 has a reason, and HTTP one error.
import type * as HttpClientError from "effect/http/HttpClientError"

const parametersOf = (tool: Tool.Any): object => Tool.getJsonSchema(tool)

const ending = (reason: string, usage: typeof Usage.Type | undefined): Response.FinishPartEncoded => ({
  type: "finish",
  reason: finishReasons[reason] ?? "unknown",
  usage: { inputTokens: { total: usage?.prompt_tokens }, outputTokens: { total: usage?.completion_tokens } }
})

const contentOf = (message: Prompt.Message): ReadonlyArray<object> => {
  switch (message.role) {
    case "system":
      return [{ role: "system", content: message.content }]
    case "user":
      return [{
        role: "user",
        content: message.content.map((part) =>
          part.type === "text"
            ? { type: "text", text: part.text }
            : { type: "image_url", image_url: { url: String(part.data) } }
        )
      }]
    case "assistant": {
      const calls = message.content.flatMap((part) =>
        part.type === "tool-call"
          ? [{ id: part.id, type: "function", function: { name: part.name, arguments: JSON.stringify(part.params) } }]
          : []
      )
      const text = message.content.map((part) => part.type === "text" ? part.text : "").join("")
      return [{ role: "assistant", content: text, ...(calls.length > 0 && { tool_calls: calls }) }]
    }
    case "tool":
      return message.content.flatMap((part) =>
        part.type === "tool-result"
          ? [{
            role: "tool",
            tool_call_id: part.id,
            content: typeof part.result === "string" ? part.result : JSON.stringify(part.result)
          }]
          : []
      )
  }
}

const reasonOf = (error: HttpClientError.HttpClientError): Effect.Effect<AiError.AiErrorReason> => {
  const { reason, response } = error
  if (response === undefined) {
    return Effect.succeed(AiError.NetworkError.fromHttpClientError(
      error as HttpClientError.HttpClientError & { readonly reason: HttpClientError.RequestError }
    ))
  }
  const { headers, status } = response
  const reported = (body: string | undefined) =>
    AiError.reasonFromHttpStatus({ status, http: { response: { status, headers: { ...headers } }, body } })
  return reason._tag === "StatusCodeError"
    ? Effect.map(Effect.orElseSucceed(response.text, () => undefined), reported)
    : Effect.succeed(new AiError.InvalidResponseError({ description: reason.message }))
}

const failing = <Method extends "generateText" | "streamText">(method: Method) => {
  const failed = (reason: AiError.AiErrorReason) => AiError.make({ module: "AiChatModel", method, reason })
  // An effect is no stream in Effect 4.
  const fail = (reason: Effect.Effect<AiError.AiErrorReason>) => {
    const failure = Effect.flatMap(reason, (reason) => Effect.fail(failed(reason)))
    return (method === "streamText" ? Stream.fromEffect(failure) : failure) as Method extends "streamText"
      ? Stream.Stream<never, AiError.AiError>
      : Effect.Effect<never, AiError.AiError>
  }
  return {
    HttpClientError: (error: HttpClientError.HttpClientError) => fail(reasonOf(error)),
    SchemaError: (error: Schema.SchemaError) => fail(Effect.succeed(AiError.InvalidOutputError.fromSchemaError(error)))
  }
}
