import type * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Stream from "effect/Stream"
import * as LlmError from "../domain/LlmError.js"
import * as LlmRequest from "../domain/LlmRequest.js"
import type * as LlmResponse from "../domain/LlmResponse.js"
import type * as Reasoning from "../domain/reasoning.js"
import * as StreamPart from "../domain/StreamPart.js"
import * as Check from "../internal/check.js"
import * as LlmProvider from "../LlmProvider.js"
import * as Settings from "../providers/settings.js"
import { classify } from "../wire/classify.js"
import * as AiErrors from "./aiErrors.js"
import * as AiTools from "./aiTools.js"
import * as AnswerReader from "./answerReader.js"
import * as DefinedTools from "./definedTools.js"
import * as RequestPrompt from "./requestPrompt.js"

/** A setting of a request that `@effect/ai` has no place for: its language models have it in their own layer. */
export type Setting = "model" | "providerOptions" | Droppable | typeof binding[number]

/** The options of a provider over a language model. */
export interface ProviderOptions {
  /** The provider's name in telemetry, cache keys and errors. */
  readonly name: string
  /** The address that requests go to. Two endpoints never share cached answers. */
  readonly endpoint: string
  /** The name of the model behind the layer. A request for another one fails with `ModelNotFound`. */
  readonly model: string
  /** A lasting name of the account, to which encrypted and signed reasoning belongs. Default: the endpoint. */
  readonly account?: string | undefined
  /**
   * Hands the settings of a request to the language model: for example, with the `withConfigOverride` of its module.
   * Default: they are not handed on.
   */
  readonly configure?:
    | ((request: LlmRequest.LlmRequest) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>)
    | undefined
  /**
   * The settings that `configure` hands on. Of the others, `maxTokens`, `stop`, `outputFormat` and `providerOptions` fail
   * with `UnsupportedFeature`, and the rest is left out with a warning. Default: none.
   */
  readonly takes?: ReadonlyArray<Setting> | undefined
  /**
   * The dialect of JSON Schema that the service takes. Values are then asked for with `generateObject`. Default: they are
   * described to the model in words.
   */
  readonly schemaDialect?: LlmProvider.Service["schemaDialect"]
  /**
   * The protocol whose tools the service runs, as in `ProviderTool`: "openai", "anthropic" or "gemini". The `providerTools`
   * of requests are then handed on as those of its package. Default: only tools of `EffectAi.providerTool` are, and others
   * fail with `UnsupportedFeature`.
   */
  readonly toolProtocol?: "openai" | "anthropic" | "gemini" | undefined
}

const optionNames: Check.Names<ProviderOptions> = {
  name: true,
  endpoint: true,
  model: true,
  account: true,
  configure: true,
  takes: true,
  schemaDialect: true,
  toolProtocol: true
}

/** A setting that may be left out: the answer still fits the request. */
type Droppable = Exclude<Settings.Setting, "toolChoice"> | "user"

const droppable: ReadonlyArray<Droppable> = [
  ...Settings.allSettings.filter((setting) => setting !== "toolChoice"),
  "user"
]
const binding = ["maxTokens", "stop", "outputFormat"] as const

/** A request as `@effect/ai` takes it. */
interface Prepared {
  readonly options: typeof AiTools.unresolved & {
    readonly prompt: RequestPrompt.RequestPrompt["prompt"]
    readonly toolkit: ReturnType<typeof AiTools.toolkitOf>
    readonly toolChoice: LanguageModel.ToolChoice<string>
  }
  readonly reader: AnswerReader.AnswerReader
}

type Operation = "call" | "stream"

const unsupported = (feature: string): LlmError.Reason =>
  LlmError.UnsupportedFeature.make({
    feature,
    message: `${feature}: a LanguageModel takes it in its own layer only, or by the option configure`
  })

/** Asks for an answer, in the form of a schema if there is one. */
const ask = (
  ai: LanguageModel.Service,
  options: Prepared["options"],
  outputSchema: LlmRequest.LlmRequest["outputSchema"]
): Effect.Effect<ReadonlyArray<AnswerReader.Part>, AiError.AiError> =>
  Effect.map(
    outputSchema === undefined
      ? ai.generateText(options)
      : ai.generateObject({
        ...options,
        schema: AiTools.jsonObject(outputSchema.schema),
        objectName: outputSchema.name
      }),
    ({ content }) => content
  )

