import { assert, describe, it } from "@effect/vitest"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Timeline from "../../src/inspector/timeline.js"
import { respond } from "../support/samples.js"
import {
  answered,
  at,
  common,
  epoch,
  failing,
  fellBack,
  gaveUp,
  hedged,
  interrupted,
  missed,
  queued,
  queueTimedOut,
  started,
  waited
} from "./history.js"

/** The call that follows from events. */
const callOf = (...events: ReadonlyArray<Timeline.Stamped>): Timeline.Call => {
  const [first, ...others] = events
  const begun = Timeline.begin("a", first!)
  assert.isDefined(begun)
  return others.reduce(Timeline.step, begun!)
}

/** Its parts, in a line each. */
const partsOf = ({ segments }: Timeline.Call) =>
  segments.map(({ attempt, end, failed, kind, start, target }) =>
    [kind, attempt, target, `${end - start}`, failed].filter((part) => part !== undefined).join(" ")
  )

const shared = (callId: string, latency: number, followerId?: string) =>
  LlmEvent.CallShared({ ...common(callId), latency: Duration.millis(latency), followerId })

const hit = (id: string, latency: number) =>
  LlmEvent.CacheHit({ ...common(id), latency: Duration.millis(latency), response: respond("Elbe") })

describe("the time of a call", () => {
  it("has cache, queue, attempts and back-off, one after the other", () => {
    const call = callOf(
      at(1000, missed("a", 1000)),
      at(1000, started("a")),
      at(1000, queued("a")),
      at(3000, waited("a", 2000)),
      at(4500, failing("a", 1)),
      at(5500, started("a", 2)),
      at(9000, answered("a", 2))
    )
    assert.deepStrictEqual(partsOf(call), [
      "cache 1000",
      "queue 1 openai/gpt-4o-mini 2000",
      "attempt 1 1500 Overloaded",
      "backoff 1 1000",
      "attempt 2 3500"
    ])
    assert.deepStrictEqual([call.outcome, call.start, call.begun, call.retries], ["ok", 0, epoch, 1])
  })

  it("is that of the search for an answer from the cache, also of one that did not fit", () => {
    const call = callOf(at(40, hit("a", 40)))
    assert.deepStrictEqual([call.outcome, partsOf(call)], ["cached", ["cache 40"]])
    const again = [at(50, missed("a", 50)), at(55, started("a")), at(90, answered("a"))].reduce(Timeline.step, call)
    assert.deepStrictEqual([again.outcome, partsOf(again)], ["ok", ["cache 50", "start 5", "attempt 1 35"]])
  })

  it("names a wait for the run of another call once that has answered or failed", () => {
    const follower = callOf(at(10, missed("a", 10)), at(500, shared("b", 500, "a")))
    assert.deepStrictEqual([follower.outcome, follower.leader], ["shared", "b"])
    assert.deepStrictEqual(partsOf(follower), ["cache 10", "shared 490"])
    const vain = callOf(at(10, missed("a", 10)), at(500, gaveUp("a", 500, false)))
    assert.deepStrictEqual([vain.outcome, partsOf(vain)], ["failed", ["cache 10", "shared 490"]])
    assert.deepStrictEqual(partsOf(callOf(at(500, shared("b", 500, "a")))), ["shared 500"])
  })

  it("parts an attempt where another target is asked", () => {
    const call = callOf(
      at(0, started("a")),
      at(100, fellBack("a", "south/haiku")),
      at(300, fellBack("a", "west/pro")),
      at(600, answered("a"))
    )
    assert.deepStrictEqual(partsOf(call), [
      "attempt 1 openai/gpt-4o-mini 100 Overloaded",
      "attempt 1 south/haiku 200 Overloaded",
      "attempt 1 west/pro 300"
    ])
    assert.strictEqual(call.fallbacks, 2)
  })

  it("leaves the queue of a target that had no turn for it", () => {
    const call = callOf(
      at(0, started("a")),
      at(0, queued("a")),
      at(100, fellBack("a", "south/haiku", queueTimedOut)),
      at(300, answered("a"))
    )
    assert.deepStrictEqual(partsOf(call), ["queue 1 openai/gpt-4o-mini 100 TimedOut", "attempt 1 south/haiku 200"])
  })

  it("has a queue only while no request of the attempt is under way", () => {
    const call = callOf(
      at(0, started("a")),
      at(100, hedged("a")),
      at(100, queued("a")),
      at(300, answered("a")),
      at(300, waited("a", 200))
    )
    assert.deepStrictEqual(partsOf(call), ["attempt 1 300"])
    assert.strictEqual(call.hedges, 1)
  })

  it("has a queue that is reported only at its end", () => {
    const call = callOf(at(0, started("a")), at(300, waited("a", 200)), at(400, answered("a")))
    assert.deepStrictEqual(partsOf(call), ["attempt 1 100", "queue 1 openai/gpt-4o-mini 200", "attempt 1 100"])
  })

  it("goes on where a call that was answered is asked again, or fails after all", () => {
    const rejected = (willRetry: boolean) =>
      LlmEvent.OutputRejected({ ...common("a"), attempt: 1, issues: 1, willRetry })
    const first = callOf(at(0, started("a")), at(100, answered("a")))
    const again = [at(130, rejected(true)), at(130, started("a", 2)), at(200, answered("a", 2))]
      .reduce(Timeline.step, first)
    assert.deepStrictEqual(partsOf(again), ["attempt 1 100", "check 30", "attempt 2 70"])
    const unfit = [at(130, rejected(false)), at(130, gaveUp("a", 130))].reduce(Timeline.step, first)
    assert.deepStrictEqual([unfit.outcome, partsOf(unfit)], ["failed", ["attempt 1 100", "check 30"]])
  })

  it("does not grow by what is reported after the answer", () => {
    const spent = LlmEvent.BudgetSpent({ ...common("a"), scope: "day", tokens: 3 })
    const late = LlmEvent.CacheFailed({ ...common("a"), operation: "set", problem: "full" })
    const call = callOf(at(0, started("a")), at(100, answered("a")), at(150, spent), at(600, late))
    assert.deepStrictEqual([call.outcome, partsOf(call)], ["ok", ["attempt 1 100"]])
  })

  it("ends with the caller, and goes on with a run that others wait for", () => {
    const left = callOf(at(0, started("a")), at(100, interrupted("a", 100)))
    assert.deepStrictEqual([left.outcome, partsOf(left)], ["interrupted", ["attempt 1 100"]])
    const other = Timeline.step(left, at(300, answered("a")))
    assert.deepStrictEqual([other.outcome, partsOf(other)], ["ok", ["attempt 1 300"]])
  })

  it("has one part for requests that are sent at the same time", () => {
    const call = callOf(
      at(0, started("a")),
      at(10, started("a")),
      at(100, failing("a", 1)),
      at(200, answered("a")),
      at(250, started("a", 2)),
      at(300, answered("a", 2))
    )
    assert.deepStrictEqual(partsOf(call), [
      "attempt 1 10",
      "attempt 90 Overloaded",
      "attempt 1 100",
      "backoff 1 50",
      "attempt 2 50"
    ])
  })

  it("sums tokens and cost of all answers", () => {
    const { bill } = callOf(
      at(0, started("a")),
      at(1, answered("a", 1, 0.5)),
      at(2, started("a", 2)),
      at(3, answered("a", 2, 0.25))
    )
    assert.deepStrictEqual([bill.inputTokens, bill.outputTokens, bill.cost], [22, 14, 0.75])
  })

  it("is not shown from an event on that begins none", () => {
    for (const event of [answered("a"), failing("a", 1), started("a", 2), waited("a", 1), queued("a"), hedged("a")]) {
      assert.isUndefined(Timeline.begin("a", at(0, event)))
    }
  })
})

