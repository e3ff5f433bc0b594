import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as ToolCallPieces from "../../../src/providers/openaiChat/toolCallPieces.js"
import * as AnswerDraft from "../../../src/wire/answerDraft.js"

/** The calls that come of these events. */
const callsOf = (events: ReadonlyArray<ReadonlyArray<ToolCallPieces.Piece>>) => {
  const draft = AnswerDraft.make()
  const calls = ToolCallPieces.make((key, piece) => draft.tool(key, piece))
  events.forEach(calls.push)
  calls.settle()
  draft.endTools({ truncated: false })
  return draft.parts().flatMap((part) => part._tag === "ToolCall" ? [[part.name, part.arguments]] : [])
}

/** How a host says to which call a piece belongs. */
const styles: Record<string, (call: number, isFirst: boolean) => Pick<ToolCallPieces.Piece, "index" | "id">> = {
  "by index": (call, isFirst) => ({ index: call, id: isFirst ? `k${call}` : "" }),
  "by index and id": (call) => ({ index: call, id: `k${call}` }),
  "by id, without an index": (call) => ({ index: undefined, id: `k${call}` }),
  "by id, with one index for all": (call) => ({ index: 0, id: `k${call}` })
}

/** Pieces of 1 to 4 calls, mixed, but those of each call in order. */
const mixed = FastCheck.array(
  FastCheck.record({
    name: FastCheck.constantFrom("look", "find"),
    args: FastCheck.dictionary(FastCheck.constantFrom("a", "b"), FastCheck.string({ maxLength: 8 })),
    cuts: FastCheck.array(FastCheck.nat({ max: 30 }), { maxLength: 4 })
  }),
  { minLength: 1, maxLength: 4 }
).chain((calls) =>
  FastCheck.record({
    calls: FastCheck.constant(calls),
    turns: FastCheck.array(FastCheck.nat({ max: calls.length - 1 }), { maxLength: 30 })
  })
)

const divided = (text: string, cuts: ReadonlyArray<number>): ReadonlyArray<string> => {
  const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length]
  return places.slice(1).map((end, at) => text.slice(places[at], end))
}

describe("toolCallPieces", () => {
  for (const [style, sayWhich] of Object.entries(styles)) {
    it(`gives each piece to its call, however they are mixed: ${style}`, () => {
      FastCheck.assert(FastCheck.property(mixed, ({ calls, turns }) => {
        const left = calls.map(({ args, cuts, name }, call) =>
          ["", ...divided(JSON.stringify(args), cuts)].map((json, at): ToolCallPieces.Piece => ({
            ...sayWhich(call, at === 0),
            name: at === 0 ? name : "",
            json
          }))
        )
        // The calls begin in order, and then their pieces come in turns.
        const begins = left.map((pieces) => pieces.splice(0, 1))
        const inTurns = turns.flatMap((call) => left[call]?.splice(0, 1).map((piece) => [piece]) ?? [])
        const events = [...begins, ...inTurns, ...left.flatMap((pieces) => pieces.map((piece) => [piece]))]
        assert.deepStrictEqual<unknown>(callsOf(events), calls.map(({ args, name }) => [name, args]))
      }))
    })
  }

  it("stays bounded where every piece has an id of its own", () => {
    const pieces = Array.from({ length: 20_000 }, (_, n) => [{ index: 0, id: `x${n}`, name: "", json: `${n % 10}` }])
    const [[name, args] = []] = callsOf([[{ index: 0, id: "k", name: "look", json: "\"" }], ...pieces, [
      { index: 0, id: "y", name: "", json: "\"" }
    ]])
    assert.strictEqual(name, "look")
    assert.strictEqual(String(args).length, 20_000)
  })
})
