import * as AiError from "@effect/ai/AiError"
import * as EmbeddingModel from "@effect/ai/EmbeddingModel"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Prompt from "@effect/ai/Prompt"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import { assert, describe, it } from "@effect/vitest"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as EffectAi from "effect-llm/EffectAi"
import * as GeminiTools from "effect-llm/GeminiTools"
import * as LlmClient from "effect-llm/LlmClient"
import type * as LlmError from "effect-llm/LlmError"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTool from "effect-llm/LlmTool"
import * as Message from "effect-llm/Message"
import * as OpenAiTools from "effect-llm/OpenAiTools"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const finish: Response.FinishPartEncoded = {
  type: "finish",
  reason: "stop",
  usage: { inputTokens: 10, outputTokens: 5, totalTokens: 15, reasoningTokens: 2 },
  metadata: { acme: { tier: "fast" } }
}

class Temperature extends Context.Reference<Temperature>()("test/Temperature", {
  defaultValue: (): number | undefined => undefined
}) {}

interface Asked extends LanguageModel.ProviderOptions {
  readonly temperature: number | undefined
}

/** A language model that answers with these parts, or fails, and remembers what it was asked. */
const modelOf = (answer: {
  readonly parts?: ReadonlyArray<Response.PartEncoded>
  readonly stream?: Stream.Stream<Response.StreamPartEncoded, AiError.AiError>
  readonly error?: AiError.AiError
}) => {
  const asked: Array<Asked> = []
  const remember = (options: LanguageModel.ProviderOptions) =>
    Effect.map(Temperature, (temperature) => {
      asked.push({ ...options, temperature })
    })
  const layer = Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: (options) =>
        Effect.zipRight(
          remember(options),
          answer.error === undefined ? Effect.succeed([...answer.parts ?? [], finish]) : Effect.fail(answer.error)
        ),
      streamText: (options) =>
        Stream.unwrap(Effect.as(
          remember(options),
          answer.stream ?? (answer.error === undefined ? Stream.empty : Stream.fail(answer.error))
        ))
    })
  )
  return { asked, layer }
}

const named = { name: "acme", endpoint: "https://acme.example", model: "a-1" }

/** A client, which does not retry, over a language model. */
const clientOver = (
  model: Layer.Layer<LanguageModel.LanguageModel>,
  options: Partial<EffectAi.ProviderOptions> = {},
  client: LlmClient.Options = {}
) =>
  LlmClient.layerDefault({ retry: false, ...client }).pipe(
    Layer.provide(EffectAi.layerProvider({ ...named, ...options })),
    Layer.provide(model)
  )

const request = { model: "a-1", prompt: "Which river?" } satisfies LlmRequest.Input

const parts = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const sealedParts: ReadonlyArray<Response.PartEncoded> = [
  { type: "response-metadata", id: "r1", modelId: "a-1-2026" },
  { type: "reasoning", text: "Hm.", metadata: { acme: { signature: "sig" } } },
  { type: "text", text: "The Elbe.", metadata: { acme: { itemId: "t1" } } },
  { type: "source", sourceType: "url", id: "s1", url: "https://elbe.example/", title: "Elbe" },
  { type: "source", sourceType: "document", id: "s2", mediaType: "text/plain", title: "Rivers" },
  { type: "file", mediaType: "image/png", data: "AQID" }
]

const where = { module: "Acme", method: "generateText" }
const details = {
  method: "POST" as const,
  url: "https://acme.example",
  urlParams: [],
  hash: Option.none(),
  headers: {}
}
const status = (status: number, body?: string, headers: Record<string, string> = {}) =>
  new AiError.HttpResponseError({
    ...where,
    reason: "StatusCode",
    request: details,
    response: { status, headers },
    ...(body !== undefined && { body })
  })
const refused = Object.assign(new Error("fetch failed"), { cause: { code: "ECONNREFUSED" } })

/** The failures of a model, and what the client makes of them. */
const cases: ReadonlyArray<readonly [string, AiError.AiError, LlmError.ReasonTag, boolean]> = [
  ["429", status(429, undefined, { "retry-after": "7" }), "RateLimited", true],
  ["an empty account", status(429, "{\"error\":{\"code\":\"insufficient_quota\"}}"), "QuotaExhausted", false],
  ["401", status(401), "AuthenticationFailed", false],
  ["404 of a model", status(404, "{\"error\":{\"code\":\"model_not_found\"}}"), "ModelNotFound", false],
  ["500", status(500, "oops"), "ServerFailed", true],
  ["503", status(503), "Overloaded", true],
  ["a status of 200", status(200, "<html>"), "MalformedResponse", true],
  [
    "a broken connection",
    new AiError.HttpRequestError({ ...where, reason: "Transport", request: details, cause: refused }),
    "NetworkFailed",
    true
  ],
  [
    "a request that cannot be sent",
    new AiError.HttpRequestError({ ...where, reason: "Encode", request: details }),
    "InvalidRequest",
    false
  ],
  ["malformed input", new AiError.MalformedInput({ ...where, description: "no" }), "InvalidRequest", false],
  ["malformed output", new AiError.MalformedOutput({ ...where, description: "no" }), "MalformedResponse", true],
  ["an unknown error", new AiError.UnknownError({ ...where, description: "no" }), "ServerFailed", true]
]