// ---------------------------------------------------------------------------------------------------------------------
// Properties
// ---------------------------------------------------------------------------------------------------------------------

/** What may happen to a call, in any order, after any time: more than a client ever does. */
const anyEvent = (id: string): FastCheck.Arbitrary<LlmEvent.LlmEvent> => {
  const attempt = FastCheck.integer({ min: 1, max: 3 })
  return FastCheck.oneof(
    FastCheck.nat(50).map((latency) => missed(id, latency)),
    FastCheck.nat(50).map((latency) => hit(id, latency)),
    attempt.map((attempt) => started(id, attempt)),
    attempt.map((attempt) => answered(id, attempt)),
    FastCheck.tuple(attempt, FastCheck.boolean()).map(([attempt, willRetry]) => failing(id, attempt, willRetry)),
    FastCheck.constantFrom(gaveUp(id, 20), interrupted(id, 20), queued(id), hedged(id), fellBack(id, "south/haiku")),
    FastCheck.constantFrom(fellBack(id, "south/haiku", queueTimedOut), shared("z", 20, id)),
    FastCheck.nat(80).map((millis) => waited(id, millis))
  )
}

const anyHistory = (id: string) =>
  FastCheck.tuple(
    FastCheck.constantFrom(missed(id, 7), started(id)),
    FastCheck.array(FastCheck.tuple(FastCheck.nat(100), anyEvent(id)), { maxLength: 30 })
  ).map(([first, others]) => {
    let moment = 1000
    return [
      at(moment, first),
      ...others.map(([later, event]) => {
        moment += later
        return at(moment, event)
      })
    ]
  })

