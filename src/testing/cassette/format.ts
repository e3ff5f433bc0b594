import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** Raised whenever today's cassettes could no longer be read. */
export const version = 1

// A file may have been edited by hand or damaged: everything that a replay relies on is checked when it is read, so that
// a bad file is a `CassetteError` of the layer and never a defect of a later request.

const holds = Option.liftThrowable(<A>(f: () => A): A => f())

const expected = (description: string) => ({ description })

/** The bytes of a body, in the most readable form: JSON, the lines of a text, or base64. Absent if there are none. */
const Body = Schema.Union(
  Schema.Struct({ lines: Schema.Array(Schema.String) }),
  Schema.Struct({
    base64: Schema.String.pipe(
      Schema.filter((text) => Either.isRight(Encoding.decodeBase64(text)), expected("base64"))
    )
  }),
  Schema.Struct({
    json: Schema.Unknown.pipe(
      Schema.filter(
        (json) => Option.exists(holds(() => JSON.stringify(json)), (text) => typeof text === "string"),
        expected("JSON of moderate depth")
      )
    )
  })
)

export type Body = typeof Body.Type

const Headers = Schema.Record({ key: Schema.String, value: Schema.String }).pipe(
  Schema.filter((headers) => Option.isSome(holds(() => new globalThis.Headers(headers))), expected("HTTP headers"))
)

export const Request = Schema.Struct({
  method: Schema.String,
  url: Schema.String.pipe(Schema.filter((url) => URL.canParse(url), expected("an absolute URL"))),
  headers: Headers,
  body: Schema.optional(Body)
})

export type Request = typeof Request.Type

export const Response = Schema.Struct({
  status: Schema.Number.pipe(
    Schema.filter(
      (status) => Number.isInteger(status) && status >= 200 && status <= 599,
      expected("an HTTP status from 200 to 599")
    )
  ),
  headers: Headers,
  body: Schema.optional(Body),
  /** For each chunk of the body: the milliseconds since the chunk before it (or the request), and its bytes. */
  timing: Schema.optional(Schema.Array(Schema.Tuple(
    Schema.Number.pipe(
      Schema.filter((millis) => Number.isFinite(millis) && millis >= 0, expected("milliseconds"))
    ),
    Schema.Number.pipe(
      Schema.filter((bytes) => Number.isSafeInteger(bytes) && bytes >= 0, expected("a number of bytes"))
    )
  )))
})

export type Response = typeof Response.Type

export const Exchange = Schema.Struct({
  recordedAt: Schema.String.pipe(
    Schema.filter((date) => !Number.isNaN(Date.parse(date)), expected("a date in ISO 8601"))
  ),
  request: Request,
  response: Response
})

/** A request and its answer. */
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

/** Bytes as a text, if they are valid UTF-8. */
export const decodeText = (bytes: Uint8Array): string | undefined => {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** A text as JSON, if it is valid. */
const parseJson = (text: string): { readonly json: unknown } | undefined => {
  try {
    return { json: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** Applies a function of texts to bytes that are not a text, with each byte as one character. */
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
  return "lines" in body
    ? encoder.encode(body.lines.join("\n"))
    : Either.getOrThrow(Encoding.decodeBase64(body.base64))
}
