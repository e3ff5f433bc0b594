import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Prompt } from "../prompt.js"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { parseJson } from "../protocol.js"
import { promptOf } from "../vectors.js"

/** The batch API of a service, with its stored files and batches. */
export interface Batches {
  readonly protocols: ReadonlyArray<Protocol>
  readonly clear: () => void
}

/** A request about stored files or batches, which no model answers. */
export interface Endpoint<Request>
  extends Pick<Protocol, "name" | "path" | "method" | "serves" | "parse" | "maxBodyBytes" | "contentType">
{
  /** Reads a request from its body and its envelope, and checks it. */
  readonly decode: (body: Json, envelope: Envelope) => Either.Either<Request, Invalid>
  /** Does what the request wants, and gives the answer. `now` is in milliseconds since 1970. */
  readonly encode: (request: Request, now: number) => unknown
  readonly answerHeaders?: (request: Request) => Readonly<Record<string, string>>
}

/** The protocol of such requests, with the keys, the errors and the headers of a service. */
export const endpoint = <Request>(
  service: Protocol,
  { answerHeaders, decode, encode, ...own }: Endpoint<Request>
): Protocol => {
  // The result of `decode`.
  const requestOf = ({ request: { decoded } }: Prompt) => decoded as Request
  const { kept: _, makeMemory: __, serves: ___, ...shared } = service
  return {
    ...shared,
    parse: (text) => text === "" ? Either.right({}) : parseJson(text),
    ...own,
    decode: (body, envelope) =>
      Either.map(decode(isRecord(body) ? body : {}, envelope), (decoded) =>
        promptOf({
          protocol: own.name,
          request: { decoded },
          model: "",
          texts: [`${own.method ?? "POST"} ${envelope.path}`]
        })),
    answer: () => ({}),
    encode: (_, prompt, now) => encode(requestOf(prompt), now),
    ...(answerHeaders !== undefined && { answerHeaders: (prompt: Prompt) => answerHeaders(requestOf(prompt)) })
  }
}

/** The part of a path that is an id. */
export const idIn = (pattern: RegExp, { path }: Envelope): string => {
  const [, id = ""] = pattern.exec(path) ?? []
  return Either.getOrElse(Either.try(() => decodeURIComponent(id)), () => id)
}
