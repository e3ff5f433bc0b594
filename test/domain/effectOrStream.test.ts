import { assert, describe, it } from "@effect/vitest"
import * as Budget from "effect-llm/Budget"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { errorOf } from "../support/exits.js"
import { request } from "../support/samples.js"
import { scriptedClient } from "../support/scriptedClient.js"
import { within } from "../support/testClock.js"

const collected = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

const interrupted = LlmError.fail({ _tag: "StreamInterrupted", partial: { text: "El", parts: [] } })

const broken = Stream.concat(Stream.make("El"), Stream.fromEffect(interrupted))

describe("LlmError.catchReason of a stream", () => {
  it.effect("goes on with the handler's stream after what has come", () =>
    Effect.gen(function*() {
      const caught = LlmError.catchReason(broken, "StreamInterrupted", ({ partial }) => Stream.make("|", partial.text))
      assert.deepStrictEqual(yield* collected(caught), ["El", "|", "El"])
    }))

  it.effect("ends with the value of the handler's effect", () =>
    Effect.gen(function*() {
      const caught = broken.pipe(LlmError.catchReason("StreamInterrupted", () => Effect.succeed("...")))
      assert.deepStrictEqual(yield* collected(caught), ["El", "..."])
    }))

  it.effect("lets other reasons and other failures pass", () =>
    Effect.gen(function*() {
      const reasons = { Refused: () => Stream.make("no") }
      assert.strictEqual(
        errorOf(yield* Effect.exit(collected(broken.pipe(LlmError.catchReasons(reasons))))).reason._tag,
        "StreamInterrupted"
      )
      assert.strictEqual(yield* Effect.flip(collected(LlmError.catchReasons(Stream.fail("mine"), reasons))), "mine")
    }))

  it.effect("takes the handler of the reason among several", () =>
    Effect.gen(function*() {
      const caught = broken.pipe(LlmError.catchReasons({
        Refused: () => Effect.succeed("refused"),
        StreamInterrupted: () => Effect.succeed("broken off")
      }))
      assert.deepStrictEqual(yield* collected(caught), ["El", "broken off"])
    }))

  it.effect("is a defect where the handler of an effect gives a stream", () =>
    Effect.gen(function*() {
      const caught: unknown = LlmError.catchReason(interrupted, "StreamInterrupted", () => Stream.empty)
      const exit = yield* Effect.exit(caught as Effect.Effect<never>)
      assert(exit._tag === "Failure" && exit.cause._tag === "Die")
    }))
})

describe("LlmClient.withOptions, RateLimit.withPriority and Budget.within of a stream", () => {
  it.scoped("set the options of the calls and streams in it", () =>
    Effect.gen(function*() {
      const { client, exchanges, provide } = yield* scriptedClient([
        LlmTest.repeat(Effect.delay(LlmTest.text("Elbe"), "1 second"))
      ])
      const program = Stream.concat(LlmClient.streamText(request), Stream.fromEffect(LlmClient.call(request))).pipe(
        LlmClient.withOptions({ cache: "bypass", tags: { job: "nightly" } })
      )
      yield* within("2 seconds")(provide(collected(program)))
      assert.strictEqual((yield* exchanges).length, 2)
      yield* within("1 second")(collected(client.streamText(request)))
      yield* within("0 millis")(collected(client.streamText(request)))
      assert.strictEqual((yield* exchanges).length, 3)
    }))

  it.scoped("leave what comes after the stream alone", () =>
    Effect.gen(function*() {
      const { client, exchanges, provide } = yield* scriptedClient([LlmTest.repeat("Elbe")])
      const bypassing = LlmClient.streamText(request).pipe(LlmClient.withOptions({ cache: "bypass" }))
      yield* provide(collected(Stream.mapEffect(bypassing, () => client.call(request))))
      yield* client.call(request)
      assert.strictEqual((yield* exchanges).length, 2)
    }))

  it.scoped("limit each run of a stream to its own budget", () =>
    Effect.gen(function*() {
      const { provide } = yield* scriptedClient([LlmTest.repeat("Elbe")])
      const asking = (prompt: string) =>
        LlmClient.streamText({ ...request, prompt, maxTokens: 5 }, { cache: "bypass", retry: false })
      const two = Stream.concat(asking("Name a river."), asking("Name another river, and a lake, and a sea.")).pipe(
        Budget.within({ tokens: 20 })
      )
      for (const _ of [1, 2]) {
        const texts: Array<string> = []
        const exit = yield* Effect.exit(provide(Stream.runForEach(two, (text) => Effect.sync(() => texts.push(text)))))
        assert.strictEqual(texts.join(""), "Elbe")
        assert.strictEqual(errorOf(exit).reason._tag, "BudgetExceeded")
      }
    }))

  it.effect("give the provider the priority", () =>
    Effect.gen(function*() {
      const seen: Array<number> = []
      const look = Stream.fromEffect(Effect.map(RateLimit.Priority, (priority) => seen.push(priority)))
      yield* Stream.runDrain(Stream.concat(RateLimit.withPriority(look, 7), look))
      assert.deepStrictEqual(seen, [7, 0])
    }))
})

describe("LlmClient.Service.streamText", () => {
  it.scoped("gives the text of a streamed answer", () =>
    Effect.gen(function*() {
      const { client } = yield* scriptedClient([LlmTest.stream(["El", "be"])])
      assert.deepStrictEqual(yield* collected(client.streamText(request)), ["El", "be"])
    }))
})

describe("LlmError.fail", () => {
  it.effect("has defaults for a provider of one's own, which the client completes", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LlmError.fail({ _tag: "RateLimited", retryAfter: "7 seconds" }))
      assert.deepStrictEqual([error.operation, error.attempts, error.isRetryable], ["call", 1, true])
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
      const provider = LlmProvider.make({
        name: "own",
        endpoint: "memory:",
        call: () => LlmError.fail({ _tag: "PermissionDenied" }, { status: 403 })
      })
      const failed = yield* Effect.gen(function*() {
        return yield* Effect.flip(LlmClient.call(request))
      }).pipe(
        Effect.provide(LlmClient.layerDefault()),
        Effect.provideService(LlmProvider.LlmProvider, provider)
      )
      assert.deepStrictEqual([failed.provider, failed.model, failed.status], ["own", request.model, 403])
    }))

  it.effect("takes a reason that is made already, and round-trips as any error", () =>
    Effect.gen(function*() {
      for (
        const reason of [
          LlmError.CircuitOpen.make({ retryAfter: "1 minute" }),
          LlmError.TimedOut.make({ phase: "attempt", limit: 1500 }),
          LlmError.ServerFailed.make(),
          LlmError.Overloaded.make({ retryAfter: Duration.seconds(1), message: "busy" })
        ]
      ) {
        const error = yield* Effect.flip(LlmError.fail(reason))
        assert.deepStrictEqual({ ...error.reason }, { ...reason })
        const stored = yield* Schema.encode(Schema.parseJson(LlmError.LlmError))(error)
        assert.deepStrictEqual(
          (yield* Schema.decode(Schema.parseJson(LlmError.LlmError))(stored)).message,
          error.message
        )
      }
    }))

  it.effect("is a defect with a duration that makes no sense", () =>
    Effect.gen(function*() {
      const wrong = "7 moons" as "7 seconds"
      const exit = yield* Effect.exit(LlmError.fail({ _tag: "RateLimited", retryAfter: wrong }))
      assert(exit._tag === "Failure" && exit.cause._tag === "Die")
    }))
})
