import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { ends, service } from "../support/fakeHttp.js"

const seen = FiberRef.unsafeMake("nothing")

/** A client that leaves a trace in the fiber that calls it. */
const telling = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, HttpClient.transform((send) => Effect.zipRight(FiberRef.set(seen, "it"), send)))
)

describe("the fiber that calls over HTTP", () => {
  for (const [how, answer] of Object.entries(ends)) {
    it.effect(`keeps what the program's client has set in a FiberRef, when the call ${how}`, () =>
      Effect.gen(function*() {
        const layer = OpenAiChat.layer({}).pipe(Layer.provide(telling), Layer.provide(service(answer).layer))
        const { call, stream } = yield* Effect.provide(LlmProvider.LlmProvider, layer)
        const request = yield* LlmRequest.decode({ model: "gpt-4o", prompt: "Which rivers flow through Dresden?" })
        for (const run of [call(request), Effect.scoped(Stream.toPull(stream(request)).pipe(Effect.flatten))]) {
          yield* FiberRef.set(seen, "nothing")
          yield* Effect.exit<unknown, unknown, never>(run)
          assert.strictEqual(yield* FiberRef.get(seen), "it")
        }
      }))
  }
})
