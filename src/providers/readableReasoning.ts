import { LlmRequest } from "../domain/LlmRequest.js"
import * as Reasoning from "../domain/reasoning.js"
import type { Codec } from "./codec.js"
import * as RefusedSeals from "./refusedSeals.js"
import * as Unsent from "./unsent.js"

/** A request, and warnings about the parts that were left out. */
export interface Readable {
  readonly request: LlmRequest
  readonly warnings: ReadonlyArray<string>
}

/** Withholds from a service the reasoning that it cannot read: that of others, and that which it has refused. */
export interface ReadableReasoning {
  /** The request with only the reasoning that its reader can read. */
  readonly readable: (request: LlmRequest, reader: Reasoning.Reader) => Readable
  /** A refused request without any encrypted or signed reasoning, which is remembered as refused. */
  readonly stripped: (request: LlmRequest) => Readable
}

const withMessages = (request: LlmRequest, messages: LlmRequest["messages"]): LlmRequest =>
  messages === request.messages ? request : new LlmRequest({ ...request, messages }, { disableValidation: true })

/** Remembers the refusals of a service, for as long as its provider lives. */
export const make = ({ unsealed = (messages) => messages }: Pick<Codec, "unsealed">): ReadableReasoning => {
  const refused = RefusedSeals.make()
  return {
    readable: (request, reader) => {
      const { messages, warnings } = Reasoning.readableBy(request.messages, reader)
      const taken = Reasoning.without(messages, refused.has)
      return taken === messages
        ? { request: withMessages(request, messages), warnings }
        : {
          request: withMessages(request, unsealed(taken)),
          warnings: [...warnings, Unsent.notSent("reasoning", "the provider has refused it before")]
        }
    },
    stripped: (request) => {
      refused.add(Reasoning.seals(request.messages))
      return {
        request: withMessages(request, unsealed(Reasoning.without(request.messages, () => true))),
        warnings: [Unsent.notSent("reasoning", "the provider refused it")]
      }
    }
  }
}
