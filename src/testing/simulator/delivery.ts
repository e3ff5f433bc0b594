import type * as Duration from "effect/Duration"
import { concatBytes } from "../concatBytes.js"
import type { Fault, StreamPlace } from "./faults.js"
import type { StreamEvent, Streaming } from "./protocol.js"

/** The body of an answer, before a fault is applied. */
export interface Body {
  readonly pieces: ReadonlyArray<Piece>
  /** Its form as a stream. Absent for a body that is not streamed. */
  readonly streaming: Streaming | undefined
  /** The wait before each piece. */
  readonly pace: Duration.Duration
}

interface Piece {
  readonly kind: StreamEvent["kind"]
  readonly bytes: Uint8Array
}

/** The delivery of a body: its chunks, and its end. */
export interface Delivery {
  readonly chunks: ReadonlyArray<Uint8Array>
  /** The wait before each chunk. */
  readonly pause: Duration.DurationInput
  readonly then: "end" | "cut" | "stall" | KeepAlive
  /** The Content-Length, by which a client sees that bytes are missing. */
  readonly length: number | undefined
}

interface KeepAlive {
  readonly bytes: Uint8Array
  readonly every: Duration.DurationInput
}

/** The faults that change a body or its delivery. */
export type BodyFault = Extract<Fault, {
  readonly _tag:
    | "Ok"
    | "HalfJson"
    | "Cut"
    | "SlowBody"
    | "StalledBody"
    | "CutStream"
    | "EndStream"
    | "ErrorEvent"
    | "StalledStream"
    | "KeepAlives"
    | "NoTerminalMarker"
    | "DoneWithoutFinish"
    | "DuplicateStart"
    | "ByteByByte"
    | "CrlfLines"
    | "ToolError"
}>

const encoder = new TextEncoder()

const decoder = new TextDecoder()

/** A streamed body: one piece for each event. */
export const streamed = (streaming: Streaming, events: ReadonlyArray<StreamEvent>, pace: Duration.Duration): Body => ({
  pieces: events.map(({ kind, text }) => ({ kind, bytes: encoder.encode(text) })),
  streaming,
  pace
})

/** A body that is not streamed: its two halves. */
export const plain = (text: string, pace: Duration.Duration): Body => {
  const bytes = encoder.encode(text)
  const half = bytes.length / 2
  return {
    pieces: [{ kind: "content", bytes: bytes.subarray(0, half) }, { kind: "finish", bytes: bytes.subarray(half) }],
    streaming: undefined,
    pace
  }
}

const lengthOf = (chunks: ReadonlyArray<Uint8Array>): number =>
  chunks.reduce((length, chunk) => length + chunk.length, 0)

/** All bytes of a body. */
export const bytesOf = ({ pieces }: Pick<Body, "pieces">): Uint8Array => concatBytes(pieces.map(({ bytes }) => bytes))

/** The number of pieces before the terminal marker. */
const beforeFinish = (pieces: ReadonlyArray<Piece>): number => {
  const at = pieces.findIndex(({ kind }) => kind === "finish")
  return at === -1 ? pieces.length : at
}

/** The terminal marker and all pieces after it are one chunk: a client may leave once it has the marker. */
const chunksOf = (pieces: ReadonlyArray<Piece>): ReadonlyArray<Uint8Array> => {
  const at = beforeFinish(pieces)
  return [...pieces.slice(0, at).map(({ bytes }) => bytes), bytesOf({ pieces: pieces.slice(at) })]
}

const inChunks = (bytes: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from(
    { length: Math.ceil(bytes.length / Math.max(1, size)) },
    (_, i) => bytes.subarray(i * size, (i + 1) * size)
  )

const first = (pieces: ReadonlyArray<Piece>, count: number): ReadonlyArray<Piece> =>
  pieces.slice(0, Math.min(count, beforeFinish(pieces)))

const upTo = (body: Body, place: StreamPlace): ReadonlyArray<Uint8Array> =>
  "afterEvents" in place
    ? chunksOf(first(body.pieces, place.afterEvents))
    : [bytesOf(body).subarray(0, place.afterBytes)]

const isContent = ({ kind }: Piece): boolean => kind === "start" || kind === "content"

/** Applies a fault to a body. `error` gives the event that reports a failure after a number of events. */
export const deliver = (fault: BodyFault, body: Body, error: (status: number, index: number) => string): Delivery => {
  const { pace, pieces, streaming } = body
  const all = bytesOf(body)
  const half = { afterBytes: all.length / 2 }
  const send = (chunks: ReadonlyArray<Uint8Array>, then: Delivery["then"] = "end"): Delivery => ({
    chunks,
    pause: pace,
    then,
    length: streaming !== undefined || typeof then === "object"
      ? undefined
      : then === "end"
      ? lengthOf(chunks)
      : all.length
  })
  switch (fault._tag) {
    case "Ok":
    // It is in the content.
    case "ToolError":
      return send(chunksOf(pieces))
    case "HalfJson":
      return send(upTo(body, half))
    case "Cut":
      return send(upTo(body, half), "cut")
    case "SlowBody":
      return { ...send(inChunks(all, fault.chunkBytes)), pause: fault.delay }
    case "StalledBody":
      return send(upTo(body, fault), "stall")
    case "CutStream":
      return send(upTo(body, fault.after), "cut")
    case "EndStream":
      return send(upTo(body, fault.after))
    case "ErrorEvent": {
      const before = first(pieces, fault.afterEvents)
      return send([...chunksOf(before), encoder.encode(error(fault.status, before.length))])
    }
    case "StalledStream":
      return send(upTo(body, fault), "stall")
    case "KeepAlives":
      return send(upTo(body, fault), { bytes: encoder.encode(streaming?.keepAlive ?? "\n"), every: fault.every })
    case "NoTerminalMarker":
      return send(chunksOf(pieces.filter(isContent)))
    case "DoneWithoutFinish":
      return send([...chunksOf(pieces.filter(isContent)), encoder.encode(streaming?.done ?? "")])
    case "DuplicateStart": {
      const start = pieces.filter(({ kind }) => kind === "start")
      return send(chunksOf([...start, ...pieces]))
    }
    case "ByteByByte":
      // Without a Content-Length each byte is a chunk of HTTP.
      return { ...send(inChunks(all, 1)), pause: 0, length: undefined }
    case "CrlfLines":
      return send(chunksOf(pieces.map(({ bytes, kind }) => ({
        kind,
        bytes: encoder.encode(decoder.decode(bytes).replaceAll(/\r?\n/g, "\r\n"))
      }))))
  }
}
