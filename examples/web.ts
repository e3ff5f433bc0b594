/**
 * A server and a page that shows an answer as it arrives: the parts of the stream as server-sent events, the failure of a
 * stream as the last one, and resumption after a lost connection. With a key it asks OpenAI, without one a simulator in
 * this process. With CI set it asks itself, as the page would, and ends.
 *
 *     npx tsx examples/web.ts
 *     OPENAI_API_KEY=... PORT=8080 npx tsx examples/web.ts
 *
 * Look at the page while an answer comes; stop the network for a moment, and it goes on where it was.
 */
import {
  FetchHttpClient,
  HttpClient,
  HttpClientResponse,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "@effect/platform"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer, Option, Schema, Stream } from "effect"
import { LlmClient, LlmError, LlmStream, OpenAiChat } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

const page = `<!doctype html>
<meta charset="utf-8">
<title>A stream</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 3rem auto } #answer { white-space: pre-wrap }</style>
<form><input name="prompt" size="50" value="Describe a river."> <button>Ask</button></form>
<p id="answer"></p>
<p><small id="end"></small></p>
<script type="module">
  const [form, answer, end] = ["form", "#answer", "#end"].map((each) => document.querySelector(each))
  let source
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    source?.close()
    answer.textContent = end.textContent = ""
    // The browser comes back by itself after a lost connection, with the id of its last event.
    source = new EventSource("/answer?" + new URLSearchParams(new FormData(form)))
    source.onmessage = ({ data }) => {
      const part = JSON.parse(data)
      if (part._tag === "TextDelta") answer.textContent += part.text
      if (part._tag === "Finish") end.textContent = part.response.usage.outputTokens + " tokens"
      if (part._tag === "LlmError") end.textContent = "Failed: " + part.reason._tag
      if (part._tag === "Finish" || part._tag === "LlmError") source.close()
    }
  })
</script>
`

const Query = Schema.Struct({ prompt: Schema.NonEmptyString.pipe(Schema.maxLength(2_000)) })

const router = Effect.gen(function*() {
  const client = yield* LlmClient.LlmClient
  const { toSse } = yield* LlmStream.makeResumable({ keepFor: "1 minute" })
  return HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.html(page)),
    HttpRouter.get(
      "/answer",
      Effect.gen(function*() {
        const { prompt } = yield* HttpServerRequest.schemaSearchParams(Query)
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return HttpServerResponse.stream(
          toSse(client.stream({ model: "gpt-4o-mini", prompt }), { lastEventId: headers["last-event-id"] }),
          { headers: LlmStream.headers }
        )
      }).pipe(Effect.catchTag("ParseError", () => HttpServerResponse.text("a prompt is missing", { status: 400 })))
    )
  )
})

/** Asks as the page does, and prints the answer. */
const visit = (url: string) =>
  HttpClient.get(`${url}/answer`, { urlParams: { prompt: "Describe a river." } }).pipe(
    HttpClientResponse.stream,
    LlmStream.fromSse,
    Stream.runForEach((part) => {
      switch (part._tag) {
        case "TextDelta":
          return Effect.sync(() => process.stdout.write(part.text))
        case "Finish":
          return Console.log(`\n(${part.response.usage.outputTokens} tokens)`)
        default:
          return Effect.void
      }
    }),
    LlmError.catchReason("StreamInterrupted", ({ partial }) => Console.log(`\n(broken off after: ${partial.text})`))
  )

const program = Effect.gen(function*() {
  yield* HttpServer.serveEffect(yield* router)
  const { address } = yield* HttpServer.HttpServer
  const url = "port" in address ? `http://127.0.0.1:${address.port}` : address.path
  yield* Console.log(`Open ${url}`)
  yield* Console.log("Look at the answer as it arrives.")
  const isTrial = yield* Config.boolean("CI").pipe(Config.withDefault(false))
  yield* isTrial ? visit(url) : Effect.never
})

/** Answers word by word, without a key. */
const SimulatorLive = Simulator.layer({
  answer: ({ text }) =>
    `You asked: ${text}\nThe river rises in the mountains,\nand carries a hundred brooks to the sea.`,
  pace: "40 millis"
}).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)

const ProviderLive = Layer.unwrapEffect(
  Effect.map(Config.option(Config.redacted("OPENAI_API_KEY")), (apiKey) =>
    Option.match(apiKey, {
      onSome: (apiKey) => OpenAiChat.layer({ apiKey }),
      onNone: () =>
        Layer.unwrapEffect(
          Effect.map(Simulator.Simulator, ({ url }) => OpenAiChat.layer({ baseUrl: `${url}/v1` }))
        ).pipe(Layer.provide(SimulatorLive))
    }))
)

const ServerLive = Layer.unwrapEffect(
  Effect.map(
    Config.integer("PORT").pipe(Config.withDefault(0)),
    (port) => NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })
  )
)

program.pipe(
  Effect.scoped,
  Effect.provide([LlmClient.layerDefault().pipe(Layer.provide(ProviderLive)), ServerLive]),
  Effect.provide(FetchHttpClient.layer),
  NodeRuntime.runMain
)
