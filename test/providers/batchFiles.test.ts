import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as AnthropicTools from "effect-llm/AnthropicTools"
import * as Gemini from "effect-llm/Gemini"
import * as LlmProvider from "effect-llm/LlmProvider"
import * as OpenAi from "effect-llm/OpenAi"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import type { ServerResponse } from "node:http"
import { answerIn, batchesOf, failureIn, outcomesOf, requestsOf } from "../support/batches.js"
import { eventually, serve, transports } from "../support/overHttp.js"

// Batches of a service that the test writes, byte by byte: what a simulator, which is right, does not send.

const secret = "sk-0123456789abcdefghijklmnop"

const apiKey = Redacted.make(secret)

const json = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}) =>
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

const answer = (text: string) => ({
  id: "resp_1",
  object: "response",
  status: "completed",
  model: "gpt-4o-mini",
  output: [{ type: "message", role: "assistant", content: [{ type: "output_text", text, annotations: [] }] }],
  usage: { input_tokens: 3, output_tokens: 2 }
})

const line = (id: string, text = id) =>
  JSON.stringify({
    custom_id: id,
    response: { status_code: 200, request_id: `req-${id}`, body: answer(text) },
    error: null
  })

/** A batch of OpenAI that has ended, with these files. */
const openAi = (files: { readonly output?: string; readonly error?: string }, batch: Record<string, unknown> = {}) =>
  Effect.gen(function*() {
    const server = yield* serve((response, { url }) => {
      const name = /\/files\/(\w+)\/content$/.exec(url)?.[1]
      if (name === "output" || name === "error") return response.writeHead(200).end(files[name])
      return json(response, {
        id: "batch_1",
        object: "batch",
        status: "completed",
        ...(files.output !== undefined && { output_file_id: "output" }),
        ...(files.error !== undefined && { error_file_id: "error" }),
        ...batch
      })
    })
    const provider = yield* Effect.provide(OpenAi.make({ apiKey, baseUrl: `${server.url}/v1` }), transports.fetch)
    return { server, batches: batchesOf(provider) }
  })

const read = (batches: LlmProvider.Batches, prompts: ReadonlyArray<string>) =>
  Effect.flatMap(
    requestsOf("gpt-4o-mini", prompts),
    (requests) => outcomesOf(batches, "batch_1", requests)
  )

const idsOf = (batches: LlmProvider.Batches) =>
  Effect.map(Stream.runCollect(batches.results("batch_1")), (results) => [...results].map(({ id }) => id))

