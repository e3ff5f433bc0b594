// In place of declarations: in Effect 4 options of messages and parts are JSON, and a tool may show the model parts.
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

/** The conversation with only those results that a prompt can hold. */
const withResults = (messages: ReadonlyArray<Message.Message>): ToolResults.Aside => ({ messages, warnings: [] })

/** The content of a result. */
const resultOf = (
  part: Message.ToolResult
): Pick<Prompt.ToolResultPartEncoded, "result" | "modelOutput"> =>
  part.parts === undefined
    ? { result: part.result }
    : {
      result: part.result,
      modelOutput: ToolResults.piecesOf(part).map((piece) =>
        piece._tag === "Text" ? { type: "text" as const, text: piece.text } : fileOf(piece)
      )
    }
