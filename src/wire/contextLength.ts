// Every service has its own words for a prompt that is too long. The sentences have three things in common: the input,
// an excess, and a measure (tokens, a length, the context).

/** The parts of a request that fill a context. */
const input =
  /\b(?:tokens? in (?:the |your )?request|inputs?|prompts?|messages?|conversations?|history|sequence|dialog(?:ue)?)\b/i

const context = /\bcontexts?\b|\bn ctx\b/i

/** Everything together; with tokens or a context this can only mean the input. */
const whole = /\b(?:requests?|requested|total)\b/i

const excess = new RegExp(
  [
    /\b(?:exceed(?:s|ed|ing)?|overflow(?:s|ed|ing)?|surpass(?:es|ed)?|beyond|above|out of context|is only|only supports)\b/,
    /\btoo (?:long|large|many|big)\b/,
    /\b(?:longer|greater|larger|bigger|higher|more) than\b/,
    /\bover (?:the |its )?(?:limit|maximum)\b/,
    /\blimit (?:is |was |has been )?(?:reached|hit)\b/,
    /\bshorten\b/,
    /\b(?:unable to|cannot|can t|not|n t) fit\b/,
    /\b(?:must|should|has to|have to) (?:be|have) (?:\[|<|≤|at most|less|fewer|smaller|lower|shorter|no more|no longer|under|below|within|between)/,
    />|≥/
  ].map(({ source }) => source).join("|"),
  "i"
)

const tokens = /\b(?:tokens?|contexts?|window|n ctx)\b/i

const length = /\b(?:len(?:gth)?|too long|longer|max size)\b/i

/** The limit of the answer, and others of tokens, which are settings of the request. */
const output =
  /\blogit bias\b|\bmax (?:new |output |completion )?tokens\b|\bmaxOutputTokens\b|\b(?:output|completion|new|generated|response) tokens?\b/i

/** Other things that can be too long, too many or too large. */
const others = new RegExp(
  `\\b(?:${
    [
      "bytes?|[kmg]i?b|images?|files?|audio|videos?|pages?|pixels?|documents?",
      "arrays?|strings?|items?|elements?|names?|ids?|stop|tools?|functions?|schemas?|metadata|title|description|url|header",
      "temperature|top [pk]|penalt\\w+|dimensions?|batch(?:es)?|timeout",
      "seconds?|minutes?|hours?|days?|today|daily|weekly|monthly|rate|rpm|tpm|quota|budget|credits?"
    ].join("|")
  })\\b`,
  "i"
)

/** Sentences that are unambiguous on their own. */
const plain = [
  // OpenAI Chat, vLLM, DeepSeek, Mistral, OpenRouter; xAI.
  /maximum (?:context|prompt) length/i,
  // OpenAI Responses, Anthropic, llama.cpp, Ollama, LM Studio.
  /(?:exceeds?|greater than|longer than) (?:the |this |available |models? (?:s )?)*context/i,
  /context (?:length|window|size) (?:was |is )?exceed/i,
  // Anthropic, Bedrock; Zhipu.
  /(?:prompt|input) (?:is too long|exceeds max)/i,
  // Gemini.
  /input token count.{0,40} exceeds/i,
  // Volcengine.
  /exceeds? max(?:imum)? (?:message|input|prompt|context) tokens/i,
  // Cohere.
  /too many (?:input )?tokens/i,
  // Moonshot.
  /exceeded model token limit/i,
  // Groq.
  /reduce the length of the (?:messages|prompt|input)/i,
  /(?:上下文|输入|提示词|prompt|tokens?).{0,20}(?:超长|过长|太长|超过|超出)|超[过出].{0,20}(?:上下文|长度|tokens?)/i
]

const says = (sentence: string): boolean => {
  const hasInput = input.test(sentence)
  // The setting alone is out of range, whatever the prompt is.
  if (output.test(sentence) && !hasInput) return false
  if (plain.some((pattern) => pattern.test(sentence))) return true
  if (!excess.test(sentence) || others.test(sentence)) return false
  return hasInput || context.test(sentence)
    ? tokens.test(sentence) || length.test(sentence)
    : whole.test(sentence) && tokens.test(sentence)
}

/** Whether a message says that the prompt, or the prompt and the answer together, do not fit the model's context. */
export const exceedsContext = (message: string): boolean =>
  // `max_tokens`, 'inputs' and model's count as words.
  message.replace(/[_`'’"]+/g, " ").replace(/ {2,}/g, " ").split(/[.!?;。]\s|\n/).some(says)
