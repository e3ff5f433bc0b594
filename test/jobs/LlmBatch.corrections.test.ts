import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import type * as LlmBatch from "effect-llm/LlmBatch"
import type * as LlmRequest from "effect-llm/LlmRequest"
import type * as LlmResponse from "effect-llm/LlmResponse"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { json } from "../support/fakeHttp.js"
import { makeMachine, ran } from "../support/jobs.js"

type Body = { readonly [field: string]: unknown }

interface Entry {
  readonly custom_id: string
  readonly params: Body
}

/** A model that no data has: its settings are all sent. */
const model = "nova-9"

const refusal = (message: string): Body => ({ type: "error", error: { type: "invalid_request_error", message } })

const answer = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: "The Elbe." }],
  stop_reason: "end_turn",
  usage: { input_tokens: 8, output_tokens: 4 }
}

/** Refuses the first of these fields that a request has. */
const refusing = (...fields: ReadonlyArray<string>) => (body: Body): Body | undefined => {
  const field = fields.find((field) => body[field] !== undefined)
  return field === undefined ? undefined : refusal(`\`${field}\` is not supported for this model.`)
}

/** The batches and the calls of Anthropic, in memory: each request is judged, or each batch as a whole. */
const makeService = (
  judge: (body: Body) => Body | undefined,
  { wholly = false }: { readonly wholly?: boolean } = {}
) => {
  const batches: Array<ReadonlyArray<Entry>> = []
  const calls: Array<Body> = []
  const http = HttpClient.make((request, url) =>
    Effect.sync(() => {
      const respond = (response: Response) => HttpClientResponse.fromWeb(request, response)
      const [, , , part, id, end] = url.pathname.split("/")
      const sent = request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : {}
      if (part === undefined) {
        calls.push(sent)
        const refused = judge(sent)
        return respond(refused === undefined ? json(answer) : json(refused, { status: 400 }))
      }
      if (id === undefined) {
        const entries: ReadonlyArray<Entry> = sent.requests
        const [refused] = wholly ? entries.flatMap(({ params }) => judge(params) ?? []) : []
        if (refused !== undefined) return respond(json(refused, { status: 400 }))
        batches.push(entries)
        return respond(json({ id: String(batches.length - 1), processing_status: "in_progress" }))
      }
      const entries = batches[Number(id)] ?? []
      return respond(
        end === undefined
          ? json({ id, processing_status: "ended", request_counts: { succeeded: entries.length } })
          : json(
            entries.map(({ custom_id, params }) => {
              const refused = judge(params)
              const result = refused === undefined
                ? { type: "succeeded", message: answer }
                : { type: "errored", error: refused }
              return JSON.stringify({ custom_id, result })
            }).join("\n")
          )
      )
    })
  )
  /** The fields of each request, batch by batch. */
  const asked = (...names: ReadonlyArray<string>) =>
    batches.map((entries) => entries.map(({ params }) => names.filter((name) => params[name] !== undefined)))
  const layer = Layer.provide(
    Anthropic.layer({ apiKey: Redacted.make("sk-test-0123456789") }),
    Layer.succeed(HttpClient.HttpClient, http)
  )
  return { asked, batches, calls, layer }
}

const viaProvider = { id: "a", via: "provider", passDelay: "1 second" } as const

const requestsOf = (count: number, settings: Partial<LlmRequest.Settings>) =>
  Array.from({ length: count }, (_, i) => ({ model, prompt: `Name river ${i}.`, maxTokens: 100, ...settings }))

/** The warnings of answers, or the reason of a failure, in the order of the requests. */
const outcomes = (jobs: LlmBatch.Service) =>
  jobs.results("a").pipe(
    Stream.map(({ result }) =>
      Exit.match(result, {
        onFailure: (cause) => [cause._tag === "Fail" ? cause.error.reason._tag : cause._tag],
        onSuccess: ({ warnings }: LlmResponse.LlmResponse) => [...warnings]
      })
    ),
    Stream.runCollect,
    Effect.map((all) => Array.from(all))
  )

const notSent = (setting: string) => `${setting} was not sent: anthropic has refused it for ${model}`

