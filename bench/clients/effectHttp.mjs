/** What a program of Effect has without a client for models: HttpClient over undici, and `Sse` of @effect/experimental. */
import * as Sse from "@effect/experimental/Sse"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"

export const open = async ({ baseUrl }) => {
  const runtime = ManagedRuntime.make(NodeHttpClient.layerUndici)
  const client = HttpClient.filterStatusOk(await runtime.runPromise(HttpClient.HttpClient))
  const ask = (prompt, more) =>
    HttpClientRequest.post(`${baseUrl}/chat/completions`).pipe(
      HttpClientRequest.bearerToken("sk-bench"),
      HttpClientRequest.bodyUnsafeJson({
        model: "gpt-4o-mini",
        messages: [{ role: "user", content: prompt }],
        ...more
      }),
      client.execute
    )
  return {
    call: (prompt) =>
      runtime.runPromise(
        Effect.map(Effect.flatMap(ask(prompt), (response) => response.json), (body) => body.choices[0].message.content)
      ),
    stream: (prompt, onText) =>
      runtime.runPromise(
        HttpClientResponse.stream(ask(prompt, { stream: true, stream_options: { include_usage: true } })).pipe(
          Stream.decodeText(),
          Stream.pipeThroughChannel(Sse.makeChannel()),
          Stream.takeWhile((event) => event.data !== "[DONE]"),
          Stream.runForEach((event) =>
            Effect.sync(() => {
              const delta = JSON.parse(event.data).choices[0]?.delta.content
              if (delta) onText(delta)
            })
          )
        )
      ),
    close: () => runtime.dispose()
  }
}
