/**
 * The tools that Google runs itself for Gemini: its search, pages, code. They go into `providerTools` of a request, or
 * among the tools of `LlmClient.runTools`. Code and its output come as `Opaque` parts and go back with the
 * conversation; the pages that an answer is based on, or that were read for it, come as `Source` parts. A `toolChoice`
 * that requires one of these tools fails with `UnsupportedFeature` before anything is sent; up to 2.5, so do these
 * tools beside the program's, or with JSON as the answer. With the choice "none" they are not sent.
 *
 * @see https://ai.google.dev/gemini-api/docs/tools
 * @since 0.1.0
 */
import type * as LlmRequest from "../../domain/LlmRequest.js"
import * as LlmTool from "../../output/LlmTool.js"

const make = (name: string, fields: { readonly [field: string]: unknown } = {}): LlmRequest.ProviderTool =>
  LlmTool.providerTool({ protocol: "gemini", name, tool: { [name]: fields } })

/**
 * A period: from its start up to, but not including, its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface TimeRange {
  /** The first moment. */
  readonly start: Date
  /** The first moment after the period. */
  readonly end: Date
}

/**
 * Options for Google's search.
 *
 * @since 0.1.0
 * @category models
 */
export interface GoogleSearchOptions {
  /** Only pages of this period. Not on Vertex. Default: any time. */
  readonly timeRange?: TimeRange | undefined
}

/**
 * Searches the web with Google.
 *
 * @since 0.1.0
 * @category constructors
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { GeminiTools, LlmClient } from "effect-llm"
 *
 * const program = LlmClient.call({
 *   model: "gemini-2.5-flash",
 *   prompt: "How high is the Elbe in Dresden today?",
 *   providerTools: [GeminiTools.googleSearch()]
 * }).pipe(
 *   Effect.map(({ sources, text }) => ({ text, pages: sources.map(({ url }) => url) }))
 * )
 * ```
 */
export const googleSearch = ({ timeRange }: GoogleSearchOptions = {}): LlmRequest.ProviderTool =>
  make("googleSearch", {
    ...(timeRange && {
      timeRangeFilter: { startTime: timeRange.start.toISOString(), endTime: timeRange.end.toISOString() }
    })
  })

/**
 * Reads pages whose addresses are in the prompt.
 *
 * @since 0.1.0
 * @category constructors
 */
export const urlContext = (): LlmRequest.ProviderTool => make("urlContext")

/**
 * Runs Python that the model writes.
 *
 * @since 0.1.0
 * @category constructors
 */
export const codeExecution = (): LlmRequest.ProviderTool => make("codeExecution")
