import { Schema } from "effect"
import type { Passage } from "./documents.js"

// ---------------------------------------------------------------------------------------------------------------------
// The values that a model is asked for
// ---------------------------------------------------------------------------------------------------------------------

const Day = Schema.String.pipe(Schema.pattern(/^\d{4}-\d{2}-\d{2}$/)).annotations({
  description: "a day, as YYYY-MM-DD"
})

const Quote = Schema.NonEmptyString.annotations({
  description: "the sentence or the row of a table that states it, copied word by word"
})

const Amount = Schema.Positive.annotations({ description: "in euros" })

const IsExact = Schema.Boolean.annotations({ description: "false if the text rounds it: about, nearly, some ..." })

const Confidence = Schema.Number.pipe(Schema.between(0, 1)).annotations({
  description: "how sure you are, from 0 to 1, that this is what the text says"
})

/** An amount that the town paid to somebody. */
export const Payment = Schema.Struct({
  payee: Schema.NonEmptyString.annotations({ description: "the name of the one who was paid" }),
  purpose: Schema.NonEmptyString.annotations({ description: "what it was paid for, in the words of the text" }),
  amount: Amount,
  isExact: IsExact,
  date: Schema.optional(Day),
  quote: Quote,
  confidence: Confidence
}).annotations({ identifier: "Payment" })

/** An amount of payments together. */
export const Total = Schema.Struct({
  amount: Amount,
  isExact: IsExact,
  until: Schema.optional(Day).annotations({ description: "the last day that it includes; left out for all of them" }),
  quote: Quote,
  confidence: Confidence
}).annotations({ identifier: "Total" })

/** What a passage says. */
export const Findings = Schema.Struct({
  payments: Schema.Array(Payment),
  totals: Schema.Array(Total)
}).annotations({ identifier: "Findings" })

export type Payment = typeof Payment.Type
export type Total = typeof Total.Type
export type Findings = typeof Findings.Type

// ---------------------------------------------------------------------------------------------------------------------
// Whether the source supports them
// ---------------------------------------------------------------------------------------------------------------------

/** What a model is less sure of than this is doubtful. */
const leastConfidence = 0.7

const flat = (text: string): string => text.replace(/\s+/g, " ").trim()

/** The numbers in a text: "148,600", "12 600.50", "9870". */
const numbersIn = (text: string): ReadonlyArray<number> =>
  Array.from(
    text.matchAll(/\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?/g),
    ([number]) => Number(number.replace(/[, ]/g, ""))
  )

/** The reason to doubt a claim about a passage, if there is one. */
export const doubtOf = (
  { text }: Passage,
  { amount, confidence, quote }: Pick<Payment, "amount" | "confidence" | "quote">
): string | undefined => {
  if (!flat(text).includes(flat(quote))) return "its quote is not in the text"
  if (!numbersIn(quote).includes(amount)) return "its amount is not in its quote"
  return confidence < leastConfidence ? `the model is not sure (${confidence})` : undefined
}

/** A claim about a passage. */
export interface Claim<A> {
  readonly passage: Passage
  readonly claim: A
  /** The model that made it. */
  readonly model: string
}
