import { scrub } from "../internal/scrub.js"
import * as SecretForms from "../internal/secretForms.js"
import { visible } from "../internal/visible.js"
import type { Headers } from "./transport.js"

const requestIdHeaders = [
  "x-request-id",
  "request-id",
  "apim-request-id",
  "x-ms-request-id",
  "x-generation-id",
  "x-goog-request-id",
  "mistral-correlation-id"
]

/** Reads the service's id of a request, which responses and logs carry: without secrets and control characters. */
export const requestIdReader = (secretsNow: () => ReadonlyArray<string>) => {
  const formsOf = (secrets: ReadonlyArray<string>) => secrets.flatMap(SecretForms.formsOf).map(SecretForms.compared)
  let secrets = secretsNow()
  let forms = formsOf(secrets)
  return (headers: Headers): string | undefined => {
    if (secrets !== secretsNow()) {
      secrets = secretsNow()
      forms = formsOf(secrets)
    }
    // A whole secret in any encoding is found at little cost; then the id is scrubbed.
    for (const name of requestIdHeaders) {
      const id = headers[name]
      if (id === undefined || id === "") continue
      const compared = forms.length === 0 ? "" : SecretForms.compared(id)
      return visible(forms.some((form) => compared.includes(form)) ? scrub(id, { secrets }) : id).slice(0, 200)
    }
    return undefined
  }
}
