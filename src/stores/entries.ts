import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { LlmResponse } from "../domain/LlmResponse.js"
import { CacheError } from "../LlmCache.js"

/** Raised whenever today's entries could no longer be read. */
const version = 1

const Entry = Schema.parseJson(Schema.Struct({
  version: Schema.Literal(version),
  /** Milliseconds since the epoch; absent for an entry that never expires, or whose store counts the time. */
  expiresAt: Schema.optional(Schema.Number),
  response: LlmResponse
}))

/** Writes and reads the entries of caches. */
export interface Entries {
  readonly write: (response: LlmResponse, expiresAt?: number) => Effect.Effect<string, CacheError>
  /** The answer in the text of an entry, unless it has expired or the text is no entry. */
  readonly read: (text: string, now: number) => Option.Option<LlmResponse>
}

/** Made for each store: compiling the schema at import would cost every program. */
export const make = (): Entries => {
  const encode = Schema.encode(Entry)
  const decode = Schema.decodeUnknownOption(Entry)
  return {
    write: (response, expiresAt = Infinity) =>
      encode({ version, ...(Number.isFinite(expiresAt) && { expiresAt }), response }).pipe(
        // The schema's own message would quote the answer.
        Effect.mapError(() => new CacheError({ operation: "set", problem: "the answer cannot be written as JSON" }))
      ),
    read: (text, now) =>
      Option.filterMap(
        decode(text),
        ({ expiresAt = Infinity, response }) => now < expiresAt ? Option.some(response) : Option.none()
      )
  }
}
