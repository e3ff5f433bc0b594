import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { LlmError } from "../domain/LlmError.js"
import * as Renewable from "./renewable.js"

/** A key for requests. */
export interface Credential {
  readonly headers: { readonly [name: string]: string }
  /**
   * Fetches another key in place of this one, which the service has refused; `false` if there is none. All requests that
   * were refused with it share one fetch. Absent if the program gave the key itself.
   */
  readonly renew?: Effect.Effect<boolean, LlmError> | undefined
}

/** The key of a service. */
export interface Credentials {
  readonly current: Effect.Effect<Credential, LlmError>
  /** The texts that must not appear in any error. It is a new list each time that there are more. */
  readonly secrets: () => ReadonlyArray<string>
}

/** A key that the program gave, or none. */
export const fixed = (headers: Credential["headers"], secrets: ReadonlyArray<string>): Credentials => ({
  current: Effect.succeed({ headers }),
  secrets: () => secrets
})

/** More keys than are in use at a time: the oldest has expired. */
const maxKeys = 100

/** A key that is fetched when a request needs one, and kept until its time is over or the service refuses it. */
export const fetched = (options: {
  readonly key: Effect.Effect<Redacted.Redacted, LlmError>
  readonly timeToLive: Duration.Duration
  /** The headers with a key, or the failure of a key that no header can hold. */
  readonly headersOf: (key: string) => Effect.Effect<Credential["headers"], LlmError>
  /** The secrets beside the key. */
  readonly secrets: ReadonlyArray<string>
}): Credentials => {
  const timeToLive = Duration.toMillis(options.timeToLive)
  let keys: ReadonlyArray<string> = []
  let secrets = options.secrets

  const remember = (key: string): void => {
    if (keys.includes(key)) return
    keys = [...keys, key].slice(-maxKeys)
    secrets = [...keys, ...options.secrets]
  }

  const { current, renew } = Renewable.make({
    fetch: Effect.gen(function*() {
      const key = Redacted.value(yield* options.key)
      remember(key)
      return { value: { key, headers: yield* options.headersOf(key) }, timeToLive }
    }),
    isSame: (one, other) => one.key === other.key
  })

  return {
    current: Effect.map(current, (fetched) => ({ headers: fetched.headers, renew: renew(fetched) })),
    secrets: () => secrets
  }
}
