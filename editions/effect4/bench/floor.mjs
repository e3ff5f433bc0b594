/** The least that a program of Effect 4 needs for the call of `hello.mjs`: the same request, its answer by a schema. */
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"

const Answer = Schema.Struct({
  choices: Schema.Array(Schema.Struct({ message: Schema.Struct({ content: Schema.String }) }))
})

const program = Effect.gen(function*() {
  const key = yield* Config.Redacted("OPENAI_API_KEY")
  const answer = yield* HttpClientRequest.post("https://api.openai.com/v1/chat/completions").pipe(
    HttpClientRequest.bearerToken(key),
    HttpClientRequest.bodyJsonUnsafe({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: "Name three rivers." }]
    }),
    HttpClient.execute,
    Effect.flatMap(HttpClientResponse.filterStatusOk),
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Answer))
  )
  yield* Console.log(answer.choices[0]?.message.content)
})

void Effect.runPromise(Effect.provide(program, FetchHttpClient.layer))
