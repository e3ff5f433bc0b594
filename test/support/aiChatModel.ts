/**
 * A `LanguageModel` of `@effect/ai` for Chat Completions, on the network as the packages of its own are: one request, the
 * status checked, failures as `AiError`, settings in a service of its own. It reads what the tests need, and no more.
 */
import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual, identity } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** Settings of a request, in the words of the protocol. */
export class Config extends Context.Reference<Config>()("test/AiChatModel/Config", {
  defaultValue: (): { readonly [field: string]: unknown } => ({})
}) {}

export const withConfigOverride: {
  (fields: { readonly [field: string]: unknown }): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, fields: { readonly [field: string]: unknown }): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, fields: { readonly [field: string]: unknown }) =>
    Effect.flatMap(Config, (config) => Effect.provideService(self, Config, { ...config, ...fields }))
)

const Call = Schema.Struct({
  index: Schema.optional(Schema.Number),
  id: Schema.optional(Schema.String),
  function: Schema.Struct({ name: Schema.optional(Schema.String), arguments: Schema.optional(Schema.String) })
})

const Message = Schema.Struct({
  content: Schema.optional(Schema.NullOr(Schema.String)),
  reasoning_content: Schema.optional(Schema.NullOr(Schema.String)),
  tool_calls: Schema.optional(Schema.Array(Call))
})

const Usage = Schema.Struct({ prompt_tokens: Schema.Number, completion_tokens: Schema.Number })

const Answer = Schema.Struct({
  id: Schema.String,
  model: Schema.String,
  choices: Schema.NonEmptyArray(Schema.Struct({ finish_reason: Schema.String, message: Message })),
  usage: Usage
})

const Delta = Schema.Struct({
  id: Schema.optional(Schema.String),
  model: Schema.optional(Schema.String),
  choices: Schema.optional(Schema.Array(Schema.Struct({
    finish_reason: Schema.optional(Schema.NullOr(Schema.String)),
    delta: Message
  }))),
  usage: Schema.optional(Schema.NullOr(Usage)),
  error: Schema.optional(Schema.Unknown)
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
      return message.content.map(({ id, result }) => ({
        role: "tool",
        tool_call_id: id,
        content: typeof result === "string" ? result : JSON.stringify(result)
      }))
  }
}

const choiceOf = (choice: LanguageModel.ProviderOptions["toolChoice"]) =>
  typeof choice === "string"
    ? choice
    : "tool" in choice
    ? { type: "function", function: { name: choice.tool } }
    : choice.mode ?? "auto"

const finishReasons: { readonly [reason: string]: Response.FinishReason } = {
  stop: "stop",
  length: "length",
  tool_calls: "tool-calls",
  content_filter: "content-filter"
}

const parametersOf = (tool: Tool.Any): object => Tool.getJsonSchemaFromSchemaAst(tool.parametersSchema.ast)

const ending = (reason: string, usage: typeof Usage.Type | undefined): Response.FinishPartEncoded => ({
  type: "finish",
  reason: finishReasons[reason] ?? "unknown",
  usage: {
    inputTokens: usage?.prompt_tokens,
    outputTokens: usage?.completion_tokens,
    totalTokens: usage && usage.prompt_tokens + usage.completion_tokens
  }
})

const failing = (method: string) => {
  const where = { module: "AiChatModel", method }
  return {
    RequestError: (error: Parameters<typeof AiError.HttpRequestError.fromRequestError>[0]["error"]) =>
      AiError.HttpRequestError.fromRequestError({ ...where, error }),
    ResponseError: (error: Parameters<typeof AiError.HttpResponseError.fromResponseError>[0]["error"]) =>
      AiError.HttpResponseError.fromResponseError({ ...where, error }),
    ParseError: (error: Parameters<typeof AiError.MalformedOutput.fromParseError>[0]["error"]) =>
      AiError.MalformedOutput.fromParseError({ ...where, error })
  }
}

