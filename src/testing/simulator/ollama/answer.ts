import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Completion, Prompt } from "../prompt.js"
import type { Json, StreamEvent, Streaming } from "../protocol.js"
import { parseJson } from "../protocol.js"
import { deltas, ndjson } from "../streaming.js"

/** The nanoseconds that a token takes: invented, but always the same. */
const inputTokenTime = 1_000_000
const outputTokenTime = 10_000_000
const loadTime = 5_000_000

/** Calls are sent whole; one that the token limit cut is left out. */
const toolCalls = ({ fingerprint, toolCalls }: Completion): ReadonlyArray<Json> =>
  toolCalls.flatMap((call, index) =>
    Option.toArray(Either.getRight(parseJson(call.arguments))).map((args) => ({
      id: `call_${fingerprint.slice(8 + index, 16 + index)}`,
      function: { index, name: call.name, arguments: args }
    }))
  )

const line = ({ model }: Prompt, now: number, message: Json, rest: Json): Json => ({
  model,
  created_at: new Date(now).toISOString(),
  message: { role: "assistant", ...message },
  ...rest
})

/** The fields of the last line. A count of 0 is left out, also that of a prompt that is wholly in the cache. */
const ending = ({ finish, usage }: Completion, prompt: Prompt): Json => {
  // A request without messages only loads the model.
  if (prompt.turns.length === 0) return { done: true, done_reason: "load" }
  const input = usage.inputTokens - usage.cachedInputTokens
  const times = { input: input * inputTokenTime, output: usage.outputTokens * outputTokenTime }
  return {
    done: true,
    done_reason: finish === "length" || finish === "context_window" ? "length" : "stop",
    total_duration: loadTime + times.input + times.output,
    load_duration: loadTime,
    ...(input > 0 && { prompt_eval_count: input }),
    prompt_eval_duration: times.input,
    ...(usage.outputTokens > 0 && { eval_count: usage.outputTokens }),
    eval_duration: times.output
  }
}

const contentOf = ({ refusal, text }: Completion, { turns }: Prompt): string =>
  turns.length === 0 ? "" : text + (refusal ?? "")

/** A whole answer. */
export const encode = (completion: Completion, prompt: Prompt, now: number): Json => {
  const calls = toolCalls(completion)
  return line(
    prompt,
    now,
    {
      content: contentOf(completion, prompt),
      ...(completion.reasoning !== "" && { thinking: completion.reasoning }),
      ...(calls.length > 0 && { tool_calls: calls })
    },
    ending(completion, prompt)
  )
}

const events: Streaming["events"] = (completion, prompt, now) => {
  const content = (message: Json): StreamEvent => ({
    kind: "content",
    text: ndjson(line(prompt, now, message, { done: false }))
  })
  return [
    ...deltas(completion.reasoning).map((thinking) => content({ content: "", thinking })),
    ...deltas(contentOf(completion, prompt)).map((text) => content({ content: text })),
    ...toolCalls(completion).map((call) => content({ content: "", tool_calls: [call] })),
    { kind: "finish", text: ndjson(line(prompt, now, { content: "" }, ending(completion, prompt))) }
  ]
}

export const streaming: Streaming = {
  contentType: "application/x-ndjson",
  events,
  error: ({ body }) => ndjson(body),
  keepAlive: "\n",
  done: ""
}
