import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Frame } from "../../src/wire/frame.js"
import * as Sse from "../../src/wire/sse.js"

const encoder = new TextEncoder()

/** Chunks as they come from the network: text, or bytes. */
type Chunks = ReadonlyArray<string | ReadonlyArray<number>>

const toBytes = (chunk: string | ReadonlyArray<number>): Uint8Array =>
  typeof chunk === "string" ? encoder.encode(chunk) : Uint8Array.from(chunk)

const decode = (chunks: Chunks): ReadonlyArray<Frame> => Sse.decode(chunks.map(toBytes))

/** The bytes of a text, divided at these places. */
const divide = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const all = encoder.encode(text)
  const places = [0, ...[...cuts].map((cut) => cut % (all.length + 1)).sort((a, b) => a - b), all.length]
  return places.slice(1).map((end, i) => all.subarray(places[i], end))
}

const bom = "\uFEFF"
const a: ReadonlyArray<Frame> = [{ data: "a" }]

const cases: ReadonlyArray<readonly [name: string, chunks: Chunks, expected: ReadonlyArray<Frame>]> = [
  ["LF", ["data: a\n\n"], a],
  ["CR", ["data: a\r\r"], a],
  ["CRLF", ["data: a\r\n\r\n"], a],
  ["CRLF divided after CR", ["data: a\r", "\n\r", "\n"], a],
  [
    "CRLF divided between the lines of an event",
    ["data: A\r\n", "data: B\r", "\n", "data: C\r\n", "\n"],
    [{ data: "A\nB\nC" }]
  ],
  ["CR CR LF, divided", ["data: one\r", "\r", "\n"], [{ data: "one" }]],
  ["LF then CRLF", ["data: a\n\r\n"], a],
  ["CRLF then LF", ["data: a\r\n\n"], a],
  ["CR then CRLF", ["data: a\r\r\n"], a],
  ["byte order mark", [[0xEF, 0xBB, 0xBF], "data: a\n\n"], a],
  ["byte order mark, divided", [[0xEF], [0xBB, 0xBF], "data: a\n\n"], a],
  ["byte order mark before a later event is part of its field's name", ["data: a\n\n", `${bom}data: b\n\n`], a],
  ["two byte order marks: the second is part of the field's name", [`${bom}${bom}data: a\n\n`], []],
  ["several data lines", ["data: a\ndata: b\n\n"], [{ data: "a\nb" }]],
  ["data without a colon", ["data\n\n"], [{ data: "" }]],
  ["empty data", ["data:\n\n"], [{ data: "" }]],
  ["two empty data lines", ["data\ndata\n\n"], [{ data: "\n" }]],
  ["no space after the colon", ["data:a\n\n"], a],
  ["one space is stripped, no more", ["data:  a\n\n"], [{ data: " a" }]],
  ["a tab is not stripped", ["data:\ta\n\n"], [{ data: "\ta" }]],
  ["a space before the field", [" data: a\n\n"], []],
  ["colons in the value", ["data: a: b\n\n"], [{ data: "a: b" }]],
  ["a comment", [": hi\n\n"], []],
  ["a comment within an event", ["data: a\n: c\ndata: b\n\n"], [{ data: "a\nb" }]],
  ["a lone colon", [":\ndata: a\n\n"], a],
  ["a comment whose colon and text are divided", ["data: a\n", ":", " c", "\n\n"], a],
  ["an event without data", ["event: x\n\n"], []],
  ["the name of an event without data is forgotten", ["event: x\n\ndata: a\n\n"], a],
  ["an empty name", ["event:\ndata: a\n\n"], a],
  ["a name", ["event: x\ndata: a\n\n"], [{ data: "a", event: "x" }]],
  ["of two names the last", ["event: a\nevent: b\ndata: x\n\n"], [{ data: "x", event: "b" }]],
  ["names of fields are case-sensitive", ["Data: a\nEVENT: b\n\n"], []],
  ["an id", ["id: 1\ndata: a\n\ndata: b\n\n"], [{ data: "a", id: "1" }, { data: "b" }]],
  ["an id with NUL is ignored", ["id: 123\nid: bad\0id\ndata: a\n\n"], [{ data: "a", id: "123" }]],
  ["an empty id", ["id\ndata: a\n\n"], [{ data: "a", id: "" }]],
  ["retry", ["retry: 1500\ndata: a\n\n"], a],
  ["retry that is no number", ["retry: 15x\ndata: a\n\n"], a],
  ["retry between events", ["data: a\n\nretry: 1\n\ndata: b\n\n"], [{ data: "a" }, { data: "b" }]],
  ["an unknown field", ["foo: bar\ndata: a\n\n"], a],
  ["a line of JSON", ["{\"error\":\"x\"}\n\ndata: a\n\n"], a],
  ["the end of the bytes before the empty line", ["data: a\n"], []],
  ["the end of the bytes within the line", ["data: a"], []],
  ["two events in one chunk", ["data: a\n\ndata: b\n\n"], [{ data: "a" }, { data: "b" }]],
  ["two bytes of a character, divided", ["data: ", [0xC3], [0xA9], "\n\n"], [{ data: "é" }]],
  ["four bytes, divided 1 and 3", ["data: ", [0xF0], [0x9F, 0x98, 0x8A], "\n\n"], [{ data: "😊" }]],
  ["four bytes, divided 2 and 2", ["data: ", [0xF0, 0x9F], [0x98, 0x8A], "\n\n"], [{ data: "😊" }]],
  ["bytes that are no UTF-8", ["data: ", [0xFF, 0xFE], "\n\n"], [{ data: "\uFFFD\uFFFD" }]],
  ["a character that a line break cuts off", ["data: ", [0xF0, 0x9F], "\n\n"], [{ data: "\uFFFD" }]],
  [
    "what is no line break",
    ["data: \u2028\u2029\u000B\u000C\u0085\n\n"],
    [{ data: "\u2028\u2029\u000B\u000C\u0085" }]
  ],
  ["empty chunks and empty lines", ["", "\n\n\n\n", "", "\r\r\n"], []],
  ["escaped line breaks in JSON", ["data: {\"a\":\"x\\n\\ny\"}\n\n"], [{ data: "{\"a\":\"x\\n\\ny\"}" }]],
  ["NUL in data", ["data: a\0b\n\n"], [{ data: "a\0b" }]],
  ["[DONE] is data like any other", ["data: [DONE]\n\n", "data:[DONE]\n\n"], [{ data: "[DONE]" }, { data: "[DONE]" }]],
  [
    "JSON over several lines",
    ["event: completion\ndata: {\ndata: \"foo\":\ndata: \ndata:\ndata: true}\n\n"],
    [{ data: "{\n\"foo\":\n\n\ntrue}", event: "completion" }]
  ]
]

