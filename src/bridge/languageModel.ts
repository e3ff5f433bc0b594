import * as AiError from "@effect/ai/AiError"
import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { callOptionNames } from "../client/options.js"
import { checkedSettings } from "../domain/checkedSettings.js"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as LlmResponse from "../domain/LlmResponse.js"
import * as Rules from "../domain/requestRules.js"
import type { StreamPart } from "../domain/StreamPart.js"
import * as Check from "../internal/check.js"
import { type CallOptions, LlmClient, type ObjectOptions } from "../LlmClient.js"
import type { OutputMode } from "../LlmProvider.js"
import { cleanName } from "../output/traversal.js"
import * as AiErrors from "./aiErrors.js"
import * as AiTools from "./aiTools.js"
import * as AnswerParts from "./answerParts.js"
import * as PromptMessages from "./promptMessages.js"

/** The settings of requests that `@effect/ai` has no place for: all but the tools and the form of the answer. */
export interface Settings extends Omit<LlmRequest.Settings, "outputFormat" | "outputSchema" | "toolChoice" | "tools"> {
  /** The provider's name of the model. Default: that of the layer. */
  readonly model?: string | undefined
}

/** The options of a language model over the client. */
export interface LanguageModelOptions {
  /** The provider's name of the model. */
  readonly model: string
  /** Settings of each request: `temperature`, `maxTokens` ... Default: those of the client. */
  readonly settings?: Omit<Settings, "model"> | undefined
  /** The options of each call: `timeout`, `deadline`, `retry`, `cache` ... Default: those of the client. */
  readonly call?: CallOptions | undefined
  /** How often the model is asked again for an object that does not fit its schema. Default: 1. */
  readonly reask?: number | undefined
  /** How the model gets the schema of an object. Default: the best mode for the provider and the model. */
  readonly mode?: OutputMode | undefined
}

const optionNames: Check.Names<LanguageModelOptions> = {
  model: true,
  settings: true,
  call: true,
  reask: true,
  mode: true
}

const outputModes: ReadonlyArray<string> = ["native", "tool", "json", "prompt"] satisfies ReadonlyArray<OutputMode>

const noSettings: Settings = {}

/** The settings of a region of a program. */
export class RegionSettings extends Context.Reference<RegionSettings>()("effect-llm/EffectAi/RegionSettings", {
  defaultValue: () => noSettings
}) {}

/** Settings on top of others: an `undefined` one changes nothing. */
export const merge = (below: Settings, above: Settings): Settings => ({
  ...below,
  ...Object.fromEntries(Object.entries(above).filter(([, value]) => value !== undefined))
})

/** Checks the options. A mistake is a defect that names the option. */
const checked = (options: LanguageModelOptions): Effect.Effect<LanguageModelOptions> =>
  Effect.gen(function*() {
    const { call = {}, mode, model, reask = 1, settings = {} } = Check.known(options, optionNames)
    Check.known(call, callOptionNames, "call.")
    Check.integer("reask", reask, 0)
    if (mode !== undefined && !outputModes.includes(mode)) {
      Check.invalidOption("mode", `one of ${outputModes.join(", ")}`, mode)
    }
    if (!Rules.notEmpty.is(model)) Check.invalidOption("model", Rules.notEmpty.description, model)
    yield* checkedSettings("settings", settings)
    return options
  })

/** A request, and the means to read its answer. */
interface Prepared {
  readonly request: LlmRequest.MessagesInput
  readonly encodedArguments: AnswerParts.EncodedArguments
  readonly warnings: ReadonlyArray<string>
}

/** The choice of a tool, for a request that may have another name for it. */
const choiceOf = (
  choice: LanguageModel.ProviderOptions["toolChoice"],
  names: ReadonlyMap<string, string>
): LlmRequest.ToolChoice => {
  if (typeof choice === "string") return choice
  return "oneOf" in choice ? choice.mode ?? "auto" : { tool: names.get(choice.tool) ?? choice.tool }
}

/** The answer with further warnings. */
const warned = (response: LlmResponse.LlmResponse, warnings: ReadonlyArray<string>): LlmResponse.LlmResponse =>
  warnings.length === 0 ? response : LlmResponse.update(response, { warnings: [...response.warnings, ...warnings] })

/** The failure of an answer whose call cannot be read. */
const unreadable = ({ attempts, model, provider }: LlmResponse.LlmResponse, reason: LlmError.Reason) =>
  new LlmError.LlmError({ operation: "call", reason, attempts, model, provider })

/** The schema of an object as its text is read. */
const codecOf = (schema: Schema.Schema<unknown, unknown>): Schema.Schema<unknown, unknown> => schema

/** The failure of an object that its schema does not encode. */
const unencodable = (error: ParseResult.ParseError): AiError.AiError =>
  AiError.MalformedOutput.fromParseError({ module: "EffectAi", method: "generateObject", error })