/** A result with an image in a prompt, and the warnings of the answer: a result of @effect/ai is text. */
const resultWithImage = (bytes: Uint8Array): readonly [ReadonlyArray<Prompt.Message>, ReadonlyArray<string>] => [
  Prompt.make([
    {
      role: "tool",
      content: [{
        type: "tool-result",
        id: "c1",
        name: "look",
        isFailure: false,
        result: { taken: "at noon" },
        providerExecuted: false
      }]
    },
    {
      role: "user",
      content: [
        { type: "text", text: "From the result of the call c1:\n" },
        { type: "text", text: "The bank:" },
        { type: "file", mediaType: "image/png", data: bytes }
      ]
    }
  ]).content,
  ["images and files in tool results were sent behind them, in a turn of the user"]
]

const malformedInput = new AiError.MalformedInput({ module: "Acme", method: "embed", description: "no" })

const failing = (description: string): AiError.AiError => new AiError.UnknownError({ ...where, description })

/** The status of the response behind a failure, if there was one. */
const statusOf = (error: AiError.AiError): number | undefined =>
  error._tag === "HttpResponseError" ? error.response.status : undefined

const jsonSchemaOf = (tool: Tool.Any): object => Tool.getJsonSchemaFromSchemaAst(tool.parametersSchema.ast)

const formatOf = ({ ast }: Schema.Schema.Any): object => Tool.getJsonSchemaFromSchemaAst(ast)

/** A model that gives two numbers for each text, or fails. */
const embeddingModel = (error?: AiError.AiError) => {
  const asked: Array<ReadonlyArray<string>> = []
  const layer = Layer.effect(
    EmbeddingModel.EmbeddingModel,
    EmbeddingModel.make({
      embedMany: (input) => {
        asked.push(input)
        return error === undefined
          ? Effect.succeed(input.map((text, index) => ({ index, embeddings: [text.length, 1] })))
          : Effect.fail(error)
      }
    })
  )
  return { asked, layer }
}

