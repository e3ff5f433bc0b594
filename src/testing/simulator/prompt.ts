import type { Decision, ServerRun, ServerTool } from "./serverTools.js"

/** Requests and answers in a form for all protocols. */

/** A wire protocol that the simulator speaks. */
export type ProtocolName =
  | "openai-chat"
  | "openai-responses"
  | "openai-background"
  | "openai-embeddings"
  | "anthropic-messages"
  | "gemini"
  | "gemini-embeddings"
  | "ollama"
  | "ollama-embeddings"
  | "openai-models"
  | "anthropic-models"
  | "gemini-models"
  | "ollama-models"
  | "openai-count-tokens"
  | "anthropic-count-tokens"
  | "gemini-count-tokens"
  | "openai-files"
  | "openai-batches"
  | "anthropic-batches"
  | "gemini-files"
  | "gemini-batches"

/** A tool that the model may ask for. */
export interface PromptTool {
  readonly name: string
  readonly description?: string | undefined
  /** The JSON Schema of the arguments. */
  readonly parameters: unknown
}

/** A call that a model made in an earlier turn. */
export interface TurnToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: unknown
}

/** One turn of the conversation. */
export interface Turn {
  readonly role: "system" | "user" | "assistant" | "tool"
  /** The text of the turn; for the role `tool`, the result. */
  readonly text: string
  /** The number of images, files and the like. */
  readonly attachments: number
  readonly toolCalls: ReadonlyArray<TurnToolCall>
}

/** A request that a protocol decoded and found valid. */
export interface Prompt {
  readonly protocol: ProtocolName
  /** The body of the request, for settings that only one protocol has. */
  readonly request: Readonly<Record<string, unknown>>
  /** Whether the answer is streamed. */
  readonly streaming: boolean
  readonly model: string
  readonly turns: ReadonlyArray<Turn>
  /** The text to answer: that of the last turn that is not the assistant's. */
  readonly text: string
  readonly tools: ReadonlyArray<PromptTool>
  /** The tools that the service runs. Absent: none. */
  readonly serverTools?: ReadonlyArray<ServerTool> | undefined
  /** The program's decisions on calls of the service's tools that waited for approval. Absent: none. */
  readonly decisions?: ReadonlyArray<Decision> | undefined
  /** Whether a tool must be called, and which one, of the program's or the service's. */
  readonly toolChoice: "auto" | "none" | "required" | { readonly tool: string }
  /** Whether one answer may hold several tool calls. */
  readonly parallelToolCalls: boolean
  /** The format of the answer: any text, a JSON object, or JSON that fits a schema. */
  readonly format: "text" | "json" | { readonly schema: unknown }
  /** The token limit of the answer, reasoning included. Absent: no limit. */
  readonly maxTokens?: number | undefined
  /** Texts that end the answer. */
  readonly stop: ReadonlyArray<string>
  /** Whether the model has to think before it answers. */
  readonly thinks: boolean
  /** The number of answers. */
  readonly choices: number
}

/** A model's answer, before the token limit and the stop texts are applied. Absent fields are empty. */
export interface Answer {
  readonly text?: string | undefined
  /** The model's thoughts. Ignored unless the request makes it think. */
  readonly reasoning?: string | undefined
  readonly toolCalls?: ReadonlyArray<{ readonly name: string; readonly arguments: unknown }> | undefined
  /**
   * The tools that the service ran before the text, which cites their results. Protocols leave out the kinds that they
   * do not have; Chat Completions and Ollama have none.
   */
  readonly serverRuns?: ReadonlyArray<ServerRun> | undefined
  /** The words in which the model declines. */
  readonly refusal?: string | undefined
  /** The reason why the model stops. Default: `refusal`, `tool_calls` or `stop`, by the other fields. */
  readonly finish?: Finish | undefined
  /**
   * The number of parts after which Gemini interrupts the answer (`CONTINUATION`), each time, so that a continuation
   * token continues it. In a stream each word is a part with such a token. Default: never.
   */
  readonly continueAfter?: number | undefined
  /** The input tokens that were read from the provider's prompt cache. Default: 0. */
  readonly cachedInputTokens?: number | undefined
  /** The input tokens that were written to the provider's prompt cache. Default: 0. */
  readonly cacheWriteTokens?: number | undefined
}

/** The reason why a model stopped. Each protocol has its own word for it. */
export type Finish = "stop" | "length" | "tool_calls" | "content_filter" | "refusal" | "pause" | "context_window"

/** Numbers of tokens, as `countTokens` counts them. */
export interface Usage {
  /** All input, cached or not. */
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  /** All output, reasoning included. */
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** A finished answer, which a protocol encodes. */
export interface Completion {
  /** Lower-case hex, the same for the same prompt. Ids are made of it. */
  readonly fingerprint: string
  readonly reasoning: string
  readonly text: string
  /** `arguments` is JSON text, cut where the token limit cut it. */
  readonly toolCalls: ReadonlyArray<{ readonly name: string; readonly arguments: string }>
  readonly serverRuns: ReadonlyArray<ServerRun>
  readonly refusal?: string | undefined
  readonly finish: Finish
  readonly continueAfter?: number | undefined
  /** The stop text that ended the answer. */
  readonly stopSequence?: string | undefined
  readonly usage: Usage
}

const encoder = new TextEncoder()

/** Bytes that count as one token. */
const bytesPerToken = 4

const tokensPerAttachment = 256

/** The simulator's estimate of a text's tokens: one for each four bytes of UTF-8, rounded up. */
export const countTokens = (text: string): number => Math.ceil(encoder.encode(text).length / bytesPerToken)

/** The longest beginning of a text with at most `tokens` tokens, cut between characters. */
export const takeTokens = (text: string, tokens: number): string => {
  let bytes = 0
  let end = 0
  for (const character of text) {
    bytes += encoder.encode(character).length
    if (bytes > tokens * bytesPerToken) break
    end += character.length
  }
  return text.slice(0, end)
}

/** Counts the input tokens of a prompt: turns, tools and schema, and a flat rate for each attachment. */
export const countInputTokens = (prompt: Prompt): number =>
  prompt.turns.reduce(
    (total, turn) =>
      total + countTokens(turn.text) + turn.attachments * tokensPerAttachment +
      turn.toolCalls.reduce((sum, call) => sum + countTokens(call.name + JSON.stringify(call.arguments)), 0),
    0
  ) +
  prompt.tools.reduce((sum, tool) => sum + countTokens(JSON.stringify(tool)), 0) +
  (typeof prompt.format === "object" ? countTokens(JSON.stringify(prompt.format.schema)) : 0)