describe("LlmBatch via: provider: settings that the service refuses", () => {
  it.scoped("are left out in the batch of the next pass, with a warning, as a call would leave them out at once", () =>
    Effect.gen(function*() {
      const service = makeService(refusing("temperature"))
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: requestsOf(2, { temperature: 0.5, topP: 0.9 }) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [2, 0])
      const both = ["temperature", "top_p"]
      assert.deepStrictEqual(service.asked(...both), [[both, both], [["top_p"], ["top_p"]]])
      assert.deepStrictEqual(yield* outcomes(jobs), [[notSent("temperature")], [notSent("temperature")]])
    }))

  it.scoped("are left out one after another, as long as there are passes", () =>
    Effect.gen(function*() {
      const service = makeService(refusing("temperature", "top_p", "top_k"))
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const requests = requestsOf(1, { temperature: 0.5, topP: 0.9, topK: 3 })
      const summary = yield* ran(jobs.run({ ...viaProvider, requests, passes: 3 }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [0, 1])
      yield* ran(jobs.retryFailed("a"))
      assert.deepStrictEqual(service.asked("temperature", "top_p", "top_k").flat(2), [
        ...["temperature", "top_p", "top_k"],
        ...["top_p", "top_k"],
        "top_k"
      ])
      assert.deepStrictEqual(yield* outcomes(jobs), [["temperature", "topP", "topK"].map(notSent)])
    }))

  it.scoped("are left out at once if the provider knows that from a call", () =>
    Effect.gen(function*() {
      const service = makeService(refusing("temperature"))
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const requests = requestsOf(1, { temperature: 0.5 })
      yield* ran(jobs.run({ id: "by calls", requests }))
      yield* ran(jobs.run({ ...viaProvider, requests }))
      assert.lengthOf(service.calls, 2)
      assert.deepStrictEqual(service.asked("temperature"), [[[]]])
      assert.deepStrictEqual(yield* outcomes(jobs), [[notSent("temperature")]])
    }))

  it.scoped("are named in the warnings also by a process that has not sent the batch", () =>
    Effect.gen(function*() {
      const machine = yield* makeMachine
      const service = makeService(refusing("temperature"))
      const job = { ...viaProvider, requests: requestsOf(1, { temperature: 0.5 }) }
      // The second batch is under way when the process ends.
      const first = yield* machine.start(service.layer, { stopWithin: 0 })
      yield* Effect.fork(first.jobs.run(job))
      while (service.batches.length < 2) yield* ran(Effect.sleep("1 second"))
      yield* first.stop
      const { jobs } = yield* machine.start(service.layer)
      yield* ran(jobs.run(job))
      assert.deepStrictEqual(service.asked("temperature"), [[["temperature"]], [[]]])
      assert.deepStrictEqual(yield* outcomes(jobs), [[notSent("temperature")]])
    }))

  for (const count of [1, 4]) {
    it.scoped(`are left out of a batch of ${count} that was refused as a whole, which is handed over again`, () =>
      Effect.gen(function*() {
        const service = makeService(refusing("temperature", "top_p"), { wholly: true })
        const { jobs } = yield* (yield* makeMachine).start(service.layer)
        const requests = requestsOf(count, { temperature: 0.5, topP: 0.9 })
        const summary = yield* ran(jobs.run({ ...viaProvider, requests, passes: 1 }))
        assert.deepStrictEqual([summary.succeeded, summary.failed], [count, 0])
        assert.deepStrictEqual(service.batches.map(({ length }) => length), [count])
        assert.deepStrictEqual(
          yield* outcomes(jobs),
          Array.from({ length: count }, () => [notSent("temperature"), notSent("topP")])
        )
      }))
  }

  it.scoped("are failures where a call would fail, too: those that a request makes no sense without", () =>
    Effect.gen(function*() {
      const service = makeService(refusing("stop_sequences"))
      const { jobs } = yield* (yield* makeMachine).start(service.layer)
      const summary = yield* ran(jobs.run({ ...viaProvider, requests: requestsOf(1, { stop: ["x"] }) }))
      assert.deepStrictEqual([summary.succeeded, summary.failed], [0, 1])
      assert.lengthOf(service.batches, 1)
      assert.deepStrictEqual(yield* outcomes(jobs), [["InvalidRequest"]])
    }))
})