const fold = (events: ReadonlyArray<Timeline.Stamped>): ReadonlyMap<string, Timeline.Call> => {
  const calls = new Map<string, Timeline.Call>()
  for (const stamped of events) {
    const { event } = stamped
    const id = (event._tag === "CallShared" ? event.followerId : event.callId)!
    const known = calls.get(id)
    const call = known === undefined ? Timeline.begin(id, stamped) : Timeline.step(known, stamped)
    if (call !== undefined) calls.set(id, call)
  }
  return calls
}

describe("the times of any calls", () => {
  it("sum to their durations, without a gap", () => {
    FastCheck.assert(
      FastCheck.property(anyHistory("a"), (events) => {
        const call = fold(events).get("a")!
        let end = call.start
        for (const segment of call.segments) {
          assert.strictEqual(segment.start, end)
          assert.isAbove(segment.end, segment.start)
          end = segment.end
        }
        if (call.now !== undefined) assert.strictEqual(call.now.start, end)
        assert.strictEqual(call.outcome === "running", call.now !== undefined)
        const sum = call.segments.reduce((total, { end, start }) => total + end - start, 0)
        assert.strictEqual(sum, Timeline.endOf(call) - call.start)
        assert.isAtMost(Timeline.endOf(call), events.at(-1)!.at)
      }),
      { numRuns: 2_000 }
    )
  })

  it("do not depend on the calls between whose events theirs come", () => {
    const histories = FastCheck.tuple(anyHistory("a"), anyHistory("b"), anyHistory("c"))
    FastCheck.assert(
      FastCheck.property(histories, FastCheck.infiniteStream(FastCheck.nat(2)), (histories, choices) => {
        const left = histories.map((events) => [...events])
        const mixed: Array<Timeline.Stamped> = []
        while (left.some(({ length }) => length > 0)) {
          const next = left[choices.next().value]!.shift()
          if (next !== undefined) mixed.push(next)
        }
        const together = fold(mixed)
        for (const events of histories) {
          for (const [id, call] of fold(events)) assert.deepStrictEqual(together.get(id), call)
        }
      }),
      { numRuns: 300 }
    )
  })

  it("are bounded in their parts", () => {
    const events = Array.from({ length: 1_000 }, (_, n) => [
      at(10 * n, started("a", n + 1)),
      at(10 * n + 5, failing("a", n + 1))
    ]).flat()
    const call = fold(events).get("a")!
    assert.isAtMost(call.segments.length, 200)
    assert.strictEqual(call.segments.at(-1)!.end, 9_995)
  })
})
