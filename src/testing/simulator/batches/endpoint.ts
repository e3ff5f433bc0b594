import * as Either from "effect/Either"
import { isRecord } from "effect/Predicate"
import type { Envelope, Invalid, Json, Protocol } from "../protocol.js"
import { promptOf } from "../vectors.js"

/** A request about what the service keeps, which no model answers. */
export interface Endpoint
  extends Pick<Protocol, "name" | "path" | "method" | "serves" | "parse" | "maxBodyBytes" | "contentType">
{
  /** Reads a request from its body and its envelope, and checks it. */
  readonly decode: (body: Json, envelope: Envelope) => Either.Either<Json, Invalid>
  /** Does what the request wants, and gives the answer. `now` is in milliseconds since 1970. */
  readonly encode: (request: Json, now: number) => unknown
  readonly answerHeaders?: (request: Json) => Readonly<Record<string, string>>
}

/** The protocol of such requests, with the keys, the errors and the headers of a service. */
export const endpoint = (
  service: Protocol,
  { answerHeaders, decode, encode, ...own }: Endpoint
): Protocol => {
  const { kept: _, makeMemory: __, serves: ___, ...shared } = service
  return {
    ...shared,
    ...own,
    decode: (body, envelope) =>
      Either.map(decode(isRecord(body) ? body : {}, envelope), (request) =>
        promptOf({
          protocol: own.name,
          request,
          model: typeof request.model === "string" ? request.model : "",
          texts: [`${own.method ?? "POST"} ${envelope.path}`]
        })),
    answer: () => ({}),
    encode: (_, { request }, now) => encode(request, now),
    ...(answerHeaders !== undefined && { answerHeaders: ({ request }) => answerHeaders(request) })
  }
}

/** The part of a path that is an id. */
export const idIn = (pattern: RegExp, { path }: Envelope): string => {
  const [, id = ""] = pattern.exec(path) ?? []
  return Either.getOrElse(Either.try(() => decodeURIComponent(id)), () => id)
}