describe("EffectAi.layerProvider", () => {
  it.effect("reads all parts of an answer, the facts about it, and its usage", () => {
    const { layer } = modelOf({ parts: sealedParts })
    return Effect.gen(function*() {
      const answer = yield* LlmClient.call(request)
      assert.deepInclude({ ...answer }, {
        text: "The Elbe.",
        finishReason: "stop",
        model: "a-1-2026",
        id: "r1",
        provider: "acme",
        usage: { inputTokens: 10, outputTokens: 5, reasoningTokens: 2 },
        providerMetadata: { acme: { tier: "fast" } },
        warnings: ["a block of the kind file was kept as it came"]
      })
      assert.deepStrictEqual(answer.parts.map(({ _tag }) => _tag), ["Reasoning", "Text", "Source", "Source", "Opaque"])
      assert.deepInclude(answer.parts[0], { provider: "acme", account: named.endpoint, model: "a-1" })
      assert.deepInclude(answer.sources[0], { url: "https://elbe.example/", title: "Elbe", id: "s1" })
    }).pipe(Effect.provide(clientOver(layer)))
  })

  it.effect("gives an answer back with the metadata that came with its parts, to its account and model", () => {
    const { asked, layer } = modelOf({ parts: sealedParts })
    return Effect.gen(function*() {
      const answer = yield* LlmClient.call(request)
      const next = {
        model: "a-1",
        messages: [{ role: "user" as const, content: "Which?" }, answer.message, {
          role: "user" as const,
          content: "And?"
        }]
      }
      yield* LlmClient.call(next)
      const [, message] = asked[1]!.prompt.content
      assert.deepStrictEqual(
        message?.role === "assistant" ? message.content.map(({ options, type }) => ({ options, type })) : message,
        [
          { type: "reasoning", options: { acme: { signature: "sig" } } },
          { type: "text", options: { acme: { itemId: "t1" } } },
          { type: "file", options: {} }
        ]
      )
      const other = yield* LlmClient.call({ ...next, model: "b-2" }).pipe(
        Effect.provide(clientOver(layer, { model: "b-2" }))
      )
      assert.include(other.warnings, "reasoning was not sent: another model made it")
      const [, sentToOther] = asked[2]!.prompt.content
      assert.notInclude(JSON.stringify(sentToOther), "sig\"")
    }).pipe(Effect.provide(clientOver(layer)))
  })

  it.effect("asks with the whole conversation, in the words of @effect/ai", () => {
    const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
    return Effect.gen(function*() {
      const bytes = new Uint8Array([1, 2, 3])
      const { warnings } = yield* LlmClient.call({
        model: "a-1",
        system: "Be terse.",
        messages: [
          {
            role: "user",
            content: [
              { _tag: "Text", text: "What is this?", providerOptions: { acme: { part: 1 } } },
              { _tag: "CachePoint" },
              { _tag: "Image", bytes, mediaType: "image/png" },
              { _tag: "Image", url: "https://elbe.example/a.png", detail: "low" },
              { _tag: "File", bytes, mediaType: "application/pdf", name: "a.pdf" }
            ]
          },
          {
            role: "assistant",
            content: [
              { _tag: "ToolCall", id: "c1", name: "ask", arguments: { q: 1 } },
              { _tag: "ToolCall", id: "c2", name: "ask", arguments: "{\"q", incomplete: true }
            ]
          },
          {
            role: "tool",
            content: [{ _tag: "ToolResult", id: "c1", result: "no", isError: true }],
            providerOptions: { acme: { turn: 1 } }
          },
          { role: "system", content: "Be polite." }
        ]
      })
      const expected = Prompt.make([
        { role: "system", content: "Be terse." },
        {
          role: "user",
          content: [
            { type: "text", text: "What is this?", options: { acme: { part: 1 } } },
            { type: "file", mediaType: "image/png", data: bytes },
            { type: "file", mediaType: "image/*", data: new URL("https://elbe.example/a.png") },
            { type: "file", mediaType: "application/pdf", data: bytes, fileName: "a.pdf" }
          ]
        },
        {
          role: "assistant",
          content: [{ type: "tool-call", id: "c1", name: "ask", params: { q: 1 }, providerExecuted: false }]
        },
        {
          role: "tool",
          content: [{
            type: "tool-result",
            id: "c1",
            name: "ask",
            isFailure: true,
            result: "no",
            providerExecuted: false
          }],
          options: { acme: { turn: 1 } }
        },
        { role: "system", content: "Be polite." }
      ])
      assert.deepStrictEqual(asked[0]?.prompt.content, expected.content)
      assert.deepStrictEqual(warnings, [
        "a tool call that was cut was not sent: it has no result",
        "cache points were not sent: acme takes none",
        "the detail of images was not sent"
      ])
    }).pipe(Effect.provide(clientOver(layer)))
  })

  it.effect("gives the model the tools of a request, in their own JSON Schema", () => {
    const { asked, layer } = modelOf({
      parts: [{ type: "tool-call", id: "c1", name: "ask", params: { q: 1, more: ["x"] }, metadata: { acme: { s: 1 } } }]
    })
    return Effect.gen(function*() {
      const parameters = {
        type: "object",
        properties: { q: { $ref: "#/$defs/q" } },
        required: ["q"],
        $defs: { q: { type: "number", minimum: 1 } }
      }
      const answer = yield* LlmClient.call({
        ...request,
        tools: [{ name: "ask", description: "Asks.", parameters }],
        toolChoice: { tool: "ask" }
      })
      assert.deepStrictEqual(answer.toolCalls, [{
        _tag: "ToolCall",
        id: "c1",
        name: "ask",
        arguments: { q: 1, more: ["x"] },
        native: { provider: "acme", fields: { acme: { s: 1 } } }
      }])
      assert.strictEqual(answer.finishReason, "tool_calls")
      const [{ toolChoice, tools }] = asked as [Asked]
      assert.deepStrictEqual(toolChoice, { tool: "ask" })
      assert.deepStrictEqual(tools.map(({ description, name }) => ({ description, name })), [
        { name: "ask", description: "Asks." }
      ])
      assert.deepStrictEqual(jsonSchemaOf(tools[0]!), parameters)
    }).pipe(Effect.provide(clientOver(layer)))
  })

  describe("settings", () => {
    it.effect("that the model has in its own layer are left out with a warning", () => {
      const { layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
      return Effect.gen(function*() {
        const { warnings } = yield* LlmClient.call({
          ...request,
          temperature: 1,
          topP: 0.5,
          topK: 3,
          seed: 1,
          reasoningEffort: "low",
          reasoningSummary: "auto",
          verbosity: "low",
          serviceTier: "flex",
          parallelToolCalls: false,
          promptCache: { key: "k" },
          user: "u"
        })
        assert.deepStrictEqual(
          warnings.map((warning) => warning.split(" ")[0]),
          [
            ...["temperature", "topP", "topK", "seed", "reasoningEffort", "reasoningSummary", "verbosity"],
            ...["serviceTier", "parallelToolCalls", "promptCache", "user"]
          ]
        )
      }).pipe(Effect.provide(clientOver(layer)))
    })

    it.effect("that stand in a message are left out likewise: cache points", () => {
      const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
      return Effect.gen(function*() {
        const { warnings } = yield* LlmClient.call({
          model: request.model,
          messages: [{ role: "user", content: [{ _tag: "Text", text: "Long." }, { _tag: "CachePoint" }] }]
        })
        assert.deepStrictEqual(warnings, ["cache points were not sent: acme takes none"])
        assert.strictEqual(asked.length, 1)
      }).pipe(Effect.provide(clientOver(layer)))
    })

    const refused: ReadonlyArray<readonly [string, Partial<LlmRequest.Settings>]> = [
      ["maxTokens", { maxTokens: 5 }],
      ["stop", { stop: ["x"] }],
      ["outputFormat", { outputFormat: "json" }],
      ["outputSchema", { outputSchema: { name: "a", schema: { type: "object" } } }],
      ["providerOptions", { providerOptions: { acme: { a: 1 } } }],
      [
        "the tool search of acme",
        { providerTools: [LlmTool.providerTool({ protocol: "acme", name: "search", tool: {} })] }
      ],
      ["the tool web_search of openai", { providerTools: [OpenAiTools.webSearch()] }],
      ["providerOptions", { tools: [{ name: "t", parameters: {}, providerOptions: { acme: { a: 1 } } }] }]
    ]

    for (const [feature, settings] of refused) {
      it.effect(`without which the answer would be another one are UnsupportedFeature: ${feature} of ${Object.keys(settings)}`, () => {
        const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
        return Effect.gen(function*() {
          const failures = [
            yield* Effect.flip(LlmClient.call({ ...request, ...settings })),
            yield* Effect.flip(Stream.runDrain(LlmClient.stream({ ...request, ...settings })))
          ]
          for (const { reason } of failures) {
            assert.deepInclude({ ...reason }, { _tag: "UnsupportedFeature", feature })
          }
          assert.deepStrictEqual(failures.map(({ operation }) => operation), ["call", "stream"])
          assert.lengthOf(asked, 0)
        }).pipe(Effect.provide(clientOver(layer)))
      })
    }

    it.effect("are handed on by configure, for calls and streams, as far as it takes them", () => {
      const { asked, layer } = modelOf({ stream: Stream.make(finish) })
      return Effect.gen(function*() {
        const { warnings } = yield* LlmClient.call({ ...request, temperature: 1, maxTokens: 5, model: "a-2" })
        yield* Stream.runDrain(LlmClient.stream({ ...request, temperature: 0.5 }))
        assert.deepStrictEqual(asked.map(({ temperature }) => temperature), [1, 0.5])
        assert.deepStrictEqual([...warnings], [])
      }).pipe(Effect.provide(clientOver(layer, {
        configure: ({ temperature }) => Effect.provideService(Temperature, temperature),
        takes: ["model", "temperature", "maxTokens"]
      })))
    })

    it.effect("a request for another model fails with ModelNotFound", () => {
      const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
      return Effect.gen(function*() {
        const { reason } = yield* Effect.flip(LlmClient.call({ ...request, model: "b-1" }))
        assert.deepInclude({ ...reason }, { _tag: "ModelNotFound", message: "the model is a-1" })
        assert.lengthOf(asked, 0)
      }).pipe(Effect.provide(clientOver(layer)))
    })

    it.effect("a mistake in the options is a defect that names the option", () =>
      Effect.gen(function*() {
        const { layer } = modelOf({})
        const exit = yield* Layer.build(clientOver(layer, { model_: "x" } as object)).pipe(Effect.scoped, Effect.exit)
        assert.match(
          Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "",
          /model_ must be a known option, such as model/
        )
      }))
  })

  describe("tools that the provider runs", () => {
    const search = EffectAi.providerTool(
      Tool.providerDefined({
        id: "acme.web_search",
        toolkitName: "AcmeSearch",
        providerName: "web_search",
        args: { max_uses: Schema.Number },
        parameters: { query: Schema.String },
        success: Schema.Array(Schema.String)
      })({ max_uses: 2 })
    )
    const call = {
      type: "tool-call",
      id: "s1",
      name: "AcmeSearch",
      params: { query: "Elbe", more: { pages: 2 } },
      providerExecuted: true,
      metadata: { acme: { seal: "x" } }
    } as const
    const result = {
      type: "tool-result",
      id: "s1",
      name: "AcmeSearch",
      isFailure: false,
      result: [{ url: "https://elbe.example/", sealed: "y" }],
      providerExecuted: true
    } as const
    const failure = { ...result, id: "s2", isFailure: true, result: { error: "too_many" } }

    const whole: ReadonlyArray<Response.PartEncoded> = [
      call,
      result,
      { type: "text", text: "1094 km." },
      { ...call, id: "s2" },
      failure
    ]
    const streamed: ReadonlyArray<Response.StreamPartEncoded> = [
      { type: "tool-params-start", id: "s1", name: "AcmeSearch", providerExecuted: true },
      { type: "tool-params-delta", id: "s1", delta: "{\"query\":" },
      { type: "tool-params-end", id: "s1" },
      call,
      result,
      { type: "text-start", id: "t" },
      { type: "text-delta", id: "t", delta: "1094 km." },
      { type: "text-end", id: "t" },
      { ...call, id: "s2" },
      failure,
      finish
    ]

    /** What a model is given of a tool: its schemas are for the answer. */
    const given = (tools: ReadonlyArray<Tool.Any>) =>
      tools.map((tool) =>
        Tool.isProviderDefined(tool)
          ? { id: tool.id, name: tool.name, providerName: tool.providerName, args: tool.args as unknown }
          : tool.name
      )

    it.effect("go to the model as its package defines them, beside those of the program, and may be chosen", () => {
      const { asked, layer } = modelOf({ parts: whole })
      return Effect.gen(function*() {
        yield* LlmClient.call({
          ...request,
          tools: [{ name: "ask", parameters: { type: "object" } }],
          providerTools: [search],
          toolChoice: { tool: "AcmeSearch" }
        })
        assert.deepStrictEqual(given(asked[0]?.tools ?? []), [
          "ask",
          { id: "acme.web_search", name: "AcmeSearch", providerName: "web_search", args: { max_uses: 2 } }
        ])
        assert.deepStrictEqual(asked[0]?.toolChoice, { tool: "AcmeSearch" })
      }).pipe(Effect.provide(clientOver(layer)))
    })

    it.effect("bring calls and results, streamed or not, which the program does not run and which go back unchanged", () => {
      const { asked, layer } = modelOf({ parts: whole, stream: Stream.fromIterable(streamed) })
      return Effect.gen(function*() {
        const input = { ...request, providerTools: [search] }
        const answer = yield* LlmClient.call(input)
        assert.deepStrictEqual(answer.parts.map(({ _tag }) => _tag), ["Opaque", "Opaque", "Text", "Opaque", "Opaque"])
        assert.deepStrictEqual([answer.toolCalls.length, answer.finishReason], [0, "stop"])
        assert.deepStrictEqual([...answer.warnings], [
          "a block of the kind tool-call was kept as it came",
          "a block of the kind tool-result was kept as it came"
        ])
        const last = (yield* parts(LlmClient.stream(input, { cache: "bypass" }))).at(-1)
        assert.deepStrictEqual(last?._tag === "Finish" ? last.response.parts : [], answer.parts)

        yield* LlmClient.call({
          model: "a-1",
          messages: [{ role: "user", content: "Which?" }, answer.message, { role: "user", content: "And?" }],
          providerTools: [search]
        })
        const { metadata: options, ...ran } = call
        const expected = Prompt.make([{
          role: "assistant",
          content: [
            { ...ran, options },
            result,
            { type: "text", text: "1094 km." },
            { ...ran, id: "s2", options },
            failure
          ]
        }])
        assert.deepStrictEqual(asked.at(-1)?.prompt.content[1], expected.content[0])
      }).pipe(Effect.provide(clientOver(layer)))
    })

    const known = [
      ["openai", OpenAiTools.webSearch({ contextSize: "low", allSources: true }), {
        id: "openai.web_search",
        name: "OpenAiWebSearch",
        providerName: "web_search",
        args: { search_context_size: "low" }
      }],
      ["openai", OpenAiTools.codeInterpreter({ outputs: true }), {
        id: "openai.code_interpreter",
        name: "OpenAiCodeInterpreter",
        providerName: "code_interpreter",
        args: { container: { type: "auto" } }
      }],
      ["openai", OpenAiTools.fileSearch({ vectorStoreIds: ["v"] }), {
        id: "openai.file_search",
        name: "OpenAiFileSearch",
        providerName: "file_search",
        args: { vector_store_ids: ["v"] }
      }],
      ["anthropic", AnthropicTools.webSearch({ maxUses: 2 }), {
        id: "anthropic.web_search_20250305",
        name: "AnthropicWebSearch",
        providerName: "web_search",
        args: { max_uses: 2 }
      }],
      ["anthropic", AnthropicTools.codeExecution(), {
        id: "anthropic.code_execution_20250825",
        name: "AnthropicCodeExecution",
        providerName: "code_execution",
        args: {}
      }],
      ["gemini", GeminiTools.googleSearch(), {
        id: "google.google_search",
        name: "GoogleSearch",
        providerName: "google_search",
        args: {}
      }],
      ["gemini", GeminiTools.urlContext(), {
        id: "google.url_context",
        name: "GoogleUrlContext",
        providerName: "url_context",
        args: {}
      }],
      ["gemini", GeminiTools.codeExecution(), {
        id: "google.code_execution",
        name: "GoogleCodeExecution",
        providerName: "code_execution",
        args: {}
      }],
      [
        "gemini",
        LlmTool.providerTool({
          protocol: "gemini",
          name: "googleSearchRetrieval",
          tool: { googleSearchRetrieval: { dynamicRetrievalConfig: { mode: "MODE_DYNAMIC" } } }
        }),
        {
          id: "google.google_search_retrieval",
          name: "GoogleSearchRetrieval",
          providerName: "google_search_retrieval",
          args: { mode: "MODE_DYNAMIC" }
        }
      ]
    ] as const

    for (const [toolProtocol, tool, expected] of known) {
      it.effect(`of a protocol that the model has go to it as those of its package, and come back as they were: ${expected.id}`, () => {
        const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
        return Effect.gen(function*() {
          const choice = tool.choice === undefined ? {} : { toolChoice: { tool: tool.name } }
          yield* LlmClient.call({ ...request, ...choice, providerTools: [tool] })
          const { toolChoice, tools = [] } = asked[0] ?? {}
          assert.deepStrictEqual(given(tools), [expected])
          assert.deepStrictEqual(toolChoice, tool.choice === undefined ? "auto" : { tool: expected.providerName })
          const back = yield* EffectAi.tools({
            tools: { tool: tools[0] as typeof tools[0] & { readonly requiresHandler: false } },
            handle: () => Effect.die("not run by the program")
          })
          const { fields: _, ...plain } = { fields: undefined, ...tool }
          assert.deepStrictEqual(back as ReadonlyArray<unknown>, [plain])
        }).pipe(Effect.provide(clientOver(layer, { toolProtocol })))
      })
    }

    it.effect("are not given back by a package that does not send their runs, with a warning", () => {
      const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
      const ran = { type: "tool-call", id: "s1", name: "GoogleCodeExecution", params: { code: "1" } }
      return Effect.gen(function*() {
        const { warnings } = yield* LlmClient.call({
          model: "a-1",
          messages: [
            { role: "user", content: "Run it." },
            {
              role: "assistant",
              content: [
                Message.Opaque.make({ provider: "acme", kind: "tool-call", json: ran }),
                Message.Text.make({ text: "Done." })
              ]
            },
            { role: "user", content: "Again." }
          ]
        })
        assert.deepStrictEqual([...warnings], [
          "a block of the kind tool-call was not sent: acme does not take it back"
        ])
        assert.deepStrictEqual(
          asked[0]?.prompt.content[1],
          Prompt.make([{ role: "assistant", content: [{ type: "text", text: "Done." }] }]).content[0]
        )
      }).pipe(Effect.provide(clientOver(layer, { toolProtocol: "gemini" })))
    })

    const lost: ReadonlyArray<
      readonly [string, EffectAi.ProviderOptions["toolProtocol"], Partial<LlmRequest.Settings>]
    > = [
      ["fields of the tool file_search", "openai", {
        providerTools: [OpenAiTools.fileSearch({ vectorStoreIds: ["v"], results: true })]
      }],
      ["headers of the tool maps", "anthropic", {
        providerTools: [AnthropicTools.mcp({ name: "maps", url: "https://maps.example" })]
      }],
      ["timeRangeFilter of the tool googleSearch", "gemini", {
        providerTools: [GeminiTools.googleSearch({ timeRange: { start: new Date(0), end: new Date(1) } })]
      }],
      ["toolChoice: googleSearch", "gemini", {
        providerTools: [GeminiTools.googleSearch()],
        toolChoice: { tool: "googleSearch" }
      }],
      ["the tool web_search of anthropic", "openai", { providerTools: [AnthropicTools.webSearch()] }],
      ["two tools OpenAiMcp", "openai", {
        providerTools: ["maps", "mail"].map((label) => OpenAiTools.mcp({ label, url: `https://${label}.example` }))
      }],
      ["two tools AcmeSearch", undefined, {
        providerTools: [search],
        tools: [{ name: "AcmeSearch", parameters: { type: "object" } }]
      }]
    ]

    for (const [feature, toolProtocol, settings] of lost) {
      it.effect(`fail with UnsupportedFeature, and are not asked for, rather than lose a part of them: ${feature}`, () => {
        const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
        return Effect.gen(function*() {
          for (
            const { reason } of [
              yield* Effect.flip(LlmClient.call({ ...request, ...settings })),
              yield* Effect.flip(Stream.runDrain(LlmClient.stream({ ...request, ...settings })))
            ]
          ) {
            assert.deepInclude({ ...reason }, { _tag: "UnsupportedFeature", feature })
          }
          assert.lengthOf(asked, 0)
        }).pipe(Effect.provide(clientOver(layer, { toolProtocol })))
      })
    }
  })

  it.effect("shows the model the images of tool results, in their order and with the texts among them", () => {
    const { asked, layer } = modelOf({ parts: [{ type: "text", text: "Yes." }] })
    return Effect.gen(function*() {
      const bytes = new Uint8Array([1, 2, 3])
      const { warnings } = yield* LlmClient.call({
        model: "a-1",
        messages: [
          { role: "user", content: "Look." },
          { role: "assistant", content: [{ _tag: "ToolCall", id: "c1", name: "look", arguments: {} }] },
          {
            role: "tool",
            content: [{
              _tag: "ToolResult",
              id: "c1",
              result: { taken: "at noon" },
              parts: [
                { _tag: "Text", text: "The bank:" },
                { _tag: "Image", bytes, mediaType: "image/png" }
              ]
            }]
          }
        ]
      })
      const [messages, expectedWarnings] = resultWithImage(bytes)
      assert.deepStrictEqual(asked[0]?.prompt.content.slice(2), [...messages])
      assert.deepStrictEqual([...warnings], [...expectedWarnings])
    }).pipe(Effect.provide(clientOver(layer)))
  })

  describe("values", () => {
    const River = Schema.Struct({ name: Schema.String, length: Schema.optional(Schema.Number) })

    it.effect("are asked for with generateObject in the dialect of the service", () => {
      const { asked, layer } = modelOf({ parts: [{ type: "text", text: "{\"name\":\"Elbe\",\"length\":null}" }] })
      return Effect.gen(function*() {
        const { value } = yield* LlmClient.object(River, request, { name: "river" })
        assert.deepStrictEqual(value, { name: "Elbe" })
        const [{ responseFormat }] = asked as [Asked]
        assert.strictEqual(responseFormat.type, "json")
        if (responseFormat.type === "json") {
          assert.strictEqual(responseFormat.objectName, "river")
          assert.deepInclude(formatOf(responseFormat.schema), {
            additionalProperties: false,
            required: ["name", "length"]
          })
        }
        const streamed = yield* parts(LlmClient.streamObject(River, { ...request, prompt: "Another?" }))
        assert.deepInclude(streamed.at(-1), { _tag: "Finish", value: { name: "Elbe" } })
      }).pipe(Effect.provide(clientOver(layer, { schemaDialect: "openai" })))
    })

    it.effect("are described to the model in words where the dialect is not known, and beside tools", () => {
      const { asked, layer } = modelOf({ parts: [{ type: "text", text: "{\"name\":\"Elbe\"}" }] })
      return Effect.gen(function*() {
        const { value } = yield* LlmClient.object(River, request)
        assert.deepStrictEqual(value, { name: "Elbe" })
        assert.strictEqual(asked[0]?.responseFormat.type, "text")
        assert.include(JSON.stringify(asked[0]?.prompt.content[0]), "JSON Schema")
      }).pipe(Effect.provide(clientOver(layer)))
    })
  })

  // -------------------------------------------------------------------------------------------------------------------
  // Failures
  // -------------------------------------------------------------------------------------------------------------------

  describe("failures", () => {
    for (const [name, error, reason, isRetryable] of cases) {
      it.effect(`${name}: ${reason}, from a call and a stream`, () => {
        const { layer } = modelOf({ error })
        return Effect.gen(function*() {
          const failures = {
            call: yield* Effect.flip(LlmClient.call(request)),
            stream: yield* Effect.flip(Stream.runDrain(LlmClient.stream(request)))
          }
          for (const operation of ["call", "stream"] as const) {
            const failure = failures[operation]
            assert.strictEqual(failure.reason._tag, reason)
            assert.strictEqual(failure.isRetryable, isRetryable)
            assert.deepInclude({ ...failure }, { operation, provider: "acme", model: "a-1", attempts: 1 })
          }
          assert.strictEqual(failures.call.status, statusOf(error))
        }).pipe(Effect.provide(clientOver(layer)))
      })
    }

    it.effect("keep the wait that the service asks for, and the code of a broken connection", () =>
      Effect.gen(function*() {
        const errorOf = (error: AiError.AiError) =>
          Effect.flip(LlmClient.call(request)).pipe(Effect.provide(clientOver(modelOf({ error }).layer)))
        const [[, limited]] = cases as [typeof cases[0]]
        assert.deepStrictEqual((yield* errorOf(limited)).retryAfter, Duration.seconds(7))
        const broken = yield* errorOf(cases.find(([name]) => name === "a broken connection")![1])
        assert.deepInclude({ ...broken.reason }, { code: "ECONNREFUSED" })
      }))

    it.effect("quote neither the prompt nor a key", () => {
      const { layer } = modelOf({
        error: failing("Cannot read: Which of all the rivers in the world is it? sk-abcdefghijklmnopqrstuvwx1234567890")
      })
      return Effect.gen(function*() {
        const error = yield* Effect.flip(
          LlmClient.call({ ...request, prompt: "Which of all the rivers in the world is it?" })
        )
        assert.include(error.message, "Cannot read")
        assert.notInclude(error.message, "all the rivers in the world")
        assert.notInclude(error.message, "sk-abc")
      }).pipe(Effect.provide(clientOver(layer)))
    })

    const streamOf = (
      stream: Stream.Stream<Response.StreamPartEncoded, AiError.AiError>
    ) =>
      Effect.gen(function*() {
        const seen: Array<string> = []
        const result = yield* LlmClient.stream(request).pipe(
          Stream.runForEach((part) => Effect.sync(() => seen.push(part._tag))),
          Effect.either,
          Effect.provide(clientOver(modelOf({ stream }).layer))
        )
        return { seen, error: Either.getOrThrow(Either.flip(result)) }
      })

    const begun: ReadonlyArray<Response.StreamPartEncoded> = [
      { type: "text-start", id: "1" },
      { type: "text-delta", id: "1", delta: "The " },
      { type: "text-delta", id: "1", delta: "Elbe" }
    ]

    it.effect("in the middle of a stream keep what has come, but for those of the service itself", () =>
      Effect.gen(function*() {
        const broken = yield* streamOf(
          Stream.concat(
            Stream.fromIterable(begun),
            Stream.fail(cases.find(([name]) => name === "a broken connection")![1])
          )
        )
        assert.deepStrictEqual(broken.seen, ["TextDelta", "TextDelta"])
        assert.deepInclude({ ...broken.error.reason }, { _tag: "StreamInterrupted" })
        const { reason } = broken.error
        assert.strictEqual(reason._tag === "StreamInterrupted" ? reason.partial.text : "", "The Elbe")
        const failed = yield* streamOf(Stream.concat(Stream.fromIterable(begun), Stream.fail(status(500))))
        assert.strictEqual(failed.error.reason._tag, "ServerFailed")
        const reported = yield* streamOf(
          Stream.fromIterable([...begun, { type: "error", error: { error: { type: "overloaded_error" } } }])
        )
        assert.strictEqual(reported.error.reason._tag, "Overloaded")
      }))

    it.effect("an answer without an end is none, and neither is one that ends with an error", () =>
      Effect.gen(function*() {
        const empty = yield* streamOf(Stream.empty)
        assert.strictEqual(empty.error.reason._tag, "MalformedResponse")
        const half = yield* streamOf(Stream.fromIterable(begun))
        assert.strictEqual(half.error.reason._tag, "StreamInterrupted")
        const wrong = yield* streamOf(Stream.fromIterable([...begun, { ...finish, reason: "error" as const }]))
        assert.strictEqual(wrong.error.reason._tag, "ServerFailed")
      }))
  })

  it.effect("streams the same answer that call gives", () => {
    const call: ReadonlyArray<Response.PartEncoded> = [
      { type: "reasoning", text: "Hm.", metadata: { acme: { signature: "sig" } } },
      { type: "text", text: "The Elbe." },
      { type: "tool-call", id: "c1", name: "ask", params: { q: 1 } },
      { type: "tool-call", id: "c2", name: "ask", params: {} }
    ]
    const stream: ReadonlyArray<Response.StreamPartEncoded> = [
      { type: "reasoning-start", id: "r" },
      { type: "reasoning-delta", id: "r", delta: "H" },
      { type: "reasoning-delta", id: "r", delta: "m." },
      { type: "reasoning-end", id: "r", metadata: { acme: { signature: "sig" } } },
      { type: "text-start", id: "t" },
      { type: "text-delta", id: "t", delta: "The Elbe." },
      { type: "text-end", id: "t" },
      { type: "tool-params-start", id: "c1", name: "ask" },
      { type: "tool-params-delta", id: "c1", delta: "{\"q\"" },
      { type: "tool-params-delta", id: "c1", delta: ":1}" },
      { type: "tool-params-end", id: "c1" },
      { type: "tool-call", id: "c1", name: "ask", params: { q: 1 } },
      { type: "tool-call", id: "c2", name: "ask", params: {} },
      finish
    ]
    const { layer } = modelOf({ parts: call, stream: Stream.fromIterable(stream) })
    return Effect.gen(function*() {
      const asked = { ...request, tools: [{ name: "ask", parameters: { type: "object" } }] }
      const called = yield* LlmClient.call(asked, { cache: "bypass" })
      const streamed = (yield* parts(LlmClient.stream(asked, { cache: "bypass" }))).at(-1)
      assert.strictEqual(streamed?._tag, "Finish")
      if (streamed?._tag === "Finish") {
        assert.deepStrictEqual(streamed.response.parts, called.parts)
        assert.deepStrictEqual(streamed.response.usage, called.usage)
        assert.strictEqual(streamed.response.finishReason, "tool_calls")
      }
      assert.deepInclude(called.parts[1], Message.Text.make({ text: "The Elbe." }))
    }).pipe(Effect.provide(clientOver(layer)))
  })
})

describe("EffectAi.withEmbeddings", () => {
  const clientWith = (
    model: Layer.Layer<EmbeddingModel.EmbeddingModel>,
    options: { readonly maxInputs?: number } = {}
  ) =>
    LlmClient.layerDefault({ retry: false }).pipe(
      Layer.provide(
        EffectAi.layerProvider(named).pipe(EffectAi.withEmbeddings({ model: "e-1", ...options }))
      ),
      Layer.provide([model, modelOf({}).layer])
    )

  it.effect("embeds with the model of @effect/ai, in requests of no more texts than it takes", () => {
    const { asked, layer } = embeddingModel()
    return Effect.gen(function*() {
      const { embeddings, model, provider } = yield* LlmClient.embed({ model: "e-1", input: ["a", "bb", "ccc"] })
      assert.deepStrictEqual(embeddings, [[1, 1], [2, 1], [3, 1]])
      assert.deepStrictEqual([model, provider], ["e-1", "acme"])
      assert.deepStrictEqual(asked.map(({ length }) => length).sort(), [1, 2])
    }).pipe(Effect.provide(clientWith(layer, { maxInputs: 2 })))
  })

  it.effect("fails for another model, for what it cannot take, and as the model fails", () => {
    const { layer } = embeddingModel(malformedInput)
    return Effect.gen(function*() {
      const reasonOf = (fields: object) =>
        Effect.map(
          Effect.flip(LlmClient.embed({ model: "e-1", input: "a", ...fields })),
          ({ operation, reason }) => [operation, reason._tag]
        )
      assert.deepStrictEqual(yield* reasonOf({ model: "e-2" }), ["embed", "ModelNotFound"])
      assert.deepStrictEqual(yield* reasonOf({ dimensions: 2 }), ["embed", "UnsupportedFeature"])
      assert.deepStrictEqual(yield* reasonOf({ providerOptions: { acme: {} } }), ["embed", "UnsupportedFeature"])
      assert.deepStrictEqual(yield* reasonOf({}), ["embed", "InvalidRequest"])
    }).pipe(Effect.provide(clientWith(layer)))
  })
})
