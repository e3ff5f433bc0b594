import * as Schema from "effect/Schema"

/** A JSON object of any fields. */
export const JsonObject = Schema.Record({ key: Schema.String, value: Schema.Unknown }).annotations({
  description: "a JSON object"
})

/**
 * Raw fields for an object of the wire format, by the name of the provider or of its protocol. Others ignore them.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProviderOptions {
  readonly [provider: string]: { readonly [field: string]: unknown }
}

/**
 * Raw fields for an object of the wire format, by the name of the provider or of its protocol. Others ignore them.
 *
 * @since 0.1.0
 * @category models
 */
export const ProviderOptions: Schema.Schema<ProviderOptions> = Schema.Record({ key: Schema.String, value: JsonObject })

interface Holder {
  readonly providerOptions?: ProviderOptions | undefined
}

/** A part of a message, which may be a result with parts of its own. */
type Part = object & Holder & { readonly parts?: ReadonlyArray<object & Holder> | undefined }

/** A request, as far as it holds raw fields. */
interface Holders extends Holder {
  readonly tools?: ReadonlyArray<Holder> | undefined
  readonly messages: ReadonlyArray<Holder & { readonly content: ReadonlyArray<Part> }>
}

/** All raw fields of a request: its own, and those of its tools, messages and parts. */
export const allOf = (request: Holders): ReadonlyArray<ProviderOptions> => {
  const { messages, tools = [] } = request
  const parts = messages.flatMap(({ content }) => content)
  const ofResults = parts.flatMap(({ parts = [] }) => parts)
  const holders: ReadonlyArray<Holder> = [request, ...tools, ...messages, ...parts, ...ofResults]
  return holders.flatMap(({ providerOptions }) => providerOptions === undefined ? [] : [providerOptions])
}
