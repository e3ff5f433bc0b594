import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import type * as StreamPart from "effect-llm/StreamPart"
import * as Simulator from "effect-llm/testing/Simulator"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as FakeHttp from "../support/fakeHttp.js"
import * as Simulated from "../support/simulated.js"

// ---------------------------------------------------------------------------------------------------------------------
// Recordings
// ---------------------------------------------------------------------------------------------------------------------

const tools = ["measure", "compare"].map((name) => ({
  name,
  parameters: {
    type: "object",
    properties: { river: { type: "string" }, depth: { type: "number" } },
    required: ["river"]
  }
}))

/** Requests whose answers have texts, thoughts and calls. */
const requestsOf = (protocol: Simulated.Protocol): ReadonlyArray<LlmRequest.Input> => {
  const { model, thinking } = Simulated.providers[protocol]
  return [
    { model, prompt: "Echo: Die Elbe fließt \"1094 km\" weit, \u{1F30A} bis\n\nCuxhaven." },
    { model: thinking, prompt: "Tell me of the rivers Elbe and Oder.", reasoningEffort: "low" },
    { model, prompt: "Please measure and compare the rivers.", tools }
  ]
}

interface Recording {
  readonly request: LlmRequest.LlmRequest
  readonly contentType: string
  readonly body: string
}

const providerOn = (protocol: Simulated.Protocol, service: FakeHttp.Service, url = "http://127.0.0.1:9") =>
  Effect.map(
    Layer.build(Layer.provide(Simulated.providers[protocol].layer(url), FakeHttp.service(service).layer)),
    Context.get(LlmProvider.LlmProvider)
  )

/** Records answers of the simulator as they come over the wire. */
const record = (protocol: Simulated.Protocol, streaming: boolean) =>
  Effect.gen(function*() {
    const simulator = yield* Simulator.Simulator
    const recordings: Array<Recording> = []
    for (const input of requestsOf(protocol)) {
      const request = yield* LlmRequest.decode(input)
      const provider = yield* providerOn(protocol, ({ body, headers, method, url }) =>
        Effect.promise(async () => {
          const { "content-length": _, ...others } = headers
          const response = await fetch(url, { method, headers: others, body: JSON.stringify(body) })
          const text = await response.text()
          recordings.push({ request, contentType: response.headers.get("content-type") ?? "", body: text })
          return new Response(text, { status: response.status, headers: response.headers })
        }), simulator.url)
      yield* streaming ? Stream.runDrain(provider.stream!(request)) : provider.call(request)
    }
    return recordings
  }).pipe(Effect.provide(Simulated.layer()), Effect.scoped)

// ---------------------------------------------------------------------------------------------------------------------
// Mutations
// ---------------------------------------------------------------------------------------------------------------------

type Mutation = (text: string) => string

const place = FastCheck.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

const at = (length: number, place: number): number => Math.floor(place * (length + 1))

/** Values in the place of others: of another type, too large, too deep, or with half a character. */
const strangers = [
  "null",
  "true",
  "{}",
  "[]",
  "[null]",
  "\"\"",
  "\"\\ud83d\"",
  "-1",
  "1e999",
  "123456789012345678901234567890",
  "{\"__proto__\":{\"type\":\"text\"}}",
  "[".repeat(600) + "]".repeat(600)
]

/** Values that overflow the stack of whatever looks into them. */
const bottomless = ["[".repeat(20_000) + "]".repeat(20_000), "{\"a\":".repeat(20_000) + "1" + "}".repeat(20_000)]