describe("Results of a batch", () => {
  it.scopedLive("come of both files, either of which may be absent", () =>
    Effect.gen(function*() {
      const error = JSON.stringify({
        custom_id: "r1",
        response: { status_code: 400, request_id: "req-r1", body: { error: { message: "bad", code: "bad_thing" } } },
        error: null
      })
      const expired = JSON.stringify({
        custom_id: "r2",
        response: null,
        error: { code: "batch_expired", message: "late" }
      })
      const odd = JSON.stringify({ custom_id: "r3", response: null, error: { code: "server_error", message: "odd" } })
      const both = yield* openAi({ output: line("r0"), error: `${error}\n${expired}\n${odd}\n` })
      const outcomes = yield* read(both.batches, ["a", "b", "c", "d"])
      const first = answerIn(outcomes, "r0")
      assert.strictEqual(first.text, "r0")
      assert.strictEqual(first.requestId, "req-r0")
      const second = failureIn(outcomes, "r1")
      assert.deepInclude(second.reason, { _tag: "InvalidRequest", code: "bad_thing", message: "bad" })
      assert.strictEqual(second.status, 400)
      assert.strictEqual(second.requestId, "req-r1")
      assert.strictEqual(failureIn(outcomes, "r2").reason._tag, "TimedOut")
      assert.strictEqual(failureIn(outcomes, "r3").reason._tag, "ServerFailed")
      assert.deepStrictEqual(yield* idsOf((yield* openAi({ error })).batches), ["r1"])
      assert.deepStrictEqual(yield* idsOf((yield* openAi({})).batches), [])
    }))

  it.scopedLive("leave out lines that are none, and end with a line that lacks its end", () =>
    Effect.gen(function*() {
      const { batches } = yield* openAi({
        output: `\uFEFF${line("r0")}\r\n\r\n{"custom_id":\n[]\nnull\n{"custom_id":7}\n${line("stranger")}\n${
          line("r1")
        }`
      })
      assert.deepStrictEqual(yield* idsOf(batches), ["r0", "stranger", "r1"])
    }))

  it.scopedLive("are no results where no line is one, or the file is an error", () =>
    Effect.gen(function*() {
      const expectations = [
        ["<html>\n<p>Welcome to the airport.</p>\n</html>\n", "MalformedResponse"],
        [`{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}`, "RateLimited"],
        [`${line("r0")}\n{"custom_id":"r1","resp`, "MalformedResponse"]
      ] as const
      for (const [output, tag] of expectations) {
        const error = yield* Effect.flip(idsOf((yield* openAi({ output })).batches))
        assert.strictEqual(error.reason._tag, tag)
        assert.strictEqual(error.operation, "batch")
        assert.isTrue(error.isRetryable)
      }
    }))

  it.scopedLive("are the same wherever their bytes are divided", () =>
    Effect.gen(function*() {
      const texts = ["ünï", "😀 “q”", "a\nb", "\u2028", ""]
      const bytes = Buffer.from(texts.map((text, index) => `${line(`r${index}`, text)}\n`).join(""))
      let cuts: ReadonlyArray<number> = []
      const server = yield* serve((response, { url }) => {
        if (!url.endsWith("/content")) {
          json(response, { id: "b", status: "completed", output_file_id: "output" })
          return
        }
        response.writeHead(200)
        const send = (from: number, [to, ...others]: ReadonlyArray<number>) => {
          response.write(bytes.subarray(from, to))
          if (to === undefined) response.end()
          else setImmediate(send, to, others)
        }
        send(0, cuts)
      })
      const layer = Layer.provide(OpenAi.layer({ apiKey, baseUrl: `${server.url}/v1` }), transports.lean)
      const provider = Context.get(yield* Layer.build(layer), LlmProvider.LlmProvider)
      yield* Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(FastCheck.nat(bytes.length), { maxLength: 8 }), async (given) => {
            cuts = [...given].sort((a, b) => a - b)
            const outcomes = await Effect.runPromise(read(batchesOf(provider), texts.map((_, index) => `${index}`)))
            texts.forEach((text, index) => assert.strictEqual(answerIn(outcomes, `r${index}`).text, text))
          }),
          { numRuns: 30 }
        )
      )
    }))

  it.scopedLive("come before their file has come whole, and a reader that leaves aborts it", () =>
    Effect.gen(function*() {
      let closed = false
      const server = yield* serve((response, { url }) => {
        if (!url.endsWith("/content")) return json(response, { id: "b", status: "completed", output_file_id: "output" })
        response.on("close", () => {
          closed = true
        })
        return response.writeHead(200).write(`${line("r0")}\n${line("r1")}`)
      })
      const provider = yield* Effect.provide(OpenAi.make({ apiKey, baseUrl: `${server.url}/v1` }), transports.fetch)
      const first = yield* Stream.runHead(batchesOf(provider).results("batch_1"))
      assert.strictEqual(first._tag === "Some" && first.value.id, "r0")
      yield* eventually("the end of the connection", Effect.sync(() => closed))
    }))
})

describe("A batch that is refused as a whole", () => {
  it.scopedLive("says why: the first error, its line, and how many more there are", () =>
    Effect.gen(function*() {
      const errors = (...data: ReadonlyArray<unknown>) => ({ status: "failed", errors: { object: "list", data } })
      const stateOf = (batch: Record<string, unknown>) =>
        Effect.flatMap(openAi({}, batch), ({ batches }) => batches.state("batch_1"))
      const duplicate = { code: "duplicate_custom_id", message: "A duplicate.", line: 2, param: "custom_id" }
      const refused = yield* stateOf(errors(duplicate, duplicate))
      assert.strictEqual(refused.status, "ended")
      assert.deepInclude(refused.error?.reason, {
        _tag: "InvalidRequest",
        code: "duplicate_custom_id",
        field: "custom_id",
        message: "A duplicate. (line 2), and 1 more"
      })
      const full = yield* stateOf(errors({
        code: "token_limit_exceeded",
        message:
          "Enqueued token limit reached for gpt-4o in organization o. Limit: 90,000 enqueued tokens. Please try " +
          "again once some in_progress batches have been completed."
      }))
      assert.strictEqual(full.error?.reason._tag, "RateLimited")
      const unknown = yield* stateOf(errors({ code: "model_not_found", message: "The model `x` does not exist." }))
      assert.strictEqual(unknown.error?.reason._tag, "ModelNotFound")
      assert.strictEqual((yield* stateOf({ status: "failed" })).error?.reason._tag, "InvalidRequest")
    }))
})

