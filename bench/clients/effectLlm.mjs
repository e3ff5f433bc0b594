/**
 * This library as a program has it by default, with everything on: checked requests, deadline, time limits, memory cache,
 * sharing of equal calls, retries with their budget, a span, and a logger, which hands each event to a function that
 * counts. Prompts differ, so that each call also derives a key, misses the cache, and fills it.
 */
/** The modules are those of an edition; `client` are options of LlmClient, for who must wait longer than usual. */
export const openOn = async (
  { Effect, Layer, ManagedRuntime, Redacted, Schema, Stream, library: { LlmCache, LlmClient, LlmLogger, OpenAiChat } },
  transport,
  { baseUrl, client: options }
) => {
  const Answer = Schema.Struct({
    title: Schema.String,
    rivers: Schema.Array(Schema.Struct({ name: Schema.String, length: Schema.Number, course: Schema.String }))
  })
  let events = 0
  const runtime = ManagedRuntime.make(
    LlmClient.layer(options).pipe(
      Layer.provide(OpenAiChat.layer({ apiKey: Redacted.make("sk-bench"), baseUrl })),
      Layer.provide(transport),
      Layer.provide([
        LlmCache.layerMemory(),
        LlmLogger.layerHandler(() => {
          events++
        })
      ])
    )
  )
  const client = await runtime.runPromise(LlmClient.LlmClient)
  const requestOf = (prompt) => ({ model: "gpt-4o-mini", prompt })

  return {
    call: (prompt) => runtime.runPromise(Effect.map(client.call(requestOf(prompt)), (response) => response.text)),
    stream: (prompt, onText) =>
      runtime.runPromise(
        Stream.runForEach(
          client.stream(requestOf(prompt)),
          (part) => Effect.sync(() => part._tag === "TextDelta" && onText(part.text))
        )
      ),
    // A call that streams underneath.
    collect: (prompt) =>
      runtime.runPromise(
        Effect.map(client.call(requestOf(prompt), { streaming: true }), (response) => response.text)
      ),
    object: client.streamObject && (async (prompt, onPartial) => {
      let value
      await runtime.runPromise(
        Stream.runForEach(client.streamObject(Answer, requestOf(prompt)), (part) =>
          Effect.sync(() => {
            if (part._tag === "Finish") value = part.value
            else onPartial(part.value)
          }))
      )
      return value
    }),
    events: () => events,
    close: () => runtime.dispose()
  }
}
