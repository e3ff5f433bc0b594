// In place of declarations: an error of the `HttpClient` of Effect 4 has its kind in its reason.

/** Reads a body to its end or to the place where it breaks off. `sentAt` is when the request was sent (`Elapsed.now`). */
export const readBody = Effect.fnUntraced(function*(response: HttpClientResponse.HttpClientResponse, sentAt: number) {
  const chunks: Array<TimedBytes> = []
  let last = sentAt
  const failure = yield* response.stream.pipe(
    Stream.runForEach((bytes) =>
      Effect.map(Elapsed.now, (now) => {
        chunks.push([now - last, bytes])
        last = now
      })
    ),
    Effect.catchIf(({ reason }) => reason._tag === "EmptyBodyError", () => Effect.void),
    Effect.flip,
    Effect.option
  )
  return { chunks, failure: Option.getOrUndefined(failure) }
})
