// In place of declarations: the options of messages and parts are JSON in Effect 4.
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const readOptions = Schema.decodeUnknownOption(Prompt.ProviderOptions)

/** Fields by the names of providers, as JSON. */
const asOptions = (fields: Json.JsonObject): Prompt.ProviderOptions =>
  Option.getOrElse(readOptions(Json.parse(JSON.stringify(fields))), () => ({}))

/** The options of a part or message: the raw fields that the program gives it. */
const givenTo = ({ providerOptions }: { readonly providerOptions?: Message.ProviderOptions | undefined }) =>
  providerOptions === undefined ? {} : { options: asOptions(providerOptions) }

/** The options of a part: the metadata that came with it, and the raw fields that the program gives it. */
const optionsOf = (
  metadata: unknown,
  { providerOptions = {} }: { readonly providerOptions?: Message.ProviderOptions | undefined }
): { readonly options?: Prompt.ProviderOptions } => {
  const options = Object.entries({ ...Json.object(metadata), ...providerOptions }).flatMap(([name, fields]) =>
    Json.isObject(fields) ? [[name, fields] as const] : []
  )
  return options.length === 0 ? {} : { options: asOptions(Object.fromEntries(options)) }
}
