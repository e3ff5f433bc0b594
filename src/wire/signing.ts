import * as Effect from "effect/Effect"
import type { LlmError } from "../domain/LlmError.js"
import { isSecretName, secretsOfValue } from "../internal/secretFields.js"

/** A complete request, for signing. */
export interface Unsigned {
  readonly method: "GET" | "POST"
  readonly url: string
  readonly headers: { readonly [name: string]: string }
  /** The text of its body. Absent: it has none. */
  readonly body?: string | undefined
}

/** The signature of a request. */
export interface Signature {
  /** They replace others with the same names. Values under the names of secrets appear in no error. */
  readonly headers: { readonly [name: string]: string }
  /** Further texts that must not appear in any error. Default: none. */
  readonly secrets?: ReadonlyArray<string> | undefined
  /**
   * Fetches other credentials in place of the refused ones of this signature; `false` if there are none. Absent: there
   * are never others.
   */
  readonly renew?: Effect.Effect<boolean, LlmError> | undefined
}

/** Signs a request. */
export type Sign = (request: Unsigned) => Effect.Effect<Signature, LlmError>

/** A signature, and the texts that must not appear in an error of its request. */
export interface Signed extends Signature {
  readonly secrets: ReadonlyArray<string>
}

/** A signer, and the texts that must not appear in any error. */
export interface Signer {
  readonly sign: (request: Unsigned) => Effect.Effect<Signed, LlmError>
  /** It is a new list each time that there are more. */
  readonly secrets: () => ReadonlyArray<string>
}

/**
 * Keys and tokens sign many requests, and stay among the latest. Only the answer to a request may quote its signature:
 * a search of each error for those of all others would take long.
 */
const maxSecrets = 10

/** Makes a signer that remembers the secrets of its latest signatures: keys, a session's token, the signature itself. */
export const make = (sign: Sign): Signer => {
  let latest: ReadonlyArray<string> = []
  return {
    sign: (request) =>
      Effect.map(Effect.suspend(() => sign(request)), (signature) => {
        const named = Object.entries(signature.headers).flatMap(([name, value]) =>
          isSecretName(name) ? secretsOfValue(name, value) : []
        )
        const secrets = [...new Set([...named, ...(signature.secrets ?? [])])]
        latest = [...latest.filter((secret) => !secrets.includes(secret)), ...secrets].slice(-maxSecrets)
        return { ...signature, secrets }
      }),
    secrets: () => latest
  }
}
