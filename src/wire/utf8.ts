/** Reads UTF-8, wherever the bytes are divided. */
export interface Reader {
  /** The text of these bytes, as far as its characters are whole. */
  readonly push: (bytes: Uint8Array) => string
  /** What is left at the end of the bytes: a character that was cut. */
  readonly end: () => string
}

/** Without `stream`, platforms have a way that is several times as fast. It keeps nothing, so that all may share it. */
const whole = new TextDecoder("utf-8", { ignoreBOM: true })

const isAscii = (text: string, bytes: Uint8Array): boolean =>
  // Every other character has more bytes than units; a byte that is part of none becomes a replacement character.
  text.length === bytes.length && !text.includes("\uFFFD")

/**
 * As a `TextDecoder` that streams: a byte order mark at the start is skipped, and what is no UTF-8 is replaced. Streams
 * are mostly ASCII, of which no character can be cut: those are read in the fast way up to the first other character.
 */
export const make = (): Reader => {
  let decoder: TextDecoder | undefined
  let begun = false
  return {
    push: (bytes) => {
      if (decoder === undefined) {
        const text = whole.decode(bytes)
        if (isAscii(text, bytes)) {
          begun ||= bytes.length > 0
          return text
        }
        decoder = new TextDecoder("utf-8", { ignoreBOM: begun })
      }
      return decoder.decode(bytes, { stream: true })
    },
    end: () => decoder?.decode() ?? ""
  }
}

const fromStart = new TextDecoder()

/** Reads a text that is there, up to so many bytes. */
export const decode = (chunks: ReadonlyArray<Uint8Array>, length = Infinity): string => {
  const [first = new Uint8Array(), ...others] = chunks
  return fromStart.decode((others.length === 0 ? first : joined(chunks)).subarray(0, length))
}

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}
