import { assert, describe, it } from "@effect/vitest"
import type * as LlmRequest from "effect-llm/LlmRequest"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Effect from "effect/Effect"
import { makeMachine, prompts, ran } from "../support/jobs.js"
import { recorder, treeOf } from "../support/recordedSpans.js"

describe("The spans of a job", () => {
  it.scoped("are one for each chunk, and below it those of its calls", () =>
    Effect.gen(function*() {
      const { spans, traced } = recorder()
      const echo = LlmTest.repeat((request: LlmRequest.LlmRequest) => request.prompt)
      yield* traced(Effect.gen(function*() {
        const machine = yield* makeMachine
        const { jobs } = yield* machine.start(LlmTest.unsafeMake([echo]).layer)
        yield* ran(jobs.run({ id: "rivers", requests: prompts(3), chunk: 2 }))
      }))

      const chunks = spans.filter(({ name }) => name === "answer_chunk")
      assert.deepStrictEqual(
        chunks.map(({ attributes }) => Object.fromEntries(attributes)),
        [0, 2].map((first) => ({
          "effect_llm.job.id": "rivers",
          "effect_llm.job.pass": 1,
          "effect_llm.job.chunk.first": first
        }))
      )
      assert.deepStrictEqual(chunks.map(({ kind, status }) => [kind, status._tag]), [
        ["internal", "Ended"],
        ["internal", "Ended"]
      ])
      const below = treeOf(spans).map((line) => line.trim()).filter((name) => /^(answer_chunk|chat)/.test(name))
      const model = prompts(1)[0]!.model
      const call = `chat ${model}`
      assert.deepStrictEqual(below, ["answer_chunk", call, call, "answer_chunk", call])
    }))
})
