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
 * The raw fields of a request: those of the tools that the provider runs, over them those for the protocol, and over them
 * those for the provider by its own name.
 */
export const of = (request: LlmRequest, protocol: string, provider: string): Json.JsonObject => {
  const raw = fieldsOf(request, protocol, provider)
  return request.providerTools === undefined ? raw : over(ProviderTools.fieldsOf(request), raw)
}

/** Puts the raw fields of a message, a part or a tool over those of the object that it is on the wire. */
export type Into = (ours: Json.JsonObject, holder: Holder) => Json.JsonObject

/** How a provider of a protocol puts raw fields over its own. */
export const into = (protocol: string, provider: string): Into => (ours, holder) =>
  holder.providerOptions === undefined ? ours : { ...ours, ...fieldsOf(holder, protocol, provider) }

/** Lists that several may add to: a raw one would take the program's own tools away, or its reasoning. */
const lists = ["tools", "include", "mcp_servers"] as const

const isNew = (items: ReadonlyArray<unknown>) => (item: unknown): boolean =>
  typeof item !== "string" || !items.includes(item)

/**
 * A body with raw fields over ours. A raw list of `tools`, `include` or `mcp_servers` goes behind ours, but for an empty one, which takes
 * ours away; any other field replaces ours.
 */
export const over = (ours: Json.JsonObject, raw: Json.JsonObject): Json.JsonObject => {
  const body: { [field: string]: unknown } = { ...ours, ...raw }
  for (const list of lists) {
    const [own, added] = [ours[list], raw[list]]
    if (Array.isArray(own) && Array.isArray(added) && added.length > 0) {
      body[list] = [...own, ...added.filter(isNew(own))]
    }
  }
  return body
}