export const make = (options: { readonly url: string; readonly apiKey: Redacted.Redacted; readonly model: string }) =>
  Effect.gen(function*() {
    const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)

    const send = (
      { prompt, responseFormat, toolChoice, tools }: LanguageModel.ProviderOptions,
      stream: boolean
    ) =>
      Effect.gen(function*() {
        const body = {
          model: options.model,
          stream,
          ...(stream && { stream_options: { include_usage: true } }),
          messages: prompt.content.flatMap(contentOf),
          ...(tools.length > 0 && {
            tool_choice: choiceOf(toolChoice),
            tools: tools.map((tool) => ({
              type: "function",
              function: { name: tool.name, description: tool.description, parameters: parametersOf(tool) }
            }))
          }),
          ...(responseFormat.type === "json" && {
            response_format: {
              type: "json_schema",
              json_schema: {
                name: responseFormat.objectName,
                strict: true,
                schema: Tool.getJsonSchemaFromSchemaAst(responseFormat.schema.ast)
              }
            }
          }),
          ...yield* Config
        }
        const request = HttpClientRequest.post(`${options.url}/v1/chat/completions`).pipe(
          HttpClientRequest.bearerToken(options.apiKey),
          HttpClientRequest.bodyUnsafeJson(body)
        )
        return yield* client.execute(request)
      })

    return yield* LanguageModel.make({
      generateText: (given) =>
        Effect.gen(function*() {
          const { choices: [{ finish_reason, message }], id, model, usage } = yield* Effect.flatMap(
            send(given, false),
            HttpClientResponse.schemaBodyJson(Answer)
          )
          const calls = (message.tool_calls ?? []).map((call): Response.PartEncoded => ({
            type: "tool-call",
            id: call.id ?? "",
            name: call.function.name ?? "",
            params: Tool.unsafeSecureJsonParse(call.function.arguments ?? "{}")
          }))
          return [
            { type: "response-metadata" as const, id, modelId: model },
            ...message.reasoning_content ? [{ type: "reasoning" as const, text: message.reasoning_content }] : [],
            ...message.content ? [{ type: "text" as const, text: message.content }] : [],
            ...calls,
            ending(finish_reason, usage)
          ]
        }).pipe(Effect.scoped, Effect.catchTags(failing("generateText"))),

      streamText: (given) => {
        let reason = ""
        let usage: typeof Usage.Type | undefined
        let opened: "text" | "reasoning" | undefined
        const calls = new Map<number, { readonly id: string; readonly name: string; json: string }>()

        const close = (): ReadonlyArray<Response.StreamPartEncoded> => {
          const kind = opened
          opened = undefined
          return kind === undefined ? [] : [{ type: `${kind}-end`, id: kind }]
        }

        const delta = (kind: "text" | "reasoning", text: string): ReadonlyArray<Response.StreamPartEncoded> => {
          const start = opened === kind ? [] : [...close(), { type: `${kind}-start` as const, id: kind }]
          opened = kind
          return [...start, { type: `${kind}-delta`, id: kind, delta: text }]
        }

        const piece = (call: typeof Call.Type): ReadonlyArray<Response.StreamPartEncoded> => {
          const json = call.function.arguments ?? ""
          const known = calls.get(call.index ?? 0)
          const id = known?.id ?? call.id ?? ""
          const name = known?.name ?? call.function.name ?? ""
          calls.set(call.index ?? 0, { id, name, json: (known?.json ?? "") + json })
          return [
            ...known === undefined ? [{ type: "tool-params-start" as const, id, name }] : [],
            ...json === "" ? [] : [{ type: "tool-params-delta" as const, id, delta: json }]
          ]
        }

        const read = (event: typeof Delta.Type): ReadonlyArray<Response.StreamPartEncoded> => {
          if (event.error !== undefined) return [{ type: "error", error: event }]
          usage = event.usage ?? usage
          return (event.choices ?? []).flatMap(({ delta: message, finish_reason }) => {
            reason = finish_reason ?? reason
            return [
              ...message.reasoning_content ? delta("reasoning", message.reasoning_content) : [],
              ...message.content ? delta("text", message.content) : [],
              ...(message.tool_calls ?? []).flatMap(piece)
            ]
          })
        }

        const end = (): ReadonlyArray<Response.StreamPartEncoded> => [
          ...close(),
          ...[...calls.values()].flatMap(({ id, json, name }): ReadonlyArray<Response.StreamPartEncoded> => [
            { type: "tool-params-end", id },
            { type: "tool-call", id, name, params: Tool.unsafeSecureJsonParse(json) }
          ]),
          ending(reason, usage)
        ]

        return HttpClientResponse.stream(send(given, true)).pipe(
          Stream.decodeText(),
          Stream.splitLines,
          Stream.filter((line) => line.startsWith("data:")),
          Stream.map((line) => line.slice(5).trim()),
          Stream.mapEffect((data) =>
            data === "[DONE]"
              ? Effect.sync(end)
              : Effect.map(Schema.decode(Schema.parseJson(Delta))(data), read)
          ),
          Stream.mapConcat(identity),
          Stream.catchTags(failing("streamText"))
        )
      }
    })
  })

export const layer = (options: Parameters<typeof make>[0]) => Layer.effect(LanguageModel.LanguageModel, make(options))
