import * as Encoding from "effect/Encoding"
import * as Schema from "effect/Schema"

/** Goes up whenever a cassette of today could not be read as what it is. */
export const version = 1

/**
 * The bytes of a body, as readable as they allow: JSON, the lines of a text, or base64. Absent where there are none.
 */
const Body = Schema.Union(
  Schema.Struct({ lines: Schema.Array(Schema.String) }),
  Schema.Struct({ base64: Schema.String }),
  // The last one: a struct of an unknown takes anything.
  Schema.Struct({ json: Schema.Unknown })
)

export type Body = typeof Body.Type

const Headers = Schema.Record({ key: Schema.String, value: Schema.String })

export const Request = Schema.Struct({
  method: Schema.String,
  url: Schema.String,
  headers: Headers,
  body: Schema.optional(Body)
})

export type Request = typeof Request.Type

export const Response = Schema.Struct({
  status: Schema.Int,
  headers: Headers,
  body: Schema.optional(Body),
  /** How the body came: for each chunk, how many milliseconds after the one before (or the request), and how many bytes. */
  timing: Schema.optional(Schema.Array(Schema.Tuple(Schema.Number, Schema.Number)))
})

export type Response = typeof Response.Type

export const Exchange = Schema.Struct({
  /** When, in ISO 8601. */
  recordedAt: Schema.String,
  request: Request,
  response: Response
})

/** A request and what it was answered with. */
export type Exchange = typeof Exchange.Type

/** A cassette file. */
export const File = Schema.parseJson(
  Schema.Struct({
    cassette: Schema.Literal(version),
    exchanges: Schema.Array(Exchange)
  }),
  { space: 2 }
)

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The text that bytes are, if they are one. */
export const decodeText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** The JSON that a text is, if it is one. */
const parseJson = (text: string): { readonly json: unknown } | undefined => {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** Applies a function of texts to bytes that are none: each byte a character. */
const mapBytes = (bytes: Uint8Array, f: (text: string) => string): Uint8Array =>
  Uint8Array.from(f(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")), (char) => char.charCodeAt(0))

/** Writes a body so that `decodeBody` gives the same bytes; with `loose`, so that it gives the same JSON. */
export const encodeBody = (
  bytes: Uint8Array,
  redact: (text: string) => string,
  { loose = false }: { readonly loose?: boolean } = {}
): Body | undefined => {
  if (bytes.length === 0) return undefined
  const text = decodeText(bytes)
  if (text === undefined) return { base64: Encoding.encodeBase64(mapBytes(bytes, redact)) }
  const clean = redact(text)
  const parsed = parseJson(clean)
  const isExact = parsed !== undefined && (loose || JSON.stringify(parsed.json) === clean)
  return isExact ? parsed : { lines: clean.split("\n") }
}

const encoder = new TextEncoder()

/** The bytes of a body. */
export const decodeBody = (body: Body | undefined): Uint8Array => {
  if (body === undefined) return new Uint8Array()
  if ("json" in body) return encoder.encode(JSON.stringify(body.json))
  if ("lines" in body) return encoder.encode(body.lines.join("\n"))
  const decoded = Encoding.decodeBase64(body.base64)
  return decoded._tag === "Right" ? decoded.right : encoder.encode(body.base64)
}
