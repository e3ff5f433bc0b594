/** One message of a stream, as its framing delivers it. */
export interface Frame {
  /** The name of the event, where the framing has names and this one has one. */
  readonly event?: string | undefined
  /** What the message says: JSON, in all protocols here. */
  readonly data: string
  /** The id of the event, where it was given one. */
  readonly id?: string | undefined
}

/** Cuts a stream of bytes into messages, however the bytes are divided. A state machine: one for each stream. */
export interface Framer {
  /** Takes in bytes, and gives the messages that they complete. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<Frame>
  /** At the end of the bytes: a message that was begun and lacks only its terminator. */
  readonly end: () => ReadonlyArray<Frame>
  /** Whether a message was longer than allowed. Nothing more comes from there on. */
  readonly overflowed: () => boolean
}

/** The longest message, in UTF-16 code units. An image in an answer may take some megabytes. */
export const maxFrameLength = 16 * 1024 * 1024
