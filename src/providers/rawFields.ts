import type { LlmRequest } from "../domain/LlmRequest.js"
import type { ProviderOptions } from "../domain/providerOptions.js"
import type * as Json from "../wire/json.js"
import * as ProviderTools from "./providerTools.js"

/** A request, or a part of one. */
interface Holder {
  readonly providerOptions?: ProviderOptions | undefined
}

const fieldsOf = ({ providerOptions }: Holder, protocol: string, provider: string): Json.JsonObject => ({
  ...providerOptions?.[protocol],
  ...providerOptions?.[provider]
})

/**
 * The raw fields of a request: those of the tools that the provider runs, then those for the protocol, then those for
 * the provider by its own name. Later ones win.
 */
export const of = (
  request: Pick<LlmRequest, "providerOptions" | "providerTools">,
  protocol: string,
  provider: string
): Json.JsonObject => {
  const raw = fieldsOf(request, protocol, provider)
  return request.providerTools === undefined ? raw : over(ProviderTools.fieldsOf(request), raw)
}

/** Puts the raw fields of a message, a part or a tool over those of its object on the wire. */
export type Into = (ours: Json.JsonObject, holder: Holder) => Json.JsonObject

/** The way in which a provider of a protocol puts raw fields over its own. */
export const into = (protocol: string, provider: string): Into => (ours, holder) =>
  holder.providerOptions === undefined ? ours : { ...ours, ...fieldsOf(holder, protocol, provider) }

/** Lists with several sources: a raw one alone would drop the program's own tools, or its reasoning. */
const lists = ["tools", "include", "mcp_servers"] as const

/**
 * A body with raw fields over ours. A raw list of `tools`, `include` or `mcp_servers` is appended to ours, except for
 * an empty one, which removes ours; any other field replaces ours.
 */
export const over = (ours: Json.JsonObject, raw: Json.JsonObject): Json.JsonObject => {
  const body: { [field: string]: unknown } = { ...ours, ...raw }
  for (const list of lists) {
    const [own, added] = [ours[list], raw[list]]
    if (Array.isArray(own) && Array.isArray(added) && added.length > 0) {
      body[list] = ProviderTools.appended(own, added)
    }
  }
  return body
}
