// In place of declarations: an AiError of Effect 4 has a reason, usage another form, and embeddings come with theirs.
import * as OpenAiStructuredOutput from "effect/ai/OpenAiStructuredOutput"

const finish: Response.FinishPartEncoded = {
  type: "finish",
  reason: "stop",
  usage: { inputTokens: { total: 10 }, outputTokens: { total: 5, reasoning: 2 } },
  metadata: { acme: { tier: "fast" } }
}

const because = (reason: AiError.AiErrorReason): AiError.AiError => AiError.make({ ...where, reason })

const status = (status: number, body?: string, headers: Record<string, string> = {}) => {
  const http = { response: { status, headers }, ...(body !== undefined && { body }) }
  return because(AiError.reasonFromHttpStatus({ status, http }))
}

const refused = because(
  new AiError.NetworkError({
    reason: "TransportError",
    method: "POST",
    url: "https://acme.example",
    cause: Object.assign(new Error("fetch failed"), { cause: { code: "ECONNREFUSED" } })
  })
)

/** The failures of a model, and what the client makes of them. */
const cases: ReadonlyArray<readonly [string, AiError.AiError, LlmError.ReasonTag, boolean]> = [
  ["429", status(429, undefined, { "retry-after": "7" }), "RateLimited", true],
  ["an empty account", status(429, "{\"error\":{\"code\":\"insufficient_quota\"}}"), "QuotaExhausted", false],
  [
    "an empty account, of a service that calls it a wrong request",
    status(400, "{\"error\":{\"message\":\"Your credit balance is too low to access the Anthropic API.\"}}"),
    "QuotaExhausted",
    false
  ],
  ["401", status(401), "AuthenticationFailed", false],
  ["404 of a model", status(404, "{\"error\":{\"code\":\"model_not_found\"}}"), "ModelNotFound", false],
  ["500", status(500, "oops"), "ServerFailed", true],
  ["503", status(503), "Overloaded", true],
  ["a status of 200", status(200, "<html>"), "MalformedResponse", true],
  ["a broken connection", refused, "NetworkFailed", true],
  [
    "a request that cannot be sent",
    because(new AiError.NetworkError({ reason: "EncodeError", method: "POST", url: "https://acme.example" })),
    "InvalidRequest",
    false
  ],
  [
    "a limit without a response",
    because(new AiError.RateLimitError({ retryAfter: Duration.seconds(7) })),
    "RateLimited",
    true
  ],
  ["an exhausted quota", because(new AiError.QuotaExhaustedError({})), "QuotaExhausted", false],
  ["a wrong key", because(new AiError.AuthenticationError({ kind: "InvalidKey" })), "AuthenticationFailed", false],
  [
    "a key without rights",
    because(new AiError.AuthenticationError({ kind: "InsufficientPermissions" })),
    "PermissionDenied",
    false
  ],
  ["a filter", because(new AiError.ContentPolicyError({ description: "no" })), "ContentFiltered", false],
  [
    "a schema that cannot be sent",
    because(new AiError.UnsupportedSchemaError({ description: "no" })),
    "UnsupportedFeature",
    false
  ],
  ["a wrong request", because(new AiError.InvalidRequestError({ description: "no" })), "InvalidRequest", false],
  ["a failed service", because(new AiError.InternalProviderError({ description: "no" })), "ServerFailed", true],
  ["a wrong response", because(new AiError.InvalidResponseError({ description: "no" })), "MalformedResponse", true],
  ["a wrong output", because(new AiError.InvalidOutputError({ description: "no" })), "MalformedResponse", true],
  ["an unknown error", because(new AiError.UnknownError({ description: "no" })), "ServerFailed", true]
]

const malformedInput = because(new AiError.InvalidRequestError({ description: "no" }))

const failing = (description: string): AiError.AiError => because(new AiError.UnknownError({ description }))

/** The status of the response behind a failure, if there was one. */
const statusOf = ({ reason }: AiError.AiError): number | undefined =>
  "http" in reason ? reason.http?.response?.status : undefined

const jsonSchemaOf = (tool: Tool.Any): object => Tool.getJsonSchema(tool)

/** As the models of OpenAI write it. */
const formatOf = (schema: Schema.Constraint): object =>
  OpenAiStructuredOutput.toCodecOpenAI(schema as Schema.Codec<unknown, unknown>).jsonSchema

/** A model that gives two numbers for each text, or fails. */
const embeddingModel = (error?: AiError.AiError) => {
  const asked: Array<ReadonlyArray<string>> = []
  const layer = Layer.effect(
    EmbeddingModel.EmbeddingModel,
    EmbeddingModel.make({
      embedMany: ({ inputs }) => {
        asked.push(inputs)
        return error === undefined
          ? Effect.succeed({ results: inputs.map((text) => [text.length, 1]), usage: { inputTokens: 3 } })
          : Effect.fail(error)
      }
    })
  )
  return { asked, layer }
}
