/**
 * The floor with what Effect itself has for it, and nothing of a client for models: a time limit and a retry around a
 * call, a `Stream` of the texts of each read. What this costs, a client that composes these cannot be below.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Agent, request } from "undici"

const policy = Schedule.exponential("1 second").pipe(Schedule.intersect(Schedule.recurs(2)))

export const open = ({ baseUrl }) => {
  const dispatcher = new Agent()
  const url = `${baseUrl}/chat/completions`
  const headers = { "content-type": "application/json", authorization: "Bearer sk-bench" }
  const ask = (prompt, more) =>
    Effect.tryPromise(() =>
      request(url, {
        dispatcher,
        method: "POST",
        headers,
        body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }], ...more })
      })
    )

  const textsOf = () => {
    const decoder = new TextDecoder()
    let rest = ""
    return (bytes) => {
      const texts = []
      const text = rest + decoder.decode(bytes, { stream: true })
      let from = 0
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", from)) {
        const data = text.slice(from + 6, end)
        from = end + 2
        if (data === "[DONE]") continue
        const delta = JSON.parse(data).choices[0]?.delta.content
        if (delta !== undefined && delta !== "") texts.push(delta)
      }
      rest = text.slice(from)
      return Chunk.unsafeFromArray(texts)
    }
  }

  return {
    call: (prompt) =>
      Effect.runPromise(
        ask(prompt).pipe(
          Effect.flatMap(({ body }) => Effect.tryPromise(() => body.text())),
          Effect.map((text) => JSON.parse(text).choices[0].message.content),
          Effect.timeout("30 seconds"),
          Effect.retry(policy)
        )
      ),
    stream: (prompt, onText) =>
      Effect.runPromise(
        Stream.unwrap(
          Effect.map(ask(prompt, { stream: true, stream_options: { include_usage: true } }), ({ body }) =>
            Stream.mapConcatChunk(Stream.fromAsyncIterable(body, (cause) => cause), textsOf()))
        ).pipe(Stream.runForEach((text) =>
          Effect.sync(() => onText(text))
        ))
      ),
    close: () => dispatcher.close()
  }
}