/** Makes a provider that asks a language model. */
export const make = (
  options: ProviderOptions
): Effect.Effect<LlmProvider.Service, never, LanguageModel.LanguageModel> =>
  Effect.gen(function*() {
    const {
      account,
      configure = () => identity,
      endpoint,
      model,
      name,
      schemaDialect,
      takes = [],
      toolProtocol
    } = Check.known(options, optionNames)
    const ai = yield* LanguageModel.LanguageModel

    /** The reason why a request cannot be asked for. */
    const obstacle = (request: LlmRequest.LlmRequest): LlmError.Reason | undefined => {
      if (request.model !== model && !takes.includes("model")) {
        return LlmError.ModelNotFound.make({ message: `the model is ${model}` })
      }
      const setting = binding.find((setting) => request[setting] !== undefined && !takes.includes(setting))
      if (setting !== undefined) return unsupported(setting)
      const hasRaw = request.providerOptions?.[name] !== undefined && !takes.includes("providerOptions")
      // A tool of `@effect/ai` has no place for raw fields.
      if (hasRaw || request.tools?.some(({ providerOptions }) => providerOptions?.[name] !== undefined) === true) {
        return unsupported("providerOptions")
      }
      return request.outputSchema !== undefined && schemaDialect === undefined
        ? unsupported("outputSchema")
        : undefined
    }

    const failed = (operation: Operation, { model }: LlmRequest.LlmRequest, failure: AiErrors.Failure, attempts = 1) =>
      AiErrors.toLlmError(failure, { operation, attempts, provider: name, model })

    const circumstances = (request: LlmRequest.LlmRequest) =>
      Effect.map(Clock.currentTimeMillis, (nowMillis) => ({ nowMillis, sources: LlmRequest.texts(request) }))

    const prepare = (
      operation: Operation,
      request: LlmRequest.LlmRequest
    ): Effect.Effect<Prepared, LlmError.LlmError> =>
      Effect.gen(function*() {
        const reason = obstacle(request)
        if (reason !== undefined) return yield* failed(operation, request, { reason }, 0)
        const attempt = yield* LlmProvider.CurrentAttempt
        const reader: Reasoning.Reader = {
          provider: name,
          account: account ?? attempt.account ?? endpoint,
          model: request.model
        }
        const defined = DefinedTools.named(request, toolProtocol)
        if (Either.isLeft(defined)) return yield* failed(operation, request, { reason: defined.left }, 0)
        const { prompt, warnings } = RequestPrompt.make(request, reader, DefinedTools.takesBack(toolProtocol))
        const dropped = droppable.filter((setting) => request[setting] !== undefined && !takes.includes(setting))
        const { toolChoice = "auto", tools = [] } = request
        const chosen = DefinedTools.choice(request, defined.right)
        return {
          options: {
            ...AiTools.unresolved,
            prompt,
            toolkit: AiTools.toolkitOf(tools, defined.right),
            toolChoice: chosen === undefined ? toolChoice : { tool: chosen }
          },
          reader: AnswerReader.make({
            request,
            reader,
            warnings: [
              ...warnings,
              ...dropped.map((setting) => `${setting} was not sent: the model takes it in its own layer`)
            ]
          })
        }
      })

    /** Reads a problem of an answer. */
    const reasonOf = (
      problem: LlmError.Reason | AnswerReader.ReportedError,
      request: LlmRequest.LlmRequest
    ): Effect.Effect<LlmError.Reason> =>
      problem instanceof AnswerReader.ReportedError
        ? Effect.map(circumstances(request), (options) => classify(problem.error, options))
        : Effect.succeed(problem)

    const finished = (
      operation: Operation,
      request: LlmRequest.LlmRequest,
      reader: AnswerReader.AnswerReader
    ): Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError> =>
      Effect.suspend(() => {
        const answer = reader.finish()
        return "_tag" in answer ? failed(operation, request, { reason: answer }) : Effect.succeed(answer)
      })

    const call = (request: LlmRequest.LlmRequest): Effect.Effect<LlmResponse.LlmResponse, LlmError.LlmError> =>
      Effect.gen(function*() {
        const { options, reader } = yield* prepare("call", request)
        const content = yield* ask(ai, options, request.outputSchema).pipe(
          configure(request),
          Effect.catchAll((error) =>
            Effect.flatMap(circumstances(request), (given) => failed("call", request, AiErrors.read(error, given)))
          )
        )
        for (const part of content) {
          const problem = reader.push(part)
          if (problem !== undefined) {
            return yield* failed("call", request, { reason: yield* reasonOf(problem, request) })
          }
        }
        return yield* finished("call", request, reader)
      })

    /** The failure of a stream. After the first part, it keeps the answer so far. */
    const streamFailure = (
      request: LlmRequest.LlmRequest,
      reader: AnswerReader.AnswerReader,
      failure: AiErrors.Failure
    ): LlmError.LlmError => {
      const error = failed("stream", request, failure)
      switch (failure.reason._tag) {
        case "NetworkFailed":
        case "MalformedResponse":
        case "StreamInterrupted":
          return reader.begun()
            ? failed("stream", request, { ...failure, reason: reader.interrupted(error.message) })
            : error
        default:
          return error
      }
    }

    const streamText = (request: LlmRequest.LlmRequest): Stream.Stream<StreamPart.StreamPart, LlmError.LlmError> =>
      Stream.unwrap(Effect.gen(function*() {
        const { options, reader } = yield* prepare("stream", request)
        // Services that `configure` provides are in the context inside it.
        const context = yield* configure(request)(Effect.context<never>())
        return ai.streamText(options).pipe(
          Stream.provideContext(context),
          Stream.catchAll((error) =>
            Stream.fromEffect(
              Effect.flatMap(
                circumstances(request),
                (given) => Effect.fail(streamFailure(request, reader, AiErrors.read(error, given)))
              )
            )
          ),
          Stream.mapEffect((part) => {
            const problem = reader.push(part)
            return problem === undefined
              ? Effect.succeed(reader.take())
              : Effect.flatMap(reasonOf(problem, request), (reason) => failed("stream", request, { reason }))
          }),
          Stream.concat(Stream.fromEffect(
            Effect.map(finished("stream", request, reader), (response): ReadonlyArray<StreamPart.StreamPart> => [
              ...reader.take(),
              StreamPart.Finish({ response })
            ])
          )),
          Stream.mapConcat(identity)
        )
      }))

    return LlmProvider.make({
      name,
      endpoint,
      account,
      schemaDialect,
      // `generateObject` has no answer with calls in it.
      outputMode: (_, besideTools) => schemaDialect === undefined || besideTools === true ? "prompt" : "native",
      call,
      stream: (request) =>
        request.outputSchema === undefined
          ? streamText(request)
          // Values are not streamed.
          : Stream.mapConcat(Stream.fromEffect(call(request)), StreamPart.fromResponse)
    })
  })
