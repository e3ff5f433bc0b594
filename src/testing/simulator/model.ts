import { sha256Hex } from "#sha256"
import type { Answer, Completion, Finish, Prompt } from "./prompt.js"
import { countInputTokens, countTokens, takeTokens } from "./prompt.js"
import { valueOf } from "./schemaValue.js"
import { runsOf } from "./serverRuns.js"
import { hasWord, keywords, summarize } from "./summary.js"

/** A prompt with this prefix is answered with the rest of it. */
const echo = "Echo:"

/** The tools to call: those that the request requires, or those that the last user message names. */
const wantedTools = (prompt: Prompt): Prompt["tools"] => {
  const { parallelToolCalls, text, toolChoice, tools, turns } = prompt
  if (toolChoice === "none") return []
  if (typeof toolChoice === "object") return tools.filter((tool) => tool.name === toolChoice.tool)
  const named = turns.at(-1)?.role === "user" && !text.startsWith(echo)
    ? tools.filter((tool) => hasWord(text, tool.name))
    : []
  const wanted = named.length === 0 && toolChoice === "required" ? tools.slice(0, 1) : named
  return parallelToolCalls ? wanted : wanted.slice(0, 1)
}

const answerText = ({ format, text }: Prompt): string => {
  if (typeof format === "object") return JSON.stringify(valueOf(format.schema, keywords(text)))
  if (format === "json") return JSON.stringify({ answer: summarize(text) })
  return text.startsWith(echo) ? text.slice(echo.length).replace(/^ /, "") : summarize(text)
}

/** The answer of the simulator's model, as the head of `Simulator.ts` describes it. */
export const answer = (prompt: Prompt): Answer => {
  const words = keywords(prompt.text)
  const wanted = wantedTools(prompt)
  const reasoning = `The prompt is about ${words.slice(0, 3).join(", ")}.`
  if (wanted.length > 0) {
    return {
      reasoning,
      toolCalls: wanted.map(({ name, parameters }) => ({ name, arguments: valueOf(parameters, words) }))
    }
  }
  const serverRuns = prompt.text.startsWith(echo) ? [] : runsOf(prompt)
  // A model that waits for the program's approval says nothing more.
  const waits = serverRuns.some((run) => run.kind === "mcp" && run.waits === true)
  return { reasoning, serverRuns, ...(!waits && { text: answerText(prompt) }) }
}

/** Cuts a text before the first stop text in it. */
const applyStops = (
  text: string,
  stops: ReadonlyArray<string>
): { readonly text: string; readonly stopSequence?: string } => {
  let end = text.length
  let stopSequence: string | undefined
  for (const stop of stops) {
    const at = text.indexOf(stop)
    if (at >= 0 && at < end) {
      end = at
      stopSequence = stop
    }
  }
  return stopSequence === undefined ? { text } : { text: text.slice(0, end), stopSequence }
}

/** A hash of the prompt, the same whether it is streamed or not. */
const fingerprintOf = ({ request: _request, streaming: _streaming, ...prompt }: Prompt): string =>
  sha256Hex(JSON.stringify(prompt))

/** Finishes a model's answer: applies the stop texts and the token limit, and counts the tokens. */
export const complete = (prompt: Prompt, given: Answer): Completion => {
  const limit = prompt.maxTokens ?? Infinity
  let used = 0
  // Takes the part of a text that is within the limit, and counts it.
  const take = (text: string): string => {
    const taken = countTokens(text) <= limit - used ? text : takeTokens(text, limit - used)
    used += countTokens(taken)
    return taken
  }

  const wanted = {
    reasoning: prompt.thinks ? given.reasoning ?? "" : "",
    toolCalls: (given.toolCalls ?? []).map((call) => ({ ...call, arguments: JSON.stringify(call.arguments) ?? "{}" })),
    ...applyStops(given.text ?? "", prompt.stop)
  }
  const reasoning = take(wanted.reasoning)
  const reasoningTokens = used
  const text = take(wanted.text)
  const refusal = given.refusal === undefined ? undefined : take(given.refusal)
  const toolCalls: Array<Completion["toolCalls"][number]> = []
  for (const call of wanted.toolCalls) {
    if (used >= limit) break
    toolCalls.push({ name: call.name, arguments: take(call.arguments) })
  }

  const isWhole = reasoning === wanted.reasoning && text === wanted.text && refusal === given.refusal &&
    wanted.toolCalls.every((call, i) => toolCalls[i]?.arguments === call.arguments)
  const finish: Finish = !isWhole ? "length" : given.finish ?? (
    refusal !== undefined ? "refusal" : toolCalls.length > 0 ? "tool_calls" : "stop"
  )
  return {
    fingerprint: fingerprintOf(prompt),
    reasoning,
    text,
    toolCalls,
    serverRuns: given.serverRuns ?? [],
    finish,
    usage: {
      inputTokens: countInputTokens(prompt),
      cachedInputTokens: given.cachedInputTokens ?? 0,
      cacheWriteTokens: given.cacheWriteTokens ?? 0,
      outputTokens: used,
      reasoningTokens
    },
    ...(refusal !== undefined && { refusal }),
    ...(given.continueAfter !== undefined && { continueAfter: given.continueAfter }),
    ...(finish === "stop" && wanted.stopSequence !== undefined && { stopSequence: wanted.stopSequence })
  }
}
