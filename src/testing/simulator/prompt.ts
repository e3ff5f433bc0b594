/** What every protocol's request comes down to, and what every protocol's answer is made from. */

/** A wire protocol that the simulator speaks. */
export type ProtocolName = "openai-chat" | "openai-responses" | "anthropic-messages" | "gemini" | "ollama"

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
  /** The turn's text; for the role `tool` what the tools gave back. */
  readonly text: string
  /** How many images, files and the like it has. */
  readonly attachments: number
  readonly toolCalls: ReadonlyArray<TurnToolCall>
}

/** A request that a protocol decoded and found valid. */
export interface Prompt {
  readonly protocol: ProtocolName
  /** The body as it came, for what a protocol has of its own. */
  readonly request: Readonly<Record<string, unknown>>
  /** Whether the answer is to be streamed. */
  readonly streaming: boolean
  readonly model: string
  readonly turns: ReadonlyArray<Turn>
  /** What is to be answered: the text of the last turn that is not the assistant's. */
  readonly text: string
  readonly tools: ReadonlyArray<PromptTool>
  readonly toolChoice: "auto" | "none" | "required" | { readonly tool: string }
  /** Whether one answer may hold several tool calls. */
  readonly parallelToolCalls: boolean
  /** What the answer's text has to be: any text, a JSON object, or JSON that fits a schema. */
  readonly format: "text" | "json" | { readonly schema: unknown }
  /** The most tokens to answer with, reasoning included. */
  readonly maxTokens?: number | undefined
  /** Texts that end the answer. */
  readonly stop: ReadonlyArray<string>
  /** Whether the model is to think before it answers. */
  readonly thinks: boolean
  /** How many answers are wanted. */
  readonly choices: number
}

/** What a model answers, before its token limit and stop texts are applied. What is left out is empty. */
export interface Answer {
  readonly text?: string | undefined
  /** What the model thought, where the request has it think. */
  readonly reasoning?: string | undefined
  readonly toolCalls?: ReadonlyArray<{ readonly name: string; readonly arguments: unknown }> | undefined
  /** The model declines, in these words. */
  readonly refusal?: string | undefined
  /** Why the model stops. Default: what follows from the rest. */
  readonly finish?: Finish | undefined
  /** The part of the input tokens that the provider's prompt cache had. Default: 0. */
  readonly cachedInputTokens?: number | undefined
  /** The part of the input tokens that was written to the provider's prompt cache. Default: 0. */
  readonly cacheWriteTokens?: number | undefined
}

/** Why a model stopped. Each protocol has its own word for it. */
export type Finish = "stop" | "length" | "tool_calls" | "content_filter" | "refusal" | "pause" | "context_window"

/** Tokens by `countTokens`. */
export interface Usage {
  /** All input, cached or not. */
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  /** All output, reasoning included. */
  readonly outputTokens: number
  readonly reasoningTokens: number
}

/** A finished answer: what a protocol puts into its own shape. */
export interface Completion {
  /** Lower-case hex, the same for the same prompt: ids are made of it. */
  readonly fingerprint: string
  readonly reasoning: string
  readonly text: string
  /** `arguments` is JSON text, cut where the token limit cut it. */
  readonly toolCalls: ReadonlyArray<{ readonly name: string; readonly arguments: string }>
  readonly refusal?: string | undefined
  readonly finish: Finish
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

/** The longest beginning of a text that has at most so many tokens, cut between characters. */
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

/** All that a prompt's input tokens are counted from: every turn, every tool, the schema; attachments at a flat rate. */
export const countInputTokens = (prompt: Prompt): number =>
  prompt.turns.reduce(
    (total, turn) =>
      total + countTokens(turn.text) + turn.attachments * tokensPerAttachment +
      turn.toolCalls.reduce((sum, call) => sum + countTokens(call.name + JSON.stringify(call.arguments)), 0),
    0
  ) +
  prompt.tools.reduce((sum, tool) => sum + countTokens(JSON.stringify(tool)), 0) +
  (typeof prompt.format === "object" ? countTokens(JSON.stringify(prompt.format.schema)) : 0)
