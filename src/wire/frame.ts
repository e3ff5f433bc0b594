/** One message of a stream. */
export interface Frame {
  /** The name of the event, if it has one. */
  readonly event?: string | undefined
  /** The content of the message: JSON in all protocols here. */
  readonly data: string
  /** The id of the event, if it has one. */
  readonly id?: string | undefined
  /** Set for JSON between the messages, without their framing: some servers report failures in this way. */
  readonly bare?: true | undefined
}

/** Divides a stream of bytes into messages, however it is divided. A state machine: one for each stream. */
export interface Framer {
  /** Adds bytes, and returns the messages that they complete. */
  readonly push: (bytes: Uint8Array) => ReadonlyArray<Frame>
  /** Ends the bytes, and returns the last message if only its terminator is missing. */
  readonly end: () => ReadonlyArray<Frame>
  /** Whether a message was too long. From then on no message is returned. */
  readonly overflowed: () => boolean
}

/** The maximum length of a message, in UTF-16 code units. An image in an answer may take some megabytes. */
export const maxFrameLength = 16 * 1024 * 1024
