import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const program = Effect.gen(function*() {
  const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
  const response = yield* HttpClientRequest.post("https://api.openai.com/v1/chat/completions").pipe(
    HttpClientRequest.bearerToken(yield* Config.redacted("OPENAI_API_KEY")),
    HttpClientRequest.bodyUnsafeJson({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: "Name three rivers." }]
    }),
    client.execute
  )
  const body = yield* response.json
  yield* Console.log(body.choices[0].message.content)
})

void Effect.runPromise(Effect.provide(program, FetchHttpClient.layer))
