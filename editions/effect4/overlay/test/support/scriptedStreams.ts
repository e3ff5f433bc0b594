// In place of declarations: a stream of Effect 4 has no empty chunks.

const parts = (parts: ReadonlyArray<StreamPart.StreamPart>): Streamed => Stream.fromIterable(parts)