/** A language model that asks in these ways. */
const asking = (ways: Parameters<typeof LanguageModel.make>[0]): Effect.Effect<LanguageModel.Service> =>
  LanguageModel.make(ways)

const timestamp: Effect.Effect<string> = Effect.map(DateTime.now, DateTime.formatIso)

/** Makes a language model that asks the client. */
export const make = (
  options: LanguageModelOptions
): Effect.Effect<LanguageModel.Service, never, LlmClient> =>
  Effect.gen(function*() {
    const { call, mode, model, reask, settings = noSettings } = yield* checked(options)
    const client = yield* LlmClient
    const objectOptions: ObjectOptions = { ...call, reask, mode }

    const prepare = (
      { prompt, toolChoice, tools }: LanguageModel.ProviderOptions,
      operation: LlmError.Operation
    ): Effect.Effect<Prepared, LlmError.LlmError> =>
      Effect.gen(function*() {
        const { model: asked = model, ...own } = merge(settings, yield* RegionSettings)
        const definitions = yield* Either.mapLeft(
          Either.all(tools.map(AiTools.definition)),
          (reason) => new LlmError.LlmError({ operation, attempts: 0, model: asked, reason })
        )
        const names = new Map(Arr.zip(tools.map(({ name }) => name), definitions.map(({ name }) => name)))
        const providerTools = [...own.providerTools ?? [], ...definitions.filter(AiTools.isProviderTool)]
        const toolkit = yield* client.toolkit(definitions.filter(AiTools.isProgramTool))
        const { messages, system, warnings } = PromptMessages.read(prompt, AiTools.encodedParams(tools))
        return {
          warnings,
          encodedArguments: toolkit.encodedArguments,
          request: {
            ...own,
            model: asked,
            ...(system !== undefined && { system }),
            messages,
            ...(providerTools.length > 0 && { providerTools }),
            ...(toolkit.definitions.length > 0 && { tools: toolkit.definitions }),
            ...(tools.length > 0 && { toolChoice: choiceOf(toolChoice, names) })
          }
        }
      })

    const text = (options: LanguageModel.ProviderOptions) =>
      Effect.gen(function*() {
        const { encodedArguments, request, warnings } = yield* prepare(options, "call")
        const response = warned(yield* client.call(request, call), warnings)
        const content = yield* Either.mapLeft(
          AnswerParts.whole(response, encodedArguments),
          (reason) => unreadable(response, reason)
        )
        return [...content, ...AnswerParts.ending(response, yield* timestamp)]
      }).pipe(Effect.mapError(AiErrors.toAiError("generateText")))

    const object = (
      options: LanguageModel.ProviderOptions,
      schema: Schema.Schema<unknown, unknown>,
      objectName: string
    ): Effect.Effect<Array<Response.PartEncoded>, AiError.AiError> =>
      Effect.gen(function*() {
        const { request, warnings } = yield* prepare(options, "object")
        const codec = codecOf(schema)
        const { response, value } = yield* client.object(codec, request, {
          ...objectOptions,
          name: cleanName(objectName)
        })
        // `@effect/ai` reads the value once more, from its text.
        const encoded = yield* Schema.encode(codec)(value).pipe(Effect.mapError(unencodable))
        const reasoning = response.parts.flatMap((part) =>
          part._tag === "Reasoning" && part.text !== undefined && part.text !== ""
            ? [{ type: "reasoning" as const, text: part.text }]
            : []
        )
        return [
          ...reasoning,
          { type: "text" as const, text: JSON.stringify(encoded) },
          ...AnswerParts.ending(warned(response, warnings), yield* timestamp)
        ]
      }).pipe(
        Effect.mapError((error) => LlmError.isLlmError(error) ? AiErrors.toAiError("generateObject")(error) : error)
      )

    return yield* asking({
      generateText: (options) =>
        options.responseFormat.type === "text"
          ? text(options)
          : object(
            options,
            // The services of the schema are those of the program that calls `generateObject`.
            options.responseFormat.schema as Schema.Schema<unknown, unknown>,
            options.responseFormat.objectName
          ),

      streamText: (options) =>
        Stream.unwrap(Effect.gen(function*() {
          const { encodedArguments, request, warnings } = yield* prepare(options, "stream")
          const answer = AnswerParts.makeStreamed(encodedArguments, yield* timestamp)
          const read = (part: StreamPart): ReturnType<typeof answer.push> =>
            answer.push(part._tag === "Finish" ? { ...part, response: warned(part.response, warnings) } : part)
          return client.stream(request, call).pipe(
            Stream.mapEffect((part) =>
              Either.mapLeft(
                read(part),
                (reason) => new LlmError.LlmError({ operation: "stream", reason, attempts: 1, model: request.model })
              )
            ),
            Stream.mapConcat(identity)
          )
        })).pipe(Stream.mapError(AiErrors.toAiError("streamText")))
    })
  })
