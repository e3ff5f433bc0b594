import * as Either from "effect/Either"
import type { Fault } from "../faults.js"
import * as Model from "../model.js"
import type { Answer, Prompt } from "../prompt.js"
import type { Envelope, Problem, ProblemBody, Protocol } from "../protocol.js"
import { problem } from "../protocol.js"

/** The means to answer the requests of a batch. */
export interface Worker {
  readonly answer: (prompt: Prompt) => string | Answer
  readonly decide: (prompt: Prompt) => Fault
}

/** The outcome of a request: an answer, an error, or nothing, so that it expires. */
export type Reply = ProblemBody | "never"

/** The error that a fault is, to a request without a connection of its own. */
const problemOf = (fault: Fault): Problem | "never" | undefined => {
  switch (fault._tag) {
    case "Status":
    case "Quota":
      return fault
    case "Silence":
    case "StalledBody":
      return "never"
    case "Cut":
    case "EmptyBody":
    case "HalfJson":
    case "Html":
    case "Redirect":
    case "Reset":
      return { _tag: "Status", status: 500 }
    default:
      return undefined
  }
}

/** Answers a request of a batch like one that comes alone. */
export const work = (
  { answer, decide }: Worker,
  protocol: Protocol,
  body: unknown,
  envelope: Envelope,
  now: number,
  requestId: string
): Reply => {
  const decoded = protocol.decode(body, envelope)
  const rejected = (reason: Problem, model = "") => protocol.encodeProblem(reason, { model, requestId })
  if (Either.isLeft(decoded)) return rejected(decoded.left)
  const prompt = decoded.right
  if (prompt.streaming) return rejected(problem("A request of a batch cannot be streamed.", "stream"))
  const fault = decide(prompt)
  const reason = problemOf(fault)
  if (reason === "never") return reason
  if (reason !== undefined) {
    const usual = rejected(reason, prompt.model)
    return fault._tag === "Status" && fault.body !== undefined ? { ...usual, body: fault.body } : usual
  }
  const given = answer(prompt)
  const completion = Model.complete(prompt, typeof given === "string" ? { text: given } : given)
  return { status: 200, body: protocol.encode(completion, prompt, now) }
}
