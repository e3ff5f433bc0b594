import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Faults from "effect-llm/testing/Faults"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { noCache } from "./support/caches.js"
import { simulator } from "./support/overHttp.js"
import { type Protocol, protocols, providers } from "./support/simulated.js"

// A promise of the whole library: a cache never holds an answer that is cut, empty or unread.

const prompt = "Echo: The Elbe rises in the Giant Mountains and comes to the North Sea."

/** Words by which the protocols tell what a piece of an answer is. */
const names = /"(?:type|content|parts|output|text|delta|message|candidates|choices|response|done|finishReason)":/g

/** Damage to the body of an answer, at a place between 0 and 1. Some of it leaves the answer whole. */
const damages = {
  none: (body: string) => body,
  cut: (body: string, at: number) => body.slice(0, Math.floor(body.length * at)),
  /** A member has another name, everywhere. */
  renamed: (body: string, at: number) => {
    const found = [...new Set(body.match(names) ?? [])]
    const name = found[Math.floor(found.length * at)]
    return name === undefined ? body : body.replaceAll(name, name.replace("\"", "\"new_"))
  },
  /** The blocks are of kinds that nobody knows. */
  unknown: (body: string) =>
    body.replaceAll(/"type":\s*"([a-z_]*(?:text|message|delta)[a-z_]*)"/g, "\"type\":\"new_$1\""),
  empty: (body: string) => body.replaceAll(/"(text|content|delta)":\s*"[^"]*"/g, "\"$1\":\"\"")
}

interface Case {
  readonly mode: "call" | "stream" | "streaming"
  readonly damage: keyof typeof damages
  readonly at: number
  readonly fault: "none" | "cut" | "malformed"
}

const cases: FastCheck.Arbitrary<Case> = FastCheck.record({
  mode: FastCheck.constantFrom("call", "stream", "streaming"),
  damage: FastCheck.constantFrom("none", "cut", "cut", "renamed", "renamed", "unknown", "empty"),
  at: FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fault: FastCheck.constantFrom("none", "none", "cut", "malformed")
})

interface Body {
  readonly text: string
  readonly type: string
}

/** The bodies of a service's answers, as it gives them in one piece and as a stream, and the text in them. */
const recorded = (protocol: Protocol) =>
  Effect.gen(function*() {
    const { simulator: service } = yield* simulator()
    const bodies: Array<Body> = []
    const recording = Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make((request) =>
        Effect.flatMap(HttpClient.HttpClient, (http) => http.execute(request)).pipe(
          Effect.flatMap((response) =>
            Effect.map(response.text, (text) => {
              const type = response.headers["content-type"] ?? ""
              bodies.push({ text, type })
              return HttpClientResponse.fromWeb(request, new Response(text, { headers: { "content-type": type } }))
            })
          ),
          Effect.scoped,
          Effect.provide(FetchHttpClient.layer)
        )
      )
    )
    const { layer, model } = providers[protocol]
    const context = yield* Layer.build(Layer.provide(layer(service.url), recording))
    const provider = Context.get(context, LlmProvider.LlmProvider)
    const request = yield* LlmRequest.decode({ model, prompt })
    const { text } = yield* provider.call(request)
    yield* Stream.runDrain(provider.stream(request))
    const [whole, stream] = bodies
    assert(whole !== undefined && stream !== undefined)
    assert.include(text, "North Sea")
    return { layer, model, whole, stream, text }
  })

const damaged = ({ whole, stream }: { readonly whole: Body; readonly stream: Body }, { at, damage, mode }: Case) =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request) =>
      Effect.sync(() => {
        const { text, type } = mode === "call" ? whole : stream
        const body = new Response(damages[damage](text, at), { headers: { "content-type": type } })
        return HttpClientResponse.fromWeb(request, body)
      })
    )
  )

const faults = { none: Faults.ok, cut: Faults.cut(2), malformed: Faults.malformed }

describe("a cache", () => {
  for (const protocol of protocols) {
    it.scopedLive(`never holds an answer that is cut, empty or unread: ${protocol}`, () =>
      Effect.gen(function*() {
        const service = yield* recorded(protocol)
        let kept = 0
        for (const one of FastCheck.sample(cases, { numRuns: 200, seed: 7 })) {
          const stored: Array<LlmResponse.LlmResponse> = []
          const set: LlmCache.Service["set"] = (_, response) => Effect.sync(() => void stored.push(response))
          const context = yield* Layer.build(
            LlmClient.layer({ retry: { times: 0 }, streaming: one.mode === "streaming" }).pipe(
              Layer.provide([
                service.layer("http://127.0.0.1:1").pipe(
                  Faults.inject({ plan: Faults.always(faults[one.fault]) }),
                  Layer.provide(damaged(service, one))
                ),
                Layer.succeed(LlmCache.LlmCache, { ...noCache, set }),
                LlmLogger.layerSilent
              ])
            )
          )
          const client = Context.get(context, LlmClient.LlmClient)
          const request = { model: service.model, prompt }
          yield* Effect.ignore(one.mode === "stream" ? Stream.runDrain(client.stream(request)) : client.call(request))
          const at = JSON.stringify(one)
          for (const response of stored) {
            assert.isTrue(LlmResponse.isComplete(response), at)
            assert.strictEqual(response.text, service.text, at)
            assert.isFalse(one.fault !== "none" && one.mode !== "call", at)
            kept++
          }
          if (one.damage === "none" && one.fault === "none") assert.strictEqual(stored.length, 1, at)
        }
        // Whole answers are kept: the property does not hold for want of answers.
        assert.isAbove(kept, 10)
      }), 120_000)
  }
})
