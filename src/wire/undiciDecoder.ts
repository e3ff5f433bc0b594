import type { Transform } from "node:stream"
import * as Zlib from "node:zlib"

/** An answer with more nested encodings is not trusted. */
const maxEncodings = 5

// Lenient at the end, as browsers are: the protocols check whether an answer is whole.
const zlib: Zlib.ZlibOptions = { finishFlush: Zlib.constants.Z_SYNC_FLUSH }
const brotli: Zlib.BrotliOptions = { finishFlush: Zlib.constants.BROTLI_OPERATION_FLUSH }

/** Most servers send `deflate` as RFC 9110 has it, in the format of zlib, which begins with its method, and some bare. */
const isBareDeflate = (first: Uint8Array): boolean => ((first[0] ?? 0) & 0x0f) !== 0x08

const decoders: { readonly [encoding: string]: (first: Uint8Array | undefined) => Transform } = {
  gzip: () => Zlib.createGunzip(zlib),
  "x-gzip": () => Zlib.createGunzip(zlib),
  deflate: (first) =>
    first !== undefined && isBareDeflate(first) ? Zlib.createInflateRaw(zlib) : Zlib.createInflate(zlib),
  br: () => Zlib.createBrotliDecompress(brotli)
}

/**
 * The encodings of a body, the outermost first; none if it has none, or an unknown one: then the body is read as it is,
 * as `fetch` does.
 */
export const encodingsOf = (header: string | undefined): ReadonlyArray<string> => {
  if (header === undefined) return []
  const names = header.toLowerCase().split(",").map((name) => name.trim()).filter((name) =>
    name !== "" && name !== "identity"
  )
  return names.length <= maxEncodings && names.every((name) => Object.hasOwn(decoders, name)) ? names.reverse() : []
}

/** Receives decoded bytes. */
export interface Receiver {
  readonly data: (bytes: Uint8Array) => void
  readonly end: () => void
  readonly error: (cause: unknown) => void
  /** There is room for more again. */
  readonly drain: () => void
}

/** Decodes a body piece by piece, never faster than its reader reads: a small piece may unpack to a thousand times as much. */
export interface Decoder {
  /** Takes a piece; `false` if the next one should wait for `drain`. */
  readonly write: (bytes: Uint8Array) => boolean
  readonly end: () => void
  readonly pause: () => void
  readonly resume: () => void
  readonly destroy: () => void
}

/** Makes a decoder for a body that begins with a piece, which the caller still has to write. */
export const make = (encodings: ReadonlyArray<string>, first: Uint8Array, receiver: Receiver): Decoder => {
  const stages = encodings.map((name, n) => decoders[name]!(n === 0 ? first : undefined))
  const outer = stages[0]!
  const inner = stages.reduce((from, to) => from.pipe(to))
  for (const stage of stages) stage.on("error", receiver.error)
  outer.on("drain", receiver.drain)
  inner.on("data", receiver.data).on("end", receiver.end)
  return {
    write: (bytes) => outer.write(bytes),
    end: () => void outer.end(),
    pause: () => void inner.pause(),
    resume: () => void inner.resume(),
    destroy: () => {
      for (const stage of stages) stage.destroy()
    }
  }
}
