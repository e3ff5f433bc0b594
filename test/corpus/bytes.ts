import * as Anthropic from "effect-llm/Anthropic"
import * as Gemini from "effect-llm/Gemini"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { serveSockets, type Transport, transports } from "../support/overHttp.js"
import { type Protocol, protocols } from "../support/recordings.js"

/** Requests as they go over a socket, byte for byte, with the headers that the transport adds. */

const apiKey = Redacted.make("sk-corpus-0123456789abcdef")

const providers = {
  "Responses": (baseUrl: string) => OpenAi.layer({ apiKey, baseUrl }),
  "Chat Completions": (baseUrl: string) => OpenAiChat.layer({ apiKey, baseUrl }),
  "Messages": (baseUrl: string) => Anthropic.layer({ apiKey, baseUrl }),
  "generateContent": (baseUrl: string) => Gemini.layer({ apiKey, baseUrl }),
  "Ollama": (baseUrl: string) => Ollama.layer({ baseUrl })
}

/** The length of the body that the headers announce. */
const announced = (head: string): number => Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)

/** A server that keeps the bytes of each request, as text, and gives one answer. */
const keeping = (contentType: string, answer: string) =>
  Effect.gen(function*() {
    const kept: Array<string> = []
    const { url } = yield* serveSockets((socket) => {
      let bytes = Buffer.alloc(0)
      socket.on("error", () => {})
      socket.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk])
        const end = bytes.indexOf("\r\n\r\n")
        if (end < 0 || bytes.length < end + 4 + announced(bytes.toString("latin1", 0, end))) return
        kept.push(bytes.toString("utf8"))
        const head = [
          "HTTP/1.1 200 OK",
          `content-type: ${contentType}`,
          `content-length: ${Buffer.byteLength(answer)}`,
          "connection: close"
        ]
        socket.end(`${head.join("\r\n")}\r\n\r\n${answer}`)
      })
    })
    return { url, kept }
  })

const sent = (protocol: Protocol, transport: Transport, streamed: boolean) =>
  Effect.gen(function*() {
    const [recording] = protocol.recordings
    const { kept, url } = streamed
      ? yield* keeping(protocol.contentType, recording!.stream)
      : yield* keeping("application/json", JSON.stringify(recording!.body))
    const layer = providers[protocol.name as keyof typeof providers](url)
    const context = yield* Layer.build(Layer.provide(layer, transports[transport]))
    const provider = Context.get(context, LlmProvider.LlmProvider)
    const request = yield* LlmRequest.decode({ model: "some-model", prompt: "Grüße, 世界 \u{1F30A}", maxTokens: 10 })
    yield* streamed ? Stream.runDrain(provider.stream(request)) : provider.call(request)
    return kept.map((text) => text.replaceAll(url.slice("http://".length), "server"))
  }).pipe(Effect.scoped, Effect.orDie)

/** The requests of each protocol over each transport, by their names. */
export const overSockets = Effect.gen(function*() {
  const all: Array<readonly [name: string, requests: ReadonlyArray<string>]> = []
  for (const protocol of protocols) {
    for (const transport of Object.keys(transports) as ReadonlyArray<Transport>) {
      for (const streamed of [false, true]) {
        const name = `bytes | ${protocol.name} | ${transport} | ${streamed ? "stream" : "call"}`
        all.push([name, yield* sent(protocol, transport, streamed)])
      }
    }
  }
  return all
})
