/** Reads UTF-8 in pieces, however they are divided. */
export interface Reader {
  /** Adds bytes, and returns the text of the characters that are complete. */
  readonly push: (bytes: Uint8Array) => string
  /** Ends the bytes, and returns the replacement of a character that was cut. */
  readonly end: () => string
}

/** Without `stream`, platforms decode several times as fast. This decoder has no state, so all readers share it. */
const whole = new TextDecoder("utf-8", { ignoreBOM: true })

const isAscii = (text: string, bytes: Uint8Array): boolean =>
  // Every other character has more bytes than units; a byte of no character becomes a replacement character.
  text.length === bytes.length && !text.includes("\uFFFD")

/**
 * Works like a streaming `TextDecoder`: a byte order mark at the start is skipped, and invalid bytes are replaced. Streams
 * are mostly ASCII, of which no character can be cut: up to the first other character they are decoded the fast way.
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

/** Reads a complete text, up to `length` bytes. */
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
