import type * as LlmResponse from "../domain/LlmResponse.js"
import * as Json from "../wire/json.js"

const choiceOf = (value: Json.JsonObject): LlmResponse.TokenChoice | undefined => {
  const { bytes, logprob, token } = value
  if (typeof token !== "string" || typeof logprob !== "number") return undefined
  return { token, logprob, ...(Array.isArray(bytes) && { bytes: bytes.filter((byte) => typeof byte === "number") }) }
}

/** Reads a list of tokens with their probabilities, in OpenAI's form, which other protocols share. */
export const read = (values: unknown): ReadonlyArray<LlmResponse.Logprob> =>
  Json.array(values).map(Json.object).flatMap((value) => {
    const chosen = choiceOf(value)
    if (chosen === undefined) return []
    const top = Json.array(value.top_logprobs).flatMap((other) => choiceOf(Json.object(other)) ?? [])
    return [{ ...chosen, ...(top.length > 0 && { top }) }]
  })

/** The old form of completions: tokens and probabilities in lists of their own. */
const readLists = ({ token_logprobs, tokens, top_logprobs }: Json.JsonObject): ReadonlyArray<LlmResponse.Logprob> => {
  const [values, top] = [Json.array(token_logprobs), Json.array(top_logprobs)]
  return read(
    Json.array(tokens).map((token, i) => ({
      token,
      logprob: values[i],
      top_logprobs: Object.entries(Json.object(top[i])).map(([token, logprob]) => ({ token, logprob }))
    }))
  )
}

/** Reads the probabilities of a choice of Chat Completions: of its text, or of its refusal. */
export const ofChoice = (value: unknown): ReadonlyArray<LlmResponse.Logprob> => {
  const logprobs = Json.object(value)
  return Array.isArray(logprobs.tokens) ? readLists(logprobs) : [...read(logprobs.content), ...read(logprobs.refusal)]
}
