import type { Reason } from "../../domain/LlmError.js"
import { MalformedResponse, Overloaded, ServerFailed } from "../../domain/LlmError.js"
import type { FinishReason } from "../../domain/LlmResponse.js"
import type { ResponsePart } from "../../domain/Message.js"
import type * as Json from "../../wire/json.js"

/** The words for the end of an answer: the protocol's, and those that gateways pass on from other protocols. */
const words: ReadonlyMap<string, FinishReason> = new Map<string, FinishReason>([
  ...["stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete", "completed", "end"]
    .map((word) => [word, "stop"] as const),
  ...["length", "model_length", "max_tokens", "max_output_tokens", "max_completion_tokens", "max_length", "token_limit"]
    .map((word) => [word, "length"] as const),
  ...["model_context_window_exceeded", "context_window_exceeded", "context_length_exceeded", "error_limit"]
    .map((word) => [word, "context_window"] as const),
  ...["tool_calls", "tool_call", "tool_use", "function_call", "function_calls"]
    .map((word) => [word, "tool_calls"] as const),
  ...[
    "content_filter",
    "content_filtered",
    "guardrail_intervened",
    "safety",
    "prohibited_content",
    "blocklist",
    "spii",
    "recitation",
    "sensitive",
    "error_toxic"
  ].map((word) => [word, "content_filter"] as const),
  ["refusal", "refusal"],
  ["pause_turn", "pause"]
])

/** Words of services that fill in the field before the end of the answer. */
const silence: ReadonlySet<string> = new Set(["", "null", "none", "undefined", "unspecified", "in_progress"])

/** A word for a failure of the service is one of these, or contains one: `network_error`, `upstream_timeout`. */
const failure =
  /(?:^|_)(?:error|fail(?:ed|ure)|abort(?:ed)?|cancell?ed|timeout|timed_out|interrupted|disconnected|malformed)(?:_|$)/
const overload = /(?:^|_)(?:overloaded|unavailable|insufficient_system_resource|over_capacity)(?:_|$)/

/** If two words differ, the graver one counts: a cut answer must not be taken for a whole one. */
const gravity: ReadonlyArray<FinishReason> = [
  "other",
  "stop",
  "tool_calls",
  "pause",
  "length",
  "context_window",
  "content_filter",
  "refusal"
]

const snakeCase = (word: string): string =>
  word.trim().replace(/([a-z\d])([A-Z])/g, "$1_$2").replace(/[\s-]+/g, "_").toLowerCase().replace(/^finish_reason_/, "")

/** Reads one word: the reason for which the answer ended, the failure that ended it, or nothing. */
const read = (value: unknown): FinishReason | Reason | undefined => {
  if (typeof value !== "string") return undefined
  const word = snakeCase(value)
  if (silence.has(word)) return undefined
  const known = words.get(word)
  if (known !== undefined) return known
  // The word is the service's, and may be anything: only its kind is passed on.
  if (overload.test(word)) return Overloaded.make({ message: "the service lacks the resources to answer" })
  if (failure.test(word)) return ServerFailed.make({ message: "the service ended the answer with an error" })
  return "other"
}

const graver = (one: FinishReason | undefined, other: FinishReason | undefined): FinishReason | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return gravity.indexOf(other) > gravity.indexOf(one) ? other : one
}

/**
 * The end that a choice names, together with the end that earlier chunks named; or the failure that it names. In a
 * stream the word of the service behind a gateway may come before its end: there it counts only together with the
 * gateway's own.
 */
export const endOf = (
  choice: Json.JsonObject | undefined,
  earlier: FinishReason | undefined,
  whole: boolean
): FinishReason | Reason | undefined => {
  const said = read(choice?.finish_reason)
  // OpenRouter adds the word of the service behind it, which knows more.
  const native = read(choice?.native_finish_reason)
  if (typeof said === "object") return said
  if (typeof native === "object") return native
  return graver(earlier, said === undefined && !whole ? undefined : graver(said, native))
}

/** Whether something cut the answer short, so that a tool call may be unfinished. */
export const isCut = (end: FinishReason): boolean =>
  end === "length" || end === "context_window" || end === "content_filter"

/**
 * The finish reason of an answer with these parts. Services use many words for an end with tool calls: the calls
 * decide, unless the answer was cut or refused.
 */
export const finishReason = (end: FinishReason, parts: ReadonlyArray<ResponsePart>): FinishReason | Reason => {
  if (isCut(end) || end === "refusal") return end
  if (parts.some((part) => part._tag === "ToolCall")) return "tool_calls"
  if (end === "stop" && parts.some((part) => part._tag === "Refusal")) return "refusal"
  // Without content, an answer counts only if it ended by itself, with nothing left unread.
  return parts.length === 0 && end !== "stop"
    ? MalformedResponse.make({ message: "the answer has neither content nor calls" })
    : end
}
