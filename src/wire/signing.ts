import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import { isSecretName, secretsOfValue } from "../internal/secretFields.js"

/** A finished request, as it is to be signed. */
export interface Unsigned {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  /** The text of its body. Absent: it has none. */
  readonly body?: string | undefined
}

/** Gives the headers of a signature, which replace others of their names. */
export type Sign = (request: Unsigned) => Effect.Effect<{ readonly [name: string]: string }, LlmError>

/** A signer, and what must not appear in any error. */
export interface Signer {
  readonly sign: Sign
  /** Another list each time that there are more. */
  readonly secrets: () => ReadonlyArray<string>
}

/** A signature is of use for some minutes: those of the latest requests are remembered. */
const maxSecrets = 200

/** Makes a signer that remembers the secrets in its headers: a session's token, the signature. */
export const make = (sign: Sign): Signer => {
  let secrets: ReadonlyArray<string> = []
  return {
    sign: (request) =>
      Effect.map(Effect.suspend(() => sign(request)), (headers) => {
        const found = Object.entries(headers).flatMap(([name, value]) =>
          isSecretName(name) ? [...secretsOfValue(name, value)] : []
        )
        const added = found.filter((secret) => !secrets.includes(secret))
        if (added.length > 0) secrets = [...secrets, ...added].slice(-maxSecrets)
        return headers
      }),
    secrets: () => secrets
  }
}
