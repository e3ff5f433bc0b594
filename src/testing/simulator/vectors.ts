import type { Prompt } from "./prompt.js"

/** A text's words as they count: without case, endings and punctuation. */
const wordsOf = (text: string): ReadonlyArray<string> =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]).map((word) => word.length > 4 ? word.replace(/s$/, "") : word)

/** FNV-1a. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** A number for a seed, from -1 to 1. */
const noise = (seed: number): number => {
  let value = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b)
  value = Math.imul(value ^ (value >>> 16), 0x45d9f3b)
  return ((value ^ (value >>> 16)) >>> 0) / 0x7fffffff - 1
}

/**
 * The vector of a text: the sum of a direction for each of its words, of length 1. Texts with common words are close to each
 * other, and equal texts have equal vectors. All numbers have 32 bits.
 */
export const vectorOf = (text: string, dimensions: number): ReadonlyArray<number> => {
  const vector = new Float64Array(dimensions)
  for (const word of wordsOf(text)) {
    const seed = hash(word)
    for (let i = 0; i < dimensions; i++) vector[i] = (vector[i] ?? 0) + noise(seed + Math.imul(i, 0x9e3779b1))
  }
  const length = Math.hypot(...vector) || 1
  return Array.from(vector, (number) => Math.fround(number / length))
}

/** The prompt of a request for embeddings: each text is a turn. Its answer is no model's. */
export const promptOf = (
  { model, protocol, request, texts }: Pick<Prompt, "protocol" | "request" | "model"> & {
    readonly texts: ReadonlyArray<string>
  }
): Prompt => ({
  protocol,
  request,
  model,
  streaming: false,
  turns: texts.map((text) => ({ role: "user", text, attachments: 0, toolCalls: [] })),
  text: texts.join("\n"),
  tools: [],
  toolChoice: "none",
  parallelToolCalls: false,
  format: "text",
  stop: [],
  thinks: false,
  choices: 1
})

/** The vectors of a prompt's texts. */
export const vectorsOf = ({ turns }: Prompt, dimensions: number): ReadonlyArray<ReadonlyArray<number>> =>
  turns.map(({ text }) => vectorOf(text, dimensions))