describe("Anthropic's batches", () => {
  it.scopedLive("send the key to no other address than the service's", () =>
    Effect.gen(function*() {
      const stranger = yield* serve((response) => response.writeHead(200).end())
      const message = {
        type: "message",
        role: "assistant",
        model: "claude-haiku-4-5",
        content: [{ type: "text", text: "Elbe" }],
        stop_reason: "end_turn",
        usage: { input_tokens: 1, output_tokens: 1 }
      }
      const server = yield* serve((response, { url }) =>
        url.endsWith("/results")
          ? response.writeHead(200, { "content-type": "application/x-jsonl" })
            .end(JSON.stringify({ custom_id: "r0", result: { type: "succeeded", message } }))
          : json(response, { id: "b", processing_status: "ended", results_url: `${stranger.url}/results` })
      )
      const provider = yield* Effect.provide(Anthropic.make({ apiKey, baseUrl: server.url }), transports.fetch)
      assert.strictEqual(answerIn(yield* read(batchesOf(provider), ["a"]), "r0").text, "Elbe")
      assert.isEmpty(stranger.requests)
    }))

  it.scopedLive("carry the headers that the tools of their requests need, and take no request for no tokens", () =>
    Effect.gen(function*() {
      const server = yield* serve((response) => json(response, { id: "msgbatch_1" }))
      const provider = yield* Effect.provide(
        Anthropic.make({ apiKey, baseUrl: server.url, beta: ["own-2026-01-01"] }),
        transports.fetch
      )
      const batches = batchesOf(provider)
      const [plain, none] = yield* requestsOf("claude-haiku-4-5", ["a", "b"])
      assert(plain !== undefined && none !== undefined)
      const [withTool] = yield* requestsOf("claude-haiku-4-5", ["c"], {
        providerTools: [AnthropicTools.mcp({ name: "rivers", url: "https://mcp.example.com" })]
      })
      assert(withTool !== undefined)
      yield* batches.submit({ name: "a", requests: [plain, { ...withTool, id: "tool" }] })
      assert.strictEqual(server.requests[0]?.headers["anthropic-beta"], "own-2026-01-01,mcp-client-2025-11-20")
      const [silent] = yield* requestsOf("claude-haiku-4-5", ["d"], { maxTokens: 0 })
      assert(silent !== undefined)
      assert.strictEqual((yield* Effect.flip(batches.size(silent))).reason._tag, "UnsupportedFeature")
      assert.strictEqual((yield* Effect.flip(batches.submit({ name: "a", requests: [silent] }))).attempts, 0)
      assert.strictEqual(server.requests.length, 1)
    }))
})

