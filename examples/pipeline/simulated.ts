/**
 * The model of a run without a key: rules that read the sentences of a passage. What it finds is in the documents; nothing of
 * them is written here. The small model makes mistakes on purpose, of the kinds that small models make; the careful one
 * makes none.
 */
import type { Simulator } from "effect-llm/testing"
import type { Findings, Payment } from "./findings.js"

export const models = { small: "small-model", careful: "careful-model", embedding: "embedding-model" }

/** In US dollars for a million tokens. */
export const prices = {
  simulator: {
    [models.small]: { input: 0.4, output: 1.6 },
    [models.careful]: { input: 2, output: 8 },
    [models.embedding]: { input: 0.02, output: 0 }
  }
}

const months = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"]
]
const day = String.raw`(?:the end of |\d{1,2} )(?:${months.join("|")}) \d{4}`
const name = String.raw`[A-Z]\w+(?: [A-Z]\w+)*`
const euros = String.raw`(?<about>nearly |about |some |around )?(?<amount>\d[\d,]*) euros`

/** How sentences state a payment. */
const statements = [
  `[Tt]he town paid (?<payee>${name}) ${euros} for (?<purpose>[^.]+?)(?:, against [^.]+)?\\.`,
  `(?<payee>${name}) was paid ${euros} on (?<day>${day}) for (?<purpose>[^.]+)\\.`,
  `${euros} were paid to (?<payee>${name}) on (?<day>${day}) for (?<purpose>[^.]+)\\.`,
  `Received from the Town of \\w+ on (?<day>${day}): ${euros} for (?<purpose>[^.]+)\\.`,
  `^\\| (?<day>${day}) \\| (?<payee>${name}) \\| (?<purpose>[^|]+?) \\| (?<amount>\\d[\\d,]*) \\|$`
].map((source) => new RegExp(source))

/** How they state amounts that are no payments of the town, which a small model may take for some. */
const traps = [
  new RegExp(`(?<payee>${name}) (?:approved|gave) (?:up to |a grant of )?${euros}(?<purpose>)`),
  new RegExp(`(?<payee>insurer) paid ${euros}(?<purpose>)`),
  new RegExp(`(?<payee>We) estimate (?<purpose>.+?) at ${euros}`)
]

const totals = new RegExp(
  `(?:(?:By|Up to) (?<day>${day}) the town had|In all, the town) paid ${euros}`
)

const numberOf = (text: string | undefined): number => Number((text ?? "").replaceAll(",", ""))

/** "4 March 2025" and "the end of March 2025" as YYYY-MM-DD. */
const dateOf = (text: string | undefined): string | undefined => {
  const found = /(the end of|\d{1,2}) (\w+) (\d{4})/.exec(text ?? "")
  if (found === null) return undefined
  const [, number = "", month = "", year = ""] = found
  const index = months.indexOf(month)
  const last = new Date(Date.UTC(Number(year), index + 1, 0)).getUTCDate()
  return `${year}-${String(index + 1).padStart(2, "0")}-${String(Number(number) || last).padStart(2, "0")}`
}

/** The sentences of a text, and the rows of its tables. */
const sentencesOf = (text: string): ReadonlyArray<string> =>
  text.split(/\n\s*\n/).flatMap((paragraph) =>
    paragraph.startsWith("|")
      ? paragraph.split("\n")
      : paragraph.replace(/\s+/g, " ").split(/(?<=[.!?]"?) (?=["A-Z\d])/)
  )

/** The first line of a letter names its writer. */
const writerOf = (text: string): string => {
  const [first = ""] = text.split("\n")
  return first.toLowerCase().replace(/\b\w/g, (letter) => letter.toUpperCase())
}

/** A number from 0 to 1 that depends on a text alone. */
const chance = (text: string): number => {
  let hash = 0x811c9dc5
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193)
  return (hash >>> 0) / 2 ** 32
}

const paymentOf = (sentence: string, text: string, pattern: RegExp): Payment | undefined => {
  const groups = pattern.exec(sentence)?.groups
  if (groups === undefined) return undefined
  const date = dateOf(groups["day"]) ?? dateOf(new RegExp(`[Oo]n (${day})`).exec(sentence)?.[1])
  return {
    payee: groups["payee"] ?? writerOf(text),
    purpose: groups["purpose"]?.trim() || "repairs",
    amount: numberOf(groups["amount"]),
    isExact: groups["about"] === undefined,
    ...(date !== undefined && { date }),
    quote: sentence,
    confidence: 0.95
  }
}

const firstOf = (sentence: string, text: string, patterns: ReadonlyArray<RegExp>): Payment | undefined =>
  patterns.map((pattern) => paymentOf(sentence, text, pattern)).find((payment) => payment !== undefined)

/** What a small model makes of a payment: now and then a digit is wrong, or the quote is in words of its own. */
const misread = (payment: Payment): Payment => {
  const drawn = chance(payment.quote)
  if (drawn < 0.15) return { ...payment, amount: payment.amount + 9_000 }
  if (drawn < 0.25) return { ...payment, quote: `The town paid ${payment.payee} for ${payment.purpose}.` }
  return payment
}

/** Reads a passage. */
const read = (text: string, isCareful: boolean): Findings => {
  const sentences = sentencesOf(text)
  const payments = sentences.flatMap((sentence) => firstOf(sentence, text, statements) ?? [])
  const mistaken = sentences.flatMap((sentence) => firstOf(sentence, text, traps) ?? [])
  return {
    payments: isCareful
      ? payments
      : [...payments.map(misread), ...mistaken.map((payment) => ({ ...payment, confidence: 0.4 }))],
    totals: sentences.flatMap((sentence) => {
      const groups = totals.exec(sentence)?.groups
      if (groups === undefined) return []
      const until = dateOf(groups["day"])
      return [{
        amount: numberOf(groups["amount"]),
        isExact: groups["about"] === undefined,
        ...(until !== undefined && { until }),
        quote: sentence,
        confidence: 0.95
      }]
    })
  }
}

/** Answers a prompt, as `Simulator.Options` has it. */
export const answer = ({ model, text }: Simulator.Prompt): string => {
  const [, passage = ""] = /<passage [^>]*>\n([^]*?)\n<\/passage>/.exec(text) ?? []
  return JSON.stringify(read(passage, model === models.careful))
}
