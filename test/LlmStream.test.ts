import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as LlmStream from "effect-llm/LlmStream"
import * as StreamPart from "effect-llm/StreamPart"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { serverFailed } from "./support/errors.js"
import { errorOf } from "./support/exits.js"
import { leavingNoFiber } from "./support/fibers.js"
import { collect, idsIn, interrupted, type Parts, parts, response, textOf, watched } from "./support/streamedParts.js"
import { settle } from "./support/testClock.js"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const { Finish, TextDelta } = StreamPart

const sse = (text: string) => Stream.make(encoder.encode(text))

const silent = { keepAlive: Duration.infinity }

describe("LlmStream.toSse", () => {
  it.effect("writes an event for each part, which a page's onmessage reads", () =>
    Effect.gen(function*() {
      const text = textOf(yield* collect(LlmStream.toSse(Stream.fromIterable(parts.slice(1, 3)), silent)))
      assert.strictEqual(
        text,
        `id: 0\ndata: {"_tag":"TextDelta","text":"El"}\n\n` +
          `id: 1\ndata: {"_tag":"TextDelta","text":"be\\n\\ndata: x"}\n\n`
      )
    }))

  it.effect("writes the failure as the last event, and ends well", () =>
    Effect.gen(function*() {
      const broken: Parts = Stream.concat(Stream.make(TextDelta({ text: "El" })), Stream.fail(interrupted("El")))
      const [, last = ""] = textOf(yield* collect(broken.pipe(LlmStream.toSse(silent)))).trim().split("\n\n")
      const [id, data = ""] = last.split("\n")
      assert.strictEqual(id, "id: 1")
      assert.strictEqual(JSON.parse(data.slice("data: ".length))._tag, "LlmError")
    }))

  it.effect("keeps a connection open while nothing comes", () =>
    leavingNoFiber(Effect.gen(function*() {
      const seen: Array<string> = []
      const slow: Parts = Stream.fromEffect(Effect.delay(Effect.succeed(Finish({ response })), "40 seconds"))
      const fiber = yield* Effect.fork(
        Stream.runForEach(LlmStream.toSse(slow), (bytes) => Effect.sync(() => seen.push(decoder.decode(bytes))))
      )
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(seen, [":\n\n"])
      yield* TestClock.adjust("11 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(seen.filter((text) => text === ":\n\n").length, 2)
      assert.include(seen.at(-1), "Finish")
    })))

  it.effect("names a wrong option", () =>
    Effect.gen(function*() {
      const misspelled: object = { keepalive: 1 }
      const wrong: ReadonlyArray<readonly [string, LlmStream.Options]> = [
        ["keepAlive", { keepAlive: 0 }],
        ["keepalive", misspelled]
      ]
      for (const [name, options] of wrong) {
        const exit = yield* Effect.exit(collect(LlmStream.toSse(Stream.empty, options)))
        assert(exit._tag === "Failure" && exit.cause._tag === "Die")
        assert.include(String(exit.cause.defect), name)
      }
    }))
})

describe("LlmStream.fromSse", () => {
  it.effect("gives the very parts back, however the bytes are divided", () =>
    Effect.gen(function*() {
      const bytes = encoder.encode(textOf(yield* collect(LlmStream.toSse(Stream.fromIterable(parts)))))
      for (const size of [1, 2, 3, 7, 64, bytes.length]) {
        const pieces = Array.from(
          { length: Math.ceil(bytes.length / size) },
          (_, n) => bytes.slice(n * size, (n + 1) * size)
        )
        const read = yield* collect(LlmStream.fromSse(Stream.fromIterable(pieces)))
        assert.deepStrictEqual(read, parts)
        const last = read.at(-1)
        assert(last?._tag === "Finish" && last.response instanceof LlmResponse.LlmResponse)
        assert.deepStrictEqual(last.response.latency, Duration.millis(1234))
      }
    }))

  it.effect.prop("gives back any text", [FastCheck.string({ unit: "binary" })], ([text]) =>
    Effect.gen(function*() {
      const whole = text.replace(/\p{Surrogate}/gu, "")
      const stream: Parts = Stream.make(TextDelta({ text: whole }), Finish({ response }))
      const [first] = yield* collect(LlmStream.fromSse(LlmStream.toSse(stream, silent)))
      assert.deepStrictEqual(first, TextDelta({ text: whole }))
    }))

  it.effect("fails with the very error", () =>
    Effect.gen(function*() {
      for (
        const error of [
          interrupted("El"),
          serverFailed,
          LlmError.make({ _tag: "RateLimited", retryAfter: "7 seconds" }, { status: 429, shouldRetry: false }),
          LlmError.make({ _tag: "AllProvidersFailed", errors: [serverFailed, interrupted("")] })
        ]
      ) {
        const stream: Parts = Stream.concat(Stream.make(TextDelta({ text: "El" })), Stream.fail(error))
        const { exit, seen } = yield* watched(LlmStream.fromSse(LlmStream.toSse(stream, silent)))
        assert.deepStrictEqual(seen, [TextDelta({ text: "El" })])
        const encode = Schema.encodeSync(LlmError.LlmError)
        assert.deepStrictEqual(encode(errorOf(exit)), encode(error))
        assert.strictEqual(errorOf(exit).isRetryable, error.isRetryable)
      }
    }))

  it.effect("fails with StreamInterrupted, and the text so far, where the body ends early", () =>
    Effect.gen(function*() {
      const text = textOf(yield* collect(LlmStream.toSse(Stream.fromIterable(parts), silent)))
      for (
        const end of ["", "id: 3\n", `id: 3\ndata: {"_tag":"Fini`, `id: 3\ndata: {"_tag":"TextDelta","text":"x"}\n`]
      ) {
        const cut = text.slice(0, text.indexOf("id: 3")) + end
        const { exit, seen } = yield* watched(LlmStream.fromSse(sse(cut)))
        assert.deepStrictEqual(seen, parts.slice(0, 3))
        const { reason } = errorOf(exit)
        assert(reason._tag === "StreamInterrupted")
        assert.strictEqual(reason.partial.text, "Elbe\n\ndata: x")
      }
    }))

  it.effect("fails with MalformedResponse at an event that is no part, and does not quote it", () =>
    Effect.gen(function*() {
      for (
        const data of [
          "[DONE]",
          "{}",
          "null",
          `{"_tag":"Secret"}`,
          `{"_tag":"TextDelta"}`,
          `{"_tag":"TextDelta","text":1}`,
          `{"_tag":"Finish","response":{"text":"Secret"}}`
        ]
      ) {
        const first = `data: {"_tag":"TextDelta","text":"El"}\n\n`
        const { exit, seen } = yield* watched(LlmStream.fromSse(sse(`${first}data: ${data}\n\n${first}`)))
        assert.deepStrictEqual(seen, [TextDelta({ text: "El" })], data)
        const error = errorOf(exit)
        assert.strictEqual(error.reason._tag, "MalformedResponse", data)
        assert.notInclude(JSON.stringify(error), "Secret")
      }
    }))

  it.effect("lets the failure of the body pass, and reads nothing after the end", () =>
    Effect.gen(function*() {
      const failing = Stream.concat(LlmStream.toSse(Stream.make(TextDelta({ text: "El" })), silent), Stream.fail("cut"))
      const { exit, seen } = yield* watched(LlmStream.fromSse(failing))
      assert.deepStrictEqual(seen, [TextDelta({ text: "El" })])
      assert.deepStrictEqual(exit, Exit.fail("cut"))
      const ended = Stream.concat(LlmStream.toSse(Stream.make(Finish({ response })), silent), Stream.fail("late"))
      assert.strictEqual((yield* collect(LlmStream.fromSse(ended))).length, 1)
    }))
})

// ---------------------------------------------------------------------------------------------------------------------

/** A stream that goes on as the test says, and counts its runs and how they ended. */
const stepped = Effect.gen(function*() {
  const gates = yield* Effect.all(Array.from({ length: 4 }, () => Deferred.make<void>()))
  const state = { runs: 0, interrupted: 0 }
  const stream: Parts = Stream.fromIterable(gates).pipe(
    Stream.mapEffect((gate) => Deferred.await(gate)),
    Stream.zipWithIndex,
    Stream.map(([, n]) => n === 3 ? Finish({ response }) : TextDelta({ text: `${n} ` })),
    Stream.onStart(Effect.sync(() => void state.runs++)),
    Stream.ensuringWith((exit) => Effect.sync(() => void (Exit.isInterrupted(exit) && state.interrupted++)))
  )
  return {
    state,
    stream,
    step: (n: number) =>
      Effect.zipRight(Effect.all(gates.slice(0, n).map((gate) => Deferred.succeed(gate, undefined))), settle)
  }
})

/** Reads in the background into a list. */
const reading = (stream: Stream.Stream<Uint8Array>) =>
  Effect.gen(function*() {
    const bytes: Array<Uint8Array> = []
    const fiber = yield* Effect.fork(Stream.runForEach(stream, (each) => Effect.sync(() => bytes.push(each))))
    yield* settle
    return { bytes, fiber }
  })

const placesOf = (bytes: ReadonlyArray<Uint8Array>) => idsIn(bytes).map((id) => id.split("-")[1])

describe("LlmStream.makeResumable", () => {
  it.scoped("gives a reader that comes back what it has not seen, of the same run", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable(silent)
      const { state, step, stream } = yield* stepped
      const first = yield* reading(toSse(stream))
      yield* step(1)
      yield* Fiber.interrupt(first.fiber)
      // The stream goes on without a reader.
      yield* step(3)
      const [lastEventId = ""] = idsIn(first.bytes).slice(-1)
      const second = yield* reading(toSse(stream, { lastEventId }))
      assert.deepStrictEqual(placesOf(second.bytes), ["1", "2"])
      yield* step(4)
      yield* Fiber.join(second.fiber)
      const read = yield* collect(LlmStream.fromSse(Stream.fromIterable([...first.bytes, ...second.bytes])))
      assert.deepStrictEqual(read.map((part) => part._tag === "TextDelta" ? part.text : part._tag), [
        "0 ",
        "1 ",
        "2 ",
        "Finish"
      ])
      assert.deepStrictEqual(state, { runs: 1, interrupted: 0 })
    }))

  it.scoped("lets several readers read a run at once", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable(silent)
      const { state, step, stream } = yield* stepped
      const one = yield* reading(toSse(stream))
      yield* step(2)
      const other = yield* reading(toSse(stream, { lastEventId: idsIn(one.bytes)[0] }))
      yield* step(4)
      yield* Fiber.join(one.fiber)
      yield* Fiber.join(other.fiber)
      assert.deepStrictEqual([placesOf(one.bytes), placesOf(other.bytes)], [["0", "1", "2", "3"], ["1", "2", "3"]])
      assert.strictEqual(state.runs, 1)
    }))

  it.scoped("interrupts and forgets a run that nobody comes back to", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable({ ...silent, keepFor: "10 seconds" })
      const { state, step, stream } = yield* stepped
      const first = yield* reading(toSse(stream))
      yield* step(1)
      yield* Fiber.interrupt(first.fiber)
      yield* TestClock.adjust("9 seconds")
      const [lastEventId = ""] = idsIn(first.bytes)
      // A reader that comes back stops the time.
      const second = yield* reading(toSse(stream, { lastEventId }))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(state.interrupted, 0)
      yield* Fiber.interrupt(second.fiber)
      yield* TestClock.adjust("10 seconds")
      yield* settle
      assert.strictEqual(state.interrupted, 1)
      const { exit, seen } = yield* watched(LlmStream.fromSse(toSse(stream, { lastEventId })))
      assert.deepStrictEqual([seen, errorOf(exit).reason._tag, state.runs], [[], "StreamInterrupted", 1])
    }))

  it.scoped("keeps at most so many runs without a reader", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable({ ...silent, capacity: 2 })
      const done: Parts = Stream.make(TextDelta({ text: "El" }), Finish({ response }))
      const ids: Array<string> = []
      for (const _ of [1, 2, 3]) ids.push(idsIn(yield* collect(toSse(done)))[0] ?? "")
      const kept = yield* Effect.forEach(
        ids,
        (lastEventId) => Effect.isSuccess(collect(LlmStream.fromSse(toSse(done, { lastEventId }))))
      )
      assert.deepStrictEqual(kept, [false, true, true])
    }))

  it.scoped("answers an id of nobody with StreamInterrupted, without running the stream", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable(silent)
      for (const lastEventId of ["0", "x", `${"0".repeat(32)}-0`, "a\nb", "\u0000"]) {
        const { exit } = yield* watched(LlmStream.fromSse(toSse(Stream.dieMessage("it ran"), { lastEventId })))
        assert.strictEqual(errorOf(exit).reason._tag, "StreamInterrupted")
      }
    }))

  it.scoped("breaks off with the defect of its stream", () =>
    Effect.gen(function*() {
      const { toSse } = yield* LlmStream.makeResumable(silent)
      const exit = yield* Effect.exit(collect(toSse(Stream.dieMessage("a bug"))))
      assert(exit._tag === "Failure" && exit.cause._tag !== "Fail")
      assert.include(String(exit.cause), "a bug")
    }))

  it.effect("interrupts its runs when its scope closes", () =>
    leavingNoFiber(Effect.gen(function*() {
      const { state, step, stream } = yield* stepped
      yield* Effect.scoped(Effect.gen(function*() {
        const { toSse } = yield* LlmStream.makeResumable(silent)
        const { fiber } = yield* reading(toSse(stream))
        yield* step(1)
        yield* Fiber.interrupt(fiber)
      }))
      assert.strictEqual(state.interrupted, 1)
    })))

  it.effect("names a wrong option", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, LlmStream.ResumableOptions]> = [
        ["capacity", { capacity: -1 }],
        ["keepFor", { keepFor: -1 }]
      ]
      for (const [name, options] of wrong) {
        const exit = yield* Effect.exit(Effect.scoped(LlmStream.makeResumable(options)))
        assert(exit._tag === "Failure" && exit.cause._tag === "Die")
        assert.include(String(exit.cause.defect), name)
      }
    }))
})