/** A value of JSON, behind a colon. */
const values = /(?<=":\s*)(?:"(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*|true|false|null|\{|\[)/g

const replaceNth = (text: string, pattern: RegExp, place: number, replacement: string): string => {
  const all = [...text.matchAll(pattern)]
  const found = all[Math.floor(place * all.length)]
  return found === undefined
    ? text
    : text.slice(0, found.index) + replacement + text.slice(found.index + found[0].length)
}

/** The events of a stream, or the lines of whatever else. */
const reordered = (text: string, f: (events: Array<string>) => ReadonlyArray<string>): string => {
  const separator = text.includes("\r\n\r\n") ? "\r\n\r\n" : text.includes("\n\n") ? "\n\n" : "\n"
  return f(text.split(separator)).join(separator)
}

const mutation: FastCheck.Arbitrary<Mutation> = FastCheck.oneof(
  // A part is dropped, doubled or cut off.
  FastCheck.tuple(place, FastCheck.nat({ max: 40 }), FastCheck.constantFrom(0, 2)).map(
    ([place, length, times]): Mutation => (text) => {
      const from = at(text.length, place)
      return text.slice(0, from) + text.slice(from, from + length).repeat(times) + text.slice(from + length)
    }
  ),
  place.map((place): Mutation => (text) => text.slice(0, at(text.length, place))),
  // Two characters change places.
  FastCheck.tuple(place, place).map(([a, b]): Mutation => (text) => {
    const characters = text.split("")
    const [i, j] = [Math.floor(a * text.length), Math.floor(b * text.length)]
    const moved = characters[i] ?? ""
    characters[i] = characters[j] ?? ""
    characters[j] = moved
    return characters.join("")
  }),
  FastCheck.tuple(place, FastCheck.string({ maxLength: 8, unit: "binary" })).map(
    ([place, added]): Mutation => (text) => {
      const from = at(text.length, place)
      return text.slice(0, from) + added + text.slice(from)
    }
  ),
  // A value becomes another, a member gets the name of another.
  FastCheck.tuple(place, FastCheck.constantFrom(...strangers)).map(
    ([place, stranger]): Mutation => (text) => replaceNth(text, values, place, stranger)
  ),
  FastCheck.tuple(place, place).map(([from, to]): Mutation => (text) => {
    const names = [...text.matchAll(/"\w+"(?=\s*:)/g)]
    return replaceNth(text, /"\w+"(?=\s*:)/g, to, names[Math.floor(from * names.length)]?.[0] ?? "\"x\"")
  }),
  // Events are dropped, doubled, or change places.
  FastCheck.tuple(place, place, FastCheck.constantFrom("drop", "double", "swap")).map(
    ([a, b, how]): Mutation => (text) =>
      reordered(text, (events) => {
        const [i, j] = [Math.floor(a * events.length), Math.floor(b * events.length)]
        const event = events[i] ?? ""
        if (how === "drop") return events.toSpliced(i, 1)
        return how === "double" ? events.toSpliced(j, 0, event) : events.with(i, events[j] ?? "").with(j, event)
      })
  )
)

/** A recording with some mutations, in pieces. A byte that breaks a character comes in addition. */
const mutated = (recordings: ReadonlyArray<Recording>) =>
  FastCheck.record({
    recording: FastCheck.constantFrom(...recordings),
    mutations: FastCheck.array(mutation, { minLength: 1, maxLength: 4 }),
    breaks: FastCheck.option(FastCheck.tuple(place, FastCheck.integer({ min: 0x80, max: 0xff })), {
      nil: undefined,
      freq: 3
    }),
    places: FastCheck.array(FastCheck.nat(), { maxLength: 20 })
  }).map(({ breaks, mutations, places, recording }) => {
    const body = mutations.reduce((text, mutate) => mutate(text), recording.body)
    const bytes = new TextEncoder().encode(body)
    if (breaks !== undefined && bytes.length > 0) bytes[Math.floor(breaks[0] * bytes.length)] = breaks[1]
    const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
    const pieces = [...ends, bytes.length].map((end, i) => bytes.slice(ends[i - 1] ?? 0, end))
    return { ...recording, bytes, pieces }
  })

const responseOf = (contentType: string, pieces: ReadonlyArray<Uint8Array>): Response =>
  new Response(
    new ReadableStream({
      start: (controller) => {
        for (const piece of pieces) if (piece.length > 0) controller.enqueue(piece)
        controller.close()
      }
    }),
    { status: 200, headers: { "content-type": contentType } }
  )

// ---------------------------------------------------------------------------------------------------------------------
// Promises
// ---------------------------------------------------------------------------------------------------------------------

/** All the texts of an answer: what is in it must have come. */
const lengthOf = (parts: LlmResponse.LlmResponse["parts"]): number =>
  parts.reduce((sum, part) => sum + ("text" in part ? part.text?.length ?? 0 : 0), 0)

const checkError = (error: unknown, came: number): void => {
  assert(LlmError.isLlmError(error), String(error))
  assert.isAtMost(error.message.length, 700)
  assert.isAtMost(error.reason.message?.length ?? 0, 500)
  assert.isBelow(JSON.stringify(error).length, 3_000)
  if (error.reason._tag === "StreamInterrupted") assert.isAtMost(lengthOf(error.reason.partial?.parts ?? []), came)
}

/** A success, or a typed and bounded failure. */
const checkExit = <A>(exit: Exit.Exit<A, unknown>, came: number, check: (value: A) => void): void => {
  if (exit._tag === "Success") return check(exit.value)
  assert(exit.cause._tag === "Fail", Cause.pretty(exit.cause))
  checkError(exit.cause.error, came)
}

const sorted = (text: string): string => text.split("").sort().join("")

const checkParts = (parts: ReadonlyArray<StreamPart.StreamPart>, came: number): LlmResponse.LlmResponse | undefined => {
  const finishes = parts.filter((part) => part._tag === "Finish")
  assert.isAtMost(finishes.length, 1)
  const text = parts.map((part) => part._tag === "TextDelta" ? part.text : "").join("")
  assert.isAtMost(text.length, came)
  const [finish] = finishes
  if (finish === undefined) return undefined
  assert.strictEqual(parts.at(-1), finish)
  // Blocks that grow by turns stand in the answer one after another.
  assert.strictEqual(sorted(finish.response.text), sorted(text))
  assert.isAtMost(lengthOf(finish.response.parts), came)
  return finish.response
}

/** Reads an answer in a way, checks what comes of it, and says whether it could be read. */
type Read = (answer: Pick<Recording, "contentType" | "request">, pieces: ReadonlyArray<Uint8Array>) => Promise<boolean>

const inTime = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.runPromiseExit(Effect.timeoutFail(effect, { duration: "10 seconds", onTimeout: () => "a hang" }))

const lengthOfAll = (pieces: ReadonlyArray<Uint8Array>): number => pieces.reduce((sum, piece) => sum + piece.length, 0)

const makeRead = (protocol: Simulated.Protocol, streaming: boolean): Effect.Effect<Read, never, Scope.Scope> =>
  Effect.gen(function*() {
    let next = new Response()
    const provider = yield* providerOn(protocol, () => Effect.sync(() => next))

    const whole: Read = async ({ contentType, request }, pieces) => {
      next = responseOf(contentType, pieces)
      const came = lengthOfAll(pieces)
      const exit = await inTime(provider.call(request))
      checkExit(exit, came, (response) => assert.isAtMost(lengthOf(response.parts), came))
      return exit._tag === "Success"
    }

    const streamed: Read = async ({ contentType, request }, pieces) => {
      next = responseOf(contentType, pieces)
      const came = lengthOfAll(pieces)
      const parts: Array<StreamPart.StreamPart> = []
      const exit = await inTime(
        Stream.runForEach(provider.stream!(request), (part) => Effect.sync(() => void parts.push(part)))
      )
      const response = checkParts(parts, came)
      checkExit(exit, came, () => assert.isDefined(response, "a stream that just ends"))
      if (exit._tag === "Failure") assert.isUndefined(response, "a failure after the end")
      return exit._tag === "Success"
    }

    return streaming ? streamed : whole
  })

describe.each([...Simulated.protocols])("%s: a mutated answer", (protocol) => {
  it.live.each([["whole", false], ["streamed", true]] as const)(
    "is read, or fails with a typed and bounded failure: %s",
    ([_, streaming]) =>
      Effect.gen(function*() {
        const recordings = yield* record(protocol, streaming)
        const read = yield* makeRead(protocol, streaming)
        let readable = 0
        yield* Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(mutated(recordings), async ({ pieces, ...recording }) => {
              if (await read(recording, pieces)) readable++
            }),
            { numRuns: 200 }
          )
        )
        // Many mutations leave an answer readable: the test is not one of errors only.
        assert.isAtLeast(readable, 1)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live.each([["whole", false], ["streamed", true]] as const)(
    "likewise with a bottomless value in each of its members: %s",
    ([_, streaming]) =>
      Effect.gen(function*() {
        const read = yield* makeRead(protocol, streaming)
        for (const { body, ...recording } of yield* record(protocol, streaming)) {
          const names = new Set<string>()
          for (const { 0: value, index } of body.matchAll(values)) {
            const [name = ""] = /"\w+":\s*$/.exec(body.slice(0, index)) ?? []
            if (names.has(name)) continue
            names.add(name)
            for (const deep of bottomless) {
              // All that is behind the value stays, which makes an object in its place no JSON.
              const mutants = [body.slice(0, index) + deep + body.slice(index + value.length)]
              if (value === "{") mutants.push(`${body.slice(0, index)}{"deep":${deep},${body.slice(index + 1)}`)
              for (const mutant of mutants) {
                yield* Effect.promise(() => read(recording, [new TextEncoder().encode(mutant)]))
              }
            }
          }
        }
      }).pipe(Effect.scoped),
    60_000
  )
})
