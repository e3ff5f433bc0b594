import { assert, describe, it } from "@effect/vitest"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Journal from "../../src/inspector/journal.js"
import { answered, at, common, gaveUp, missed, started } from "./history.js"

const made = (settings: Partial<Journal.Settings> = {}) =>
  Journal.make({ maxCalls: 100, maxBytes: 1_000_000, content: undefined, ...settings })

const numbersOf = (journal: Journal.Journal, since = 0) => journal.changes(since, 0).calls.map(({ number }) => number)

const asking = (id: string, prompt: string) =>
  Effect.map(
    LlmRequest.decode({ model: "gpt-4o-mini", system: "You are terse.", prompt }),
    (request) => LlmEvent.CallStarted({ ...common(id), attempt: 1, request })
  )

describe("the journal of an inspector", () => {
  it("gives all at first, and then what has changed", () => {
    const journal = made()
    for (const id of ["a", "b", "c"]) journal.record(at(0, started(id)))
    const seen = journal.changes(0, 7)
    assert.deepStrictEqual([seen.now, seen.first, seen.calls.length, seen.revision], [7, 1, 3, 3])
    assert.isDefined(seen.policies)
    journal.record(at(5, answered("b")))
    const later = journal.changes(seen.revision, 8)
    assert.deepStrictEqual([later.calls.map(({ id, outcome }) => [id, outcome])], [[["b", "ok"]]])
    assert.isUndefined(later.policies)
    assert.deepStrictEqual(numbersOf(journal, later.revision), [])
  })

  it("keeps the last calls, and the sums of all", () => {
    const journal = made({ maxCalls: 2 })
    for (const id of ["a", "b", "c", "d"]) {
      journal.record(at(0, started(id)))
      journal.record(at(1, answered(id, 1, 0.25)))
    }
    journal.record(at(2, gaveUp("d")))
    const { calls, first, totals } = journal.changes(0, 0)
    assert.deepStrictEqual([first, calls.map(({ id }) => id)], [3, ["c", "d"]])
    assert.deepStrictEqual([totals.calls, totals.failed, totals.bill.cost, totals.bill.inputTokens], [4, 1, 1, 44])
    assert.isUndefined(journal.detail(2))
    assert.strictEqual(journal.detail(4)?.call.id, "d")
    // The end of a call that is no longer kept is no new call.
    journal.record(at(3, answered("a")))
    assert.deepStrictEqual(numbersOf(journal), [3, 4])
  })

  it("stays within its memory, however many events a call has", () => {
    const journal = made({ maxBytes: 100_000 })
    for (let id = 0; id < 500; id++) {
      for (let attempt = 1; attempt <= 20; attempt++) journal.record(at(id, started(`${id}`, attempt)))
    }
    const kept = numbersOf(journal)
    assert.isAbove(kept.length, 3)
    assert.isAtMost(kept.length, 50)
    assert.strictEqual(kept.at(-1), 500)
    const long = made()
    for (let attempt = 1; attempt <= 1_000; attempt++) long.record(at(attempt, started("a", attempt)))
    const detail = long.detail(1)!
    assert.deepStrictEqual([detail.events.length, detail.omittedEvents], [300, 700])
  })

  it.effect("keeps prompts and answers only if an option asks for it, cut and redacted", () =>
    Effect.gen(function*() {
      const begun = yield* asking("a", "Where does the Elbe rise? Ask 4711.")
      const without = made()
      const redact = (text: string) => text.replaceAll(/\d+/g, "#")
      const whole = made({ content: { maxLength: 1_000, redact } })
      const short = made({ content: { maxLength: 25, redact: identity } })
      for (const journal of [without, whole, short]) {
        journal.record(at(0, missed("a")))
        journal.record(at(0, begun))
        journal.record(at(1, answered("a")))
      }
      const plain = without.detail(1)!
      assert.deepStrictEqual([plain.request, plain.answer, plain.call.prompt], [undefined, undefined, undefined])
      assert.notInclude(JSON.stringify([plain, without.changes(0, 0)]), "Elbe")

      const { answer, call, request } = whole.detail(1)!
      assert.deepStrictEqual(request?.messages, [
        { role: "system", parts: [{ type: "text", content: "You are terse." }] },
        { role: "user", parts: [{ type: "text", content: "Where does the Elbe rise? Ask #." }] }
      ])
      assert.deepStrictEqual(answer?.messages[0]?.parts, [{ type: "text", content: "Elbe" }])
      assert.deepStrictEqual([call.prompt, call.answer], ["Where does the Elbe rise? Ask #.", "Elbe"])
      assert.isTrue(short.detail(1)?.request?.isCut)
    }))

  it("separates the fields of an event from those of its call", () => {
    const journal = made()
    journal.record(at(0, LlmEvent.CallStarted({ ...common("a"), attempt: 1, tags: { tenant: "t1" } })))
    assert.deepStrictEqual(journal.detail(1)?.events, [
      { at: 0, name: "llm_call_started", level: "Debug", fields: { attempt: 1 } }
    ])
    assert.deepStrictEqual(journal.detail(1)?.call.tags, { tenant: "t1" })
  })
})
