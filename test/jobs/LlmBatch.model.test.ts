import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import { makeMachine, type Process, prompts, seconds } from "../support/jobs.js"

const size = 30
const concurrency = 4
const mostOpen = concurrency * 1.5
const passes = 2

/** What may happen to a job. */
type Step = { readonly wait: number } | "kill" | "cancel" | "resume" | "run" | "retryFailed"

/** How often a request fails before it is answered, and whether for a reason that may pass. */
interface Fate {
  readonly failures: number
  readonly mayPass: boolean
}

const scenario = FastCheck.record({
  steps: FastCheck.array(
    FastCheck.oneof(
      { weight: 6, arbitrary: FastCheck.record({ wait: FastCheck.integer({ min: 1, max: 6 }) }) },
      {
        weight: 5,
        arbitrary: FastCheck.constantFrom<Step>("kill", "kill", "kill", "cancel", "resume", "run", "retryFailed")
      }
    ),
    { minLength: 4, maxLength: 14 }
  ) as FastCheck.Arbitrary<ReadonlyArray<Step>>,
  fates: FastCheck.array(
    FastCheck.oneof(
      { weight: 3, arbitrary: FastCheck.constant<Fate>({ failures: 0, mayPass: true }) },
      {
        weight: 1,
        arbitrary: FastCheck.record({ failures: FastCheck.integer({ min: 1, max: 4 }), mayPass: FastCheck.boolean() })
      }
    ),
    { minLength: size, maxLength: size }
  )
})

const indexOf = ({ prompt }: LlmRequest.LlmRequest): number => Number(prompt.split(" ")[1])

describe("LlmBatch: any sequence of kills, cancellations and new beginnings", () => {
  const scenarios = FastCheck.sample(scenario, { numRuns: 12, seed: 20_261_130 })

  it.scoped.each(scenarios.map((scenario, number) => ({ ...scenario, number })))(
    "ends with each result, and asks nothing answered again: $number",
    ({ fates, steps }) =>
      Effect.gen(function*() {
        const machine = yield* makeMachine
        const asked = Array.from({ length: size }, () => 0)
        const provider = LlmTest.unsafeMake([
          LlmTest.repeat((request) => {
            const index = indexOf(request)
            const n = ++asked[index]!
            const { failures, mayPass } = fates[index]!
            return Effect.delay(
              n > failures
                ? LlmTest.text(`answer ${index}`, { cost: 0.1 })
                : Effect.fail(mayPass ? LlmError.Overloaded.make({}) : LlmError.Refused.make({})),
              "1 second"
            )
          })
        ])
        const job = { id: "a", requests: prompts(size), chunk: 7, passes, passDelay: "2 seconds" } as const
        const start = machine.start(provider.layer, { concurrency, stopWithin: 0 })
        let process: Process = yield* start
        let kills = 0
        let begun = 1
        /** Failures that may be asked again: where a process was killed before, they may have been under way. */
        let takenBack = 0
        yield* process.jobs.submit(job)

        /** How often what is answered was asked: for good. */
        const answered = new Map<number, number>()
        const look = Effect.gen(function*() {
          const results = yield* Stream.runCollect(process.jobs.results("a"))
          for (const { index, result } of results) {
            if (Exit.isSuccess(result) && !answered.has(index)) answered.set(index, asked[index]!)
          }
          for (const [index, count] of answered) {
            assert.strictEqual(asked[index], count, `item ${index} was asked again`)
          }
        })

        for (const step of steps) {
          switch (step) {
            case "kill":
              kills++
              yield* process.stop
              process = yield* start
              break
            case "cancel":
              yield* process.jobs.cancel("a")
              break
            case "resume":
              begun++
              yield* process.jobs.resume("a")
              break
            case "run":
              yield* Effect.fork(process.jobs.run(job))
              break
            case "retryFailed":
              begun++
              takenBack += (yield* process.jobs.progress("a")).failed
              yield* Effect.catchTag(process.jobs.retryFailed("a"), "JobRunning", () => Effect.void)
              break
            default:
              yield* seconds(step.wait)
          }
          yield* look
        }

        yield* process.jobs.resume("a")
        yield* seconds(60)
        yield* look
        const summary = yield* process.jobs.progress("a")
        assert.strictEqual(summary.status, "done")
        const results = Array.from(yield* Stream.runCollect(process.jobs.results("a")))
        assert.deepStrictEqual(results.map(({ index }) => index), Array.from({ length: size }, (_, i) => i))
        const succeeded = results.filter(({ result }) => Exit.isSuccess(result))
        for (const { index, result } of succeeded) {
          assert.strictEqual(Exit.isSuccess(result) && result.value.text, `answer ${index}`)
        }
        assert.deepStrictEqual([summary.succeeded, summary.failed], [succeeded.length, size - succeeded.length])
        assert.strictEqual(Math.round(summary.cost * 10), succeeded.length)
        assert.isAtMost(summary.interrupted.requests, kills * mostOpen + takenBack)
        const total = asked.reduce((sum, count) => sum + count, 0)
        assert.isAtMost(total, size * passes * begun + summary.interrupted.requests)
      }),
    60_000
  )
})
