import type { LlmRequest } from "effect-llm"
import { type Passage, placeOf } from "./documents.js"

const system =
  "You read a passage of a document about repairs in a town. List the payments that it says the town made, " +
  "and the sums of all payments together that it states. Estimates, offers, approved amounts and money that the town " +
  "received are no payments. Copy each quote word by word from the passage."

const inTags = (passage: Passage): string => `<passage place="${placeOf(passage)}">\n${passage.text}\n</passage>`

/** Asks what a passage says. */
export const extraction = (model: string, passage: Passage): LlmRequest.Input => ({
  model,
  system,
  prompt: inTags(passage),
  temperature: 0,
  maxTokens: 1_500
})

/** Asks again, with what was doubtful about the first answer, and with the passages that are the most like this one. */
export const secondLook = (
  model: string,
  passage: Passage,
  { doubts, like }: { readonly doubts: ReadonlyArray<string>; readonly like: ReadonlyArray<Passage> }
): LlmRequest.Input => ({
  model,
  system,
  prompt: [
    inTags(passage),
    `Another reader has answered before you. What is doubtful about that answer:\n${
      doubts.map((doubt) => `- ${doubt}`).join("\n")
    }`,
    `For comparison only, passages of other documents about like things:\n${
      like.map((other) => `<other place="${placeOf(other)}">\n${other.text}\n</other>`).join("\n")
    }`
  ].join("\n\n"),
  maxTokens: 1_500
})
