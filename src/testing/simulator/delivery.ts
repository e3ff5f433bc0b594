import type * as Duration from "effect/Duration"
import type { Fault, StreamPlace } from "./faults.js"
import type { StreamEvent, Streaming } from "./protocol.js"

/** The body of an answer, before anything happens to it. */
export interface Body {
  readonly pieces: ReadonlyArray<Piece>
  /** How it is streamed, if it is. */
  readonly streaming: Streaming | undefined
  /** How long each of its pieces takes. */
  readonly pace: Duration.Duration
}

interface Piece {
  readonly kind: StreamEvent["kind"]
  readonly bytes: Uint8Array
}

/** How a body goes out: chunk by chunk, and what comes then. */
export interface Delivery {
  readonly chunks: ReadonlyArray<Uint8Array>
  /** How long each chunk takes. */
  readonly pause: Duration.DurationInput
  readonly then: "end" | "cut" | "stall" | KeepAlive
  /** What the headers say of its length. By that a client can tell that something is missing. */
  readonly length: number | undefined
}

interface KeepAlive {
  readonly bytes: Uint8Array
  readonly every: Duration.DurationInput
}

/** The faults that happen to a body. */
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
}>

const encoder = new TextEncoder()

const decoder = new TextDecoder()

/** A body that is streamed: a piece for each event. */
export const streamed = (streaming: Streaming, events: ReadonlyArray<StreamEvent>, pace: Duration.Duration): Body => ({
  pieces: events.map(({ kind, text }) => ({ kind, bytes: encoder.encode(text) })),
  streaming,
  pace
})

/** A body that is not: its two halves. */
export const plain = (json: unknown, pace: Duration.Duration): Body => {
  const bytes = encoder.encode(JSON.stringify(json))
  const half = bytes.length / 2
  return {
    pieces: [{ kind: "content", bytes: bytes.subarray(0, half) }, { kind: "finish", bytes: bytes.subarray(half) }],
    streaming: undefined,
    pace
  }
}

const lengthOf = (chunks: ReadonlyArray<Uint8Array>): number =>
  chunks.reduce((length, chunk) => length + chunk.length, 0)

const join = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const all = new Uint8Array(lengthOf(chunks))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}

/** All bytes of a body. */
export const bytesOf = ({ pieces }: Pick<Body, "pieces">): Uint8Array => join(pieces.map(({ bytes }) => bytes))

/** How many pieces come before the terminal marker. */
const beforeFinish = (pieces: ReadonlyArray<Piece>): number => {
  const at = pieces.findIndex(({ kind }) => kind === "finish")
  return at === -1 ? pieces.length : at
}

/** What comes after the terminal marker goes out with it: who has that may leave. */
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

/** Decides how a body goes out. `error` gives the event that says, after so many others, that the answer failed. */
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
      // Without a length, so that each byte is a chunk of HTTP.
      return { ...send(inChunks(all, 1)), pause: 0, length: undefined }
    case "CrlfLines":
      return send(chunksOf(pieces.map(({ bytes, kind }) => ({
        kind,
        bytes: encoder.encode(decoder.decode(bytes).replaceAll(/\r?\n/g, "\r\n"))
      }))))
  }
}
