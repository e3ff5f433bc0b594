/**
 * What is asked and what comes back. A prompt says what the server shall do with it, so that all clients reach it at one
 * address; the answer depends on the number of the call, so that one call's answer never passes for another's.
 *
 * @typedef {object} Plan
 * @property {number} n        the number of the call: no two calls of a process have the same
 * @property {number} [deltas] how many pieces the text has. Default: 16
 * @property {number} [gap]    milliseconds from one event to the next. Default: 0, all events at once
 * @property {number} [each]   1: each event in a write of its own, without waiting. Default: 0
 * @property {number} [cut]    divides the bytes of the answer after so many, wherever that falls. Default: 0, nowhere
 * @property {number} [group]  answers when so many requests are there. Default: 1
 * @property {number} [wide]   1: text with characters of two to four bytes. Default: 0
 * @property {number} [json]   1: the text is the JSON of `valueOf`. Default: 0
 */

const padding = " Say it in plain words, and keep to what was asked.".repeat(4)

/** A prompt of about 250 bytes. */
export const promptOf = (plan) =>
  `[${Object.entries(plan).map(([name, value]) => `${name}=${value}`).join(" ")}] What is this about?${padding}`

export const planOf = (prompt) => {
  const plan = { n: 0, deltas: 16, gap: 0, each: 0, cut: 0, group: 1, wide: 0, json: 0 }
  for (const [, name, value] of prompt.slice(0, prompt.indexOf("]")).matchAll(/(\w+)=(\d+)/g)) {
    plan[name] = Number(value)
  }
  return plan
}

const words = ["the", "river", "runs", "north", "past", "seven", "mills", "and", "two", "old", "towns", "before", "it"]
const wideWords = ["der", "Fluß", "läuft", "nach", "Norden", "🌊", "山", "川", "é", "naïve", "𝒳", "ключ"]

/** A value whose JSON is about four characters long for each of `deltas`. It tells the number of the call. */
export const valueOf = ({ deltas = 16, n }) => ({
  title: `answer ${n}`,
  rivers: Array.from({ length: Math.max(1, Math.round(deltas / 16)) }, (_, i) => ({
    name: `river ${i}`,
    length: i * 10 + n,
    course: `${words[i % words.length]} past ${i} mills`
  }))
})

const slice = (text, count) =>
  Array.from(
    { length: count },
    (_, i) => text.slice(Math.floor((i * text.length) / count), Math.floor(((i + 1) * text.length) / count))
  )

/** The pieces of an answer. A text tells the number of the call first. */
export const deltasOf = ({ n, deltas = 16, wide = 0, json = 0 }) => {
  if (json) return slice(JSON.stringify(valueOf({ n, deltas })), deltas)
  const from = wide ? wideWords : words
  const pieces = [`answer ${n}:`]
  for (let i = 1; i < deltas; i++) pieces.push(` ${from[(i * 7 + n) % from.length]}`)
  return pieces
}

export const textOf = (plan) => deltasOf(plan).join("")
