// A receiver that cannot read the reasoning of a conversation says so in its own words. Only a request without that
// reasoning helps, so the words have to be about the reasoning, and not about another field.

/** The reasoning, by the names of OpenAI, xAI and Azure. */
const encrypted = /\bencrypted[ _](?:content|reasoning)\b/

/** The proof of Anthropic's and Gemini's thoughts. */
const proof =
  /(?:\bthinking|\bthought)[ _.-]?signatures?\b|\bsignatures? (?:in|of|for|on) (?:\w+ ){0,2}(?:redacted[ _])?(?:thinking|thought|reasoning)\b/

const unreadable =
  /\b(?:cannot|can not|could not|can t|couldn t|failed to|unable to) (?:be )?(?:verif|decrypt|decod|pars|validat)|\bdecoding failed\b|\b(?:invalid|corrupt(?:ed)?|malformed|expired|wrong|mismatch(?:ed)?)\b|\b(?:is|was|are) not valid\b|\b(?:did|does|do) not match\b|\bmissing\b/

const about = (subject: RegExp): RegExp => {
  const gap = "[^.;]{0,120}?"
  return new RegExp(
    `(?:${subject.source})${gap}(?:${unreadable.source})|(?:${unreadable.source})${gap}(?:${subject.source})`
  )
}

const patterns: ReadonlyArray<RegExp> = [
  about(encrypted),
  about(proof),
  // A block that was encrypted as a whole.
  /\binvalid data in (?:\w+ )?redacted[ _]thinking\b/,
  /\bthinking(?: or redacted[ _]thinking)? blocks?\b.{0,80}\b(?:cannot|must not|may not) be (?:modified|changed)\b/,
  /\bblocks?\b.{0,40}\bbound to (?:a|an|another) (?:different |other )?(?:conversation|account|organi[sz]ation|workspace|model|prefix)\b/,
  // A reasoning item that the service looks for among its own, because it came without its content.
  /\bitem\b.{0,20}\brs_\w+.{0,20}\bnot found\b/
]

/**
 * Whether a message says that the receiver refuses the reasoning of the conversation. Quotes and case do not matter.
 */
export const rejectsReasoning = (message: string): boolean => {
  const text = message.toLowerCase().replace(/['’`"]+/g, " ").replace(/ {2,}/g, " ")
  return patterns.some((pattern) => pattern.test(text))
}
