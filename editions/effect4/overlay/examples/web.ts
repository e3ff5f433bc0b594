// In place of declarations: the routes of Effect 4 are layers.

const router = HttpRouter.toHttpEffect(Layer.unwrap(Effect.gen(function*() {
  const client = yield* LlmClient.LlmClient
  const { toSse } = yield* LlmStream.makeResumable({ keepFor: "1 minute" })
  return Layer.mergeAll(
    HttpRouter.add("GET", "/", HttpServerResponse.html(page)),
    HttpRouter.add(
      "GET",
      "/answer",
      Effect.gen(function*() {
        const { prompt } = yield* HttpServerRequest.schemaSearchParams(Query)
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return HttpServerResponse.stream(
          toSse(client.stream({ model: "gpt-4o-mini", prompt }), { lastEventId: headers["last-event-id"] }),
          { headers: LlmStream.headers }
        )
      }).pipe(
        Effect.catchTag(
          "SchemaError",
          () => Effect.succeed(HttpServerResponse.text("a prompt is missing", { status: 400 }))
        )
      )
    )
  )
})))
