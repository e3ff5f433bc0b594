import { type Frame, type Framer, maxFrameLength } from "./frame.js"
import * as Utf8 from "./utf8.js"

/**
 * Reads JSON lines: a line ends in LF (a CR before it is dropped), empty lines are skipped, and the last line needs no
 * LF. Linear in the bytes, however they are divided.
 */
export const make = (options: { readonly maxLength?: number | undefined } = {}): Framer => {
  const maxLength = options.maxLength ?? maxFrameLength
  const utf8 = Utf8.make()
  let line = ""
  let overflowed = false

  const endLine = (into: Array<Frame>): void => {
    const data = line.trim()
    line = ""
    if (data !== "") into.push({ data })
  }

  const push = (text: string, into: Array<Frame>): void => {
    let from = 0
    for (let lf = text.indexOf("\n"); lf !== -1; lf = text.indexOf("\n", from)) {
      line += text.slice(from, lf)
      if (line.length > maxLength) overflowed = true
      if (overflowed) return
      endLine(into)
      from = lf + 1
    }
    line += from === 0 ? text : text.slice(from)
    if (line.length > maxLength) overflowed = true
  }

  return {
    push: (bytes) => {
      const frames: Array<Frame> = []
      if (!overflowed) push(utf8.push(bytes), frames)
      return frames
    },
    end: () => {
      const frames: Array<Frame> = []
      if (overflowed) return frames
      push(utf8.end(), frames)
      endLine(frames)
      return frames
    },
    overflowed: () => overflowed
  }
}

/** Reads a whole stream of JSON lines. */
export const decode = (chunks: Iterable<Uint8Array>): ReadonlyArray<Frame> => {
  const framer = make()
  return Array.from(chunks, (chunk) => framer.push(chunk)).flat().concat(framer.end())
}