describe("sse", () => {
  describe("reads", () => {
    for (const [name, chunks, expected] of cases) {
      it(name, () => assert.deepStrictEqual(decode(chunks), expected))
    }

    it("each of these alike when they come byte by byte", () => {
      for (const [name, chunks, expected] of cases) {
        const single = chunks.flatMap((chunk) => [...toBytes(chunk)].map((byte) => [byte]))
        assert.deepStrictEqual(decode(single), expected, name)
      }
    })
  })

  describe("at the end of the bytes", () => {
    const end = (...chunks: ReadonlyArray<string>) => {
      const framer = Sse.make()
      for (const chunk of chunks) framer.push(encoder.encode(chunk))
      return framer.end()
    }

    it("gives the event that lacks only its empty line", () => {
      assert.deepStrictEqual(end("event: x\ndata: a\n"), [{ data: "a", event: "x" }])
    })

    it("gives the event that lacks the end of its line, too", () => {
      assert.deepStrictEqual(end("data: a\nda", "ta: b"), [{ data: "a\nb" }])
    })

    it("gives nothing after a whole event, a comment or a name", () => {
      assert.deepStrictEqual(end("data: a\n\n"), [])
      assert.deepStrictEqual(end(": ping"), [])
      assert.deepStrictEqual(end("event: x"), [])
    })

    it("gives what there is of a character that was cut", () => {
      const framer = Sse.make()
      framer.push(toBytes([...encoder.encode("data: a"), 0xF0, 0x9F]))
      assert.deepStrictEqual(framer.end(), [{ data: "a\uFFFD" }])
    })
  })

  // -------------------------------------------------------------------------------------------------------------------

  // Any text without line breaks, of whole characters.
  const line = FastCheck.string({ unit: "binary", maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, "·"))
  const noise = FastCheck.oneof(
    line.map((text) => `:${text}`),
    FastCheck.constantFrom("retry: 100", "unknown: x", "unknown", "DATA: x")
  )
  const event = FastCheck.record({
    before: FastCheck.array(noise, { maxLength: 2 }),
    data: FastCheck.array(line, { minLength: 1, maxLength: 3 }),
    event: FastCheck.option(line, { nil: undefined }),
    id: FastCheck.option(line.map((text) => text.replaceAll("\0", "·")), { nil: undefined }),
    space: FastCheck.constantFrom("", " ")
  })
  const ends = FastCheck.array(FastCheck.constantFrom("\n", "\r", "\r\n"), { minLength: 1, maxLength: 40 })
  const cuts = FastCheck.array(FastCheck.nat(), { maxLength: 40 })

  type Event = typeof event extends FastCheck.Arbitrary<infer A> ? A : never

  const linesOf = ({ before, data, event, id, space }: Event): ReadonlyArray<string> => {
    // Without a space of its own, a value must not begin with one.
    const field = (name: string, value: string) => `${name}:${value.startsWith(" ") ? " " : space}${value}`
    return [
      ...before,
      ...(event === undefined ? [] : [field("event", event)]),
      ...(id === undefined ? [] : [field("id", id)]),
      ...data.map((value) => field("data", value)),
      ""
    ]
  }

  const frameOf = ({ data, event, id }: Event): Frame => ({
    data: data.join("\n"),
    ...(event !== undefined && event !== "" && { event }),
    ...(id !== undefined && { id })
  })

  const join = (lines: ReadonlyArray<string>, ends: ReadonlyArray<string>): string => {
    let text = ""
    lines.forEach((line, i) => {
      const end = ends[i % ends.length] ?? "\n"
      // An LF right behind a CR would belong to it.
      text += line + (line === "" && text.endsWith("\r") && end !== "\r" ? "\r" : end)
    })
    // The first line is a byte order mark's place; one that belongs to a text must not stand there.
    return `: \n${text}`
  }

  it("gives the same events for any events, line breaks and division of the bytes", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(event, { maxLength: 8 }), ends, cuts, (events, ends, cuts) => {
        const text = join(events.flatMap(linesOf), ends)
        assert.deepStrictEqual(Sse.decode(divide(text, cuts)), events.map(frameOf))
      }),
      { numRuns: 500 }
    )
  })

  it("gives the same events for any bytes at all, however they are divided", () => {
    const soup = FastCheck.array(
      FastCheck.oneof(
        FastCheck.constantFrom("\n", "\r", "\r\n", "data", "data:", "event: e", ":", " ", "id: 1", bom, "é", "😊"),
        FastCheck.string({ maxLength: 3 })
      ),
      { maxLength: 30 }
    ).map((pieces) => pieces.join(""))
    FastCheck.assert(
      FastCheck.property(soup, cuts, (text, cuts) => {
        assert.deepStrictEqual(Sse.decode(divide(text, cuts)), Sse.decode([encoder.encode(text)]))
      }),
      { numRuns: 1000 }
    )
  })

  // -------------------------------------------------------------------------------------------------------------------

  describe("is linear", () => {
    const size = 5_000_000
    const bytes = encoder.encode(`data: ${"x".repeat(size)}\n\n`)

    /** Quadratic work would be some 10^13 steps here: hours, not seconds. */
    const seconds = 30

    for (const length of [1, 10_000, bytes.length]) {
      it(`in an event of 5 MB that comes in pieces of ${length}`, () => {
        const framer = Sse.make()
        const started = performance.now()
        const frames: Array<Frame> = []
        for (let i = 0; i < bytes.length; i += length) {
          for (const frame of framer.push(bytes.subarray(i, i + length))) frames.push(frame)
        }
        assert.strictEqual(frames.length, 1)
        assert.strictEqual(frames[0]?.data.length, size)
        assert.isBelow(performance.now() - started, seconds * 1000)
      }, 2 * seconds * 1000)
    }

    it("in an event of half a million lines", () => {
      const framer = Sse.make()
      const started = performance.now()
      const frames = framer.push(encoder.encode("data: 1234\n".repeat(500_000) + "\n"))
      assert.strictEqual(frames[0]?.data.length, 5 * 500_000 - 1)
      assert.isBelow(performance.now() - started, seconds * 1000)
    })

    it("in a chunk of many events without a CR", () => {
      const framer = Sse.make()
      const started = performance.now()
      assert.strictEqual(framer.push(encoder.encode("data: 1234\n\n".repeat(300_000))).length, 300_000)
      assert.isBelow(performance.now() - started, seconds * 1000)
    })
  })

  describe("is bounded", () => {
    const feed = (maxLength: number, ...chunks: ReadonlyArray<string>) => {
      const framer = Sse.make({ maxLength })
      const frames = chunks.flatMap((chunk) => framer.push(encoder.encode(chunk)))
      return { frames: [...frames, ...framer.end()], overflowed: framer.overflowed() }
    }

    it("says that a line is too long, and gives no more", () => {
      const { frames, overflowed } = feed(20, "data: a\n\n", "data: 0123456789", "0123456789\n\n", "data: b\n\n")
      assert.deepStrictEqual(frames, a)
      assert.isTrue(overflowed)
    })

    it("says that the lines of an event are too long together", () => {
      assert.deepStrictEqual(feed(20, "data: 0123456789\n", "data: 0123456789\n", "\n"), {
        frames: [],
        overflowed: true
      })
    })

    it("gives no part of an event that is too long", () => {
      assert.deepStrictEqual(feed(20, "data: 0123456789\ndata: 0123456789\n\n"), { frames: [], overflowed: true })
    })

    it("takes an event that is as long as allowed", () => {
      assert.deepStrictEqual(feed(16, "data: 0123456789\n\n"), { frames: [{ data: "0123456789" }], overflowed: false })
    })

    it("counts each event for itself", () => {
      assert.deepStrictEqual(feed(8, "data: a\n\n".repeat(10)), {
        frames: Array.from({ length: 10 }, () => ({ data: "a" })),
        overflowed: false
      })
    })

    it("does not count comments, which may be of any length", () => {
      assert.deepStrictEqual(feed(8, `:${"x".repeat(100)}`, "y".repeat(100), "\ndata: a\n\n"), {
        frames: a,
        overflowed: false
      })
    })

    it("by 16 Mi characters, by default", () => {
      const framer = Sse.make()
      const chunk = encoder.encode("x".repeat(1024 * 1024))
      framer.push(encoder.encode("data: "))
      for (let i = 0; i < 15; i++) framer.push(chunk)
      assert.isFalse(framer.overflowed())
      framer.push(chunk)
      assert.isTrue(framer.overflowed())
    })
  })

  describe("reads errors that are no event", () => {
    const framesOf = (...chunks: ReadonlyArray<string>): ReadonlyArray<Frame> => {
      const framer = Sse.make()
      return [...chunks.flatMap((chunk) => framer.push(encoder.encode(chunk))), ...framer.end()]
    }
    const pretty = "{\n  \"error\": {\n    \"message\": \"m\"\n  }\n}"
    const cases: ReadonlyArray<readonly [name: string, text: string, frames: ReadonlyArray<Frame>]> = [
      ["a field error", "error: {\"code\":400}\n\n", [{ data: "{\"code\":400}", event: "error" }]],
      ["a field error, at the end of the bytes", "error: x", [{ data: "x", event: "error" }]],
      ["JSON on its own", "{\"error\":1}\n\ndata: a\n\n", [{ data: "{\"error\":1}", bare: true }, { data: "a" }]],
      ["JSON before a field", "{\"error\":1}\ndata: a\n\n", [{ data: "{\"error\":1}", bare: true }, { data: "a" }]],
      ["JSON over several lines", `data: a\n\n${pretty}`, [{ data: "a" }, { data: pretty, bare: true }]]
    ]
    for (const [name, text, frames] of cases) {
      it(name, () => {
        assert.deepStrictEqual(framesOf(text), frames)
        assert.deepStrictEqual(framesOf(...text), frames)
      })
    }

    it("but no more of them than of a message", () => {
      const framer = Sse.make({ maxLength: 8 })
      framer.push(encoder.encode("{\n".repeat(10)))
      assert.isTrue(framer.overflowed())
    })
  })

  it("keeps nothing of a comment", () => {
    const framer = Sse.make()
    const chunk = encoder.encode("x".repeat(1024 * 1024))
    framer.push(encoder.encode(":"))
    global.gc?.()
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < 64; i++) framer.push(chunk)
    global.gc?.()
    assert.isBelow(process.memoryUsage().heapUsed - before, 16 * 1024 * 1024)
    assert.isFalse(framer.overflowed())
  })
})
