import { type Frame, type Framer, maxFrameLength } from "./frame.js"
import * as Json from "./json.js"
import * as Utf8 from "./utf8.js"

/**
 * Reads server-sent events by the WHATWG specification (section 9.2.6): lines end in LF, CR or CRLF, wherever the bytes
 * are divided; a byte order mark at the start is skipped; `data` lines are joined; comments, `retry` and unknown fields are
 * ignored; an event without data is dropped.
 *
 * Two ways in which servers report errors are not in the specification, but are read here: a field `error` is an event
 * of that name, and lines of JSON without a field are a frame that is marked as `bare`.
 *
 * Linear in the bytes, however they are divided: each byte is read once, and text is joined only when a line is
 * complete.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export const make = (options: { readonly maxLength?: number | undefined } = {}): Framer => {
  const maxLength = options.maxLength ?? maxFrameLength
  const utf8 = Utf8.make()
  // The unfinished line. Appending to a string does not copy it; reading it would.
  let line = ""
  let isComment = false
  // The last byte was a CR: an LF that follows belongs to it.
  let afterCr = false
  let data: string | undefined
  let event: string | undefined
  let id: string | undefined
  /** Lines of JSON without a field. */
  let bare: string | undefined
  let overflowed = false

  const field = (text: string, into: Array<Frame>): void => {
    if (bare !== undefined || (data === undefined && text.startsWith("{"))) {
      if (!/^(?:data|event|id|retry|error):/.test(text)) {
        bare = bare === undefined ? text : `${bare}\n${text}`
        // It may lack the empty line at its end.
        if (/^(?:\{.*)?\}\s*$/.test(text) && Json.parse(bare) !== undefined) dispatch(into)
        return
      }
      dispatch(into)
    }
    // The form of nearly all lines.
    if (data === undefined && text.startsWith("data: ")) {
      data = text.slice(6)
      return
    }
    const colon = text.indexOf(":")
    const name = colon === -1 ? text : text.slice(0, colon)
    const value = colon === -1 ? "" : text.slice(text.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)
    switch (name) {
      case "data":
        data = data === undefined ? value : `${data}\n${value}`
        return
      case "event":
        event = value
        return
      case "id":
        if (!value.includes("\0")) id = value
        return
      case "error":
        data = data === undefined ? value : `${data}\n${value}`
        event = "error"
    }
  }

  const dispatch = (into: Array<Frame>): void => {
    if (bare !== undefined) into.push({ data: bare, bare: true })
    if (data !== undefined) {
      const named = event !== undefined && event !== ""
      into.push(id !== undefined ? { data, ...(named && { event }), id } : named ? { data, event } : { data })
    }
    data =
      event =
      id =
      bare =
        undefined
  }

  const append = (text: string): void => {
    if (text === "") return
    if (line === "" && !isComment) isComment = text.startsWith(":")
    // A comment may have any length, as it is not kept.
    if (isComment) return
    line += text
    if (line.length + (data?.length ?? 0) + (bare?.length ?? 0) > maxLength) overflowed = true
  }

  const endLine = (into: Array<Frame>): void => {
    if (isComment) {
      isComment = false
      return
    }
    if (line === "") return dispatch(into)
    field(line, into)
    line = ""
  }

  const push = (text: string, into: Array<Frame>): void => {
    let from = afterCr && text.startsWith("\n") ? 1 : 0
    if (text !== "") afterCr = false
    // The positions of the next LF and CR; each is searched for again only when it has been passed.
    let lf = text.indexOf("\n", from)
    let cr = text.indexOf("\r", from)
    while (!overflowed && (lf !== -1 || cr !== -1)) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
      append(text.slice(from, end))
      endLine(into)
      from = end + 1
      if (end === cr) {
        if (from === text.length) afterCr = true
        else if (lf === from) from++
        cr = text.indexOf("\r", from)
      }
      if (lf !== -1 && lf < from) lf = text.indexOf("\n", from)
    }
    if (!overflowed) append(from === 0 ? text : text.slice(from))
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
      if (line !== "") endLine(frames)
      dispatch(frames)
      return frames
    },
    overflowed: () => overflowed
  }
}

/** Reads a whole stream of server-sent events. An event that is not followed by an empty line is dropped. */
export const decode = (chunks: Iterable<Uint8Array>): ReadonlyArray<Frame> => {
  const framer = make()
  return Array.from(chunks, (chunk) => framer.push(chunk)).flat().filter((frame) => frame.bare !== true)
}