describe("Gemini's batches", () => {
  const many = requestsOf("gemini-2.5-flash", Array.from({ length: 101 }, (_, i) => `${i}`))

  it.scopedLive("upload to no other address than the service's", () =>
    Effect.gen(function*() {
      const stranger = yield* serve((response) => response.writeHead(200).end())
      const server = yield* serve((response) =>
        response.writeHead(200, { "x-goog-upload-url": `${stranger.url}/upload?id=1` }).end()
      )
      const provider = yield* Effect.provide(Gemini.make({ apiKey, baseUrl: server.url }), transports.fetch)
      const error = yield* Effect.flip(batchesOf(provider).submit({ name: "a", requests: yield* many }))
      assert.strictEqual(error.reason._tag, "MalformedResponse")
      assert.isEmpty(stranger.requests)
    }))

  it.scopedLive("state why they ended without a result", () =>
    Effect.gen(function*() {
      const stateOf = (operation: Record<string, unknown>) =>
        Effect.gen(function*() {
          const server = yield* serve((response) => json(response, { name: "batches/1", ...operation }))
          const provider = yield* Effect.provide(Gemini.make({ apiKey, baseUrl: server.url }), transports.fetch)
          return yield* batchesOf(provider).state("batches/1")
        })
      const failed = yield* stateOf({ done: true, error: { code: 8, message: "Quota." } })
      assert.strictEqual(failed.error?.reason._tag, "RateLimited")
      const expired = yield* stateOf({ metadata: { state: "JOB_STATE_EXPIRED" } })
      assert.strictEqual(expired.error?.reason._tag, "TimedOut")
      const cancelled = yield* stateOf({ metadata: { state: "BATCH_STATE_CANCELLED" } })
      assert.deepInclude(cancelled.error?.reason, { code: "cancelled" })
      const wrong = yield* stateOf({ done: true, error: { code: 3, message: "Line 3 is wrong." } })
      assert.deepInclude(wrong.error?.reason, { _tag: "InvalidRequest", code: "INVALID_ARGUMENT" })
      const running = yield* stateOf({ metadata: { state: "JOB_STATE_PAUSED", batchStats: { requestCount: "2" } } })
      assert.deepStrictEqual(running, { status: "running", succeeded: 0, failed: 0 })
    }))

  it.scopedLive("give the reason of a prompt that was blocked, as a call does", () =>
    Effect.gen(function*() {
      const blocked = { promptFeedback: { blockReason: "SAFETY" } }
      const server = yield* serve((response, { url }) =>
        json(
          response,
          url.includes("generateContent") ? blocked : {
            name: "batches/1",
            done: true,
            response: { inlinedResponses: { inlinedResponses: [{ response: blocked, metadata: { key: "r0" } }] } }
          }
        )
      )
      const provider = yield* Effect.provide(Gemini.make({ apiKey, baseUrl: server.url }), transports.fetch)
      const requests = yield* requestsOf("gemini-2.5-flash", ["a"])
      const [first] = requests
      assert(first !== undefined)
      const outcomes = yield* outcomesOf(batchesOf(provider), "batches/1", requests)
      const called = yield* Effect.flip(provider.call(first.request))
      assert.deepStrictEqual(failureIn(outcomes, "r0").reason, called.reason)
    }))
})

describe("Batches of any service", () => {
  it.scopedLive("keep the prompts and secrets of all their requests out of errors", () =>
    Effect.gen(function*() {
      const server = yield* serve((response, { body }) =>
        json(response, { error: { message: `cannot read ${body.slice(-3000)}`, type: "invalid_request_error" } }, 400)
      )
      const provider = yield* Effect.provide(OpenAi.make({ apiKey, baseUrl: `${server.url}/v1` }), transports.fetch)
      const prompt = "The second of the prompts, which nobody else is ever to see in any error message at all."
      const requests = yield* requestsOf("gpt-4o-mini", ["The first prompt", prompt], {
        providerOptions: { openai: { metadata: { api_key: "hidden-0123456789abcdef" } } }
      })
      const error = yield* Effect.flip(batchesOf(provider).submit({ name: "a", requests }))
      const shown = `${error} ${JSON.stringify(error)}`
      assert.strictEqual(error.status, 400)
      assert.notInclude(shown, "nobody else is ever to see")
      assert.notInclude(shown, "hidden-0123456789abcdef")
      assert.notInclude(shown, secret)
    }))

  it.scopedLive("are asked for with another key where the service refuses the first", () =>
    Effect.gen(function*() {
      let keys = 0
      const server = yield* serve((response, { headers }) =>
        headers.authorization === "Bearer key-2"
          ? json(response, { id: "batch_1", status: "in_progress" })
          : json(response, { error: { message: "Incorrect API key", code: "invalid_api_key" } }, 401)
      )
      const provider = yield* Effect.provide(
        OpenAi.make({ apiKey: Effect.sync(() => Redacted.make(`key-${++keys}`)), baseUrl: `${server.url}/v1` }),
        transports.fetch
      )
      assert.strictEqual((yield* batchesOf(provider).state("batch_1")).status, "running")
      assert.strictEqual(server.requests.length, 2)
    }))

  it.scopedLive("are a defect where their requests have no ids of their own, or several models", () =>
    Effect.gen(function*() {
      const { batches } = yield* openAi({})
      const [one, two] = yield* requestsOf("gpt-4o-mini", ["a", "b"])
      const [other] = yield* requestsOf("gpt-5", ["c"])
      assert(one !== undefined && two !== undefined && other !== undefined)
      const wrong = [[], [one, one], [one, { ...two, id: "a b" }], [one, { ...other, id: "r9" }]]
      for (const requests of wrong) {
        const exit = yield* Effect.exit(batches.submit({ name: "a", requests }))
        assert(exit._tag === "Failure" && exit.cause._tag === "Die", `${exit}`)
        assert.match(String(exit.cause.defect), /requests/)
      }
    }))
})
