import Anthropic from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { GoogleGenAI, JobState } from "@google/genai"
import { Simulator } from "effect-llm/testing"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OpenAI, { toFile } from "openai"
import { failureOf, key, simulated } from "./simulator.js"

/** The request whose prompt is this word meets a fault. */
const at = (word: string, fault: Simulator.Fault): Simulator.Options => ({
  faults: ({ prompt }) => prompt.text === `Echo: ${word}` ? fault : Simulator.ok
})

const words = ["Elbe", "Oder", "Rhine"]

const linesOf = (text: string): ReadonlyArray<Record<string, unknown>> =>
  text.trim().split("\n").map((line) => JSON.parse(line))

describe("openai, batches", () => {
  const clientOf = ({ url }: { readonly url: string }) =>
    new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0, logLevel: "off" })

  const upload = (client: OpenAI, lines: ReadonlyArray<unknown>) =>
    Promise.resolve(toFile(Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n")), "rivers.jsonl")).then((
      file
    ) => client.files.create({ purpose: "batch", file }))

  const line = (word: string, id = word) => ({
    custom_id: id,
    method: "POST",
    url: "/v1/responses",
    body: { model: "gpt-4o-mini", input: `Echo: ${word}` }
  })

  const create = async (client: OpenAI, lines: ReadonlyArray<unknown>) => {
    const { id } = await upload(client, lines)
    return client.batches.create({
      input_file_id: id,
      endpoint: "/v1/responses",
      completion_window: "24h",
      metadata: { name: "rivers" }
    })
  }

  it("are created, polled and read, answers and errors apart", () =>
    simulated({ apiKey: key, ...at("Oder", Simulator.status(429)) }, async (simulator) => {
      const client = clientOf(simulator)
      const created = await create(client, words.map((word) => line(word)))
      assert.deepInclude(created, { object: "batch", status: "validating", metadata: { name: "rivers" } })
      const batch = await client.batches.retrieve(created.id)
      assert.strictEqual(batch.status, "completed")
      assert.deepStrictEqual(batch.request_counts, { total: 3, completed: 2, failed: 1 })
      const output = linesOf(await (await client.files.content(batch.output_file_id ?? "")).text())
      assert.deepStrictEqual(output.map((each) => each.custom_id), ["Elbe", "Rhine"])
      assert.nestedPropertyVal(output[0], "response.body.output[0].content[0].text", "Elbe")
      const errors = linesOf(await (await client.files.content(batch.error_file_id ?? "")).text())
      assert.nestedPropertyVal(errors[0], "response.status_code", 429)
      const { purpose } = await client.files.retrieve(batch.output_file_id ?? "")
      assert.strictEqual(purpose, "batch_output")
    }))

  it("are cancelled, and listed page by page", () =>
    simulated({ batch: "1 hour" }, async (simulator) => {
      const client = clientOf(simulator)
      const ids: Array<string> = []
      for (const word of words) ids.unshift((await create(client, [line(word)])).id)
      const listed: Array<string> = []
      for await (const { id } of client.batches.list({ limit: 2 })) listed.push(id)
      assert.deepStrictEqual(listed, ids)
      assert.strictEqual((await client.batches.cancel(ids[0] ?? "")).status, "cancelling")
      const { error_file_id: file, status } = await client.batches.retrieve(ids[0] ?? "")
      assert.strictEqual(status, "cancelled")
      const [cancelled] = linesOf(await (await client.files.content(file ?? "")).text())
      assert.nestedPropertyVal(cancelled, "error.code", "batch_cancelled")
      assert.strictEqual((await client.batches.retrieve(ids[1] ?? "")).status, "validating")
    }))

  it("fail as a whole where a file is wrong", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const failures: ReadonlyArray<readonly [lines: ReadonlyArray<unknown>, code: string]> = [
        [[line("Elbe"), line("Oder", "Elbe")], "duplicate_custom_id"],
        [[line("Elbe"), { ...line("Oder"), body: { model: "gpt-5", input: "Oder" } }], "mismatched_model"],
        [[{ ...line("Elbe"), url: "/v1/embeddings" }], "mismatched_url"],
        [Array.from({ length: 50_001 }, (_, i) => line("Elbe", `${i}`)), "too_many_tasks"]
      ]
      for (const [lines, code] of failures) {
        const { errors, status } = await client.batches.retrieve((await create(client, lines)).id)
        assert.strictEqual(status, "failed")
        assert.strictEqual(errors?.data?.[0]?.code, code)
      }
      const error = await failureOf(client.batches.create({
        input_file_id: "file-nobody",
        endpoint: "/v1/responses",
        completion_window: "24h"
      }))
      assert.instanceOf(error, OpenAI.BadRequestError)
      assert.instanceOf(await failureOf(client.batches.retrieve("batch_nobody")), OpenAI.NotFoundError)
    }))

  it("have files that can be listed and deleted", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      const { bytes, id } = await upload(client, [line("Grüße")])
      assert.strictEqual(bytes, Buffer.byteLength(JSON.stringify(line("Grüße"))))
      assert.deepStrictEqual((await client.files.list()).data.map((file) => file.id), [id])
      assert.isTrue((await client.files.delete(id)).deleted)
      assert.instanceOf(await failureOf(client.files.retrieve(id)), OpenAI.NotFoundError)
    }))
})

describe("@anthropic-ai/sdk, batches", () => {
  const clientOf = ({ url }: { readonly url: string }) =>
    new Anthropic({ apiKey: key, baseURL: url, maxRetries: 0, logLevel: "off" })

  const request = (word: string, id = word) => ({
    custom_id: id,
    params: {
      model: "claude-haiku-4-5",
      max_tokens: 100,
      messages: [{ role: "user" as const, content: `Echo: ${word}` }]
    }
  })

  const resultsOf = async (client: Anthropic, id: string) => {
    const results: Array<Anthropic.Messages.MessageBatchIndividualResponse> = []
    for await (const result of await client.messages.batches.results(id)) results.push(result)
    return results
  }

  it("are created, polled and read", () =>
    simulated({ apiKey: key, ...at("Oder", Simulator.status(529)) }, async (simulator) => {
      const client = clientOf(simulator)
      const created = await client.messages.batches.create({ requests: words.map((word) => request(word)) })
      assert.deepInclude(created, { type: "message_batch", processing_status: "in_progress", results_url: null })
      const batch = await client.messages.batches.retrieve(created.id)
      assert.strictEqual(batch.processing_status, "ended")
      assert.deepInclude(batch.request_counts, { processing: 0, succeeded: 2, errored: 1 })
      const [elbe, oder] = await resultsOf(client, batch.id)
      assert(elbe?.result.type === "succeeded" && oder?.result.type === "errored")
      assert.deepInclude(elbe.result.message.content[0], { type: "text", text: "Elbe" })
      assert.strictEqual(elbe.result.message.usage.service_tier, "batch")
      assert.strictEqual(oder.result.error.error.type, "overloaded_error")
      assert.strictEqual((await client.messages.batches.delete(batch.id)).type, "message_batch_deleted")
      assert.instanceOf(await failureOf(client.messages.batches.retrieve(batch.id)), Anthropic.NotFoundError)
    }))

  it("are cancelled, and listed page by page", () =>
    simulated({ batch: "1 hour" }, async (simulator) => {
      const client = clientOf(simulator)
      const ids: Array<string> = []
      for (const word of words) ids.unshift((await client.messages.batches.create({ requests: [request(word)] })).id)
      const listed: Array<string> = []
      for await (const { id } of client.messages.batches.list({ limit: 2 })) listed.push(id)
      assert.deepStrictEqual(listed, ids)
      const [id = ""] = ids
      assert.strictEqual((await client.messages.batches.cancel(id)).processing_status, "canceling")
      assert.strictEqual((await client.messages.batches.retrieve(id)).request_counts.canceled, 1)
      assert.strictEqual((await resultsOf(client, id))[0]?.result.type, "canceled")
    }))

  it("are refused where an id comes twice, or a request is none", () =>
    simulated({}, async (simulator) => {
      const client = clientOf(simulator)
      for (const requests of [[request("Elbe"), request("Oder", "Elbe")], [request("Elbe", "a b")], []]) {
        const error = await failureOf(client.messages.batches.create({ requests }))
        assert.instanceOf(error, Anthropic.BadRequestError)
      }
    }))
})

describe("@google/genai, batches", () => {
  const model = "gemini-2.5-flash"

  const clientOf = ({ url }: { readonly url: string }) =>
    new GoogleGenAI({ apiKey: key, vertexai: false, httpOptions: { baseUrl: url } })

  const request = (word: string) => ({
    contents: [{ role: "user", parts: [{ text: `Echo: ${word}` }] }],
    metadata: { key: word },
    config: { systemInstruction: "Be terse.", temperature: 0.5 }
  })

  it("are created, polled and read, in the body of a request", () =>
    simulated({ apiKey: key, ...at("Oder", Simulator.status(429)) }, async (simulator) => {
      const { batches } = clientOf(simulator)
      const created = await batches.create({ model, src: words.map(request), config: { displayName: "rivers" } })
      assert.strictEqual(created.state, JobState.JOB_STATE_PENDING)
      const { dest, displayName, state } = await batches.get({ name: created.name ?? "" })
      assert.strictEqual(state, JobState.JOB_STATE_SUCCEEDED)
      assert.strictEqual(displayName, "rivers")
      const [elbe, oder] = dest?.inlinedResponses ?? []
      assert.strictEqual(elbe?.response?.candidates?.[0]?.content?.parts?.[0]?.text, "Elbe")
      assert.deepStrictEqual(elbe?.metadata, { key: "Elbe" })
      assert.strictEqual(oder?.error?.code, 8)
    }))

  it("are created, polled and read, in files", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const { batches, files } = clientOf(simulator)
      const lines = words.map((word) => {
        const { contents } = request(word)
        return JSON.stringify({ key: word, request: { contents } })
      })
      const file = await files.upload({
        file: new Blob([lines.join("\n")], { type: "application/jsonl" }),
        config: { displayName: "rivers", mimeType: "application/jsonl" }
      })
      const created = await batches.create({ model, src: file.name ?? "" })
      const { dest } = await batches.get({ name: created.name ?? "" })
      const folder = await mkdtemp(join(tmpdir(), "batches-"))
      try {
        const path = join(folder, "results.jsonl")
        await files.download({ file: dest?.fileName ?? "", downloadPath: path })
        const results = linesOf(await readFile(path, "utf8"))
        assert.deepStrictEqual(results.map((each) => each.key), words)
        assert.nestedPropertyVal(results[0], "response.candidates[0].content.parts[0].text", "Elbe")
      } finally {
        await rm(folder, { recursive: true })
      }
    }))

  it("are cancelled, listed page by page, and deleted", () =>
    simulated({ batch: "1 hour" }, async (simulator) => {
      const { batches } = clientOf(simulator)
      const names: Array<string> = []
      for (const word of words) names.unshift((await batches.create({ model, src: [request(word)] })).name ?? "")
      const listed: Array<string> = []
      for await (const { name } of await batches.list({ config: { pageSize: 2 } })) listed.push(name ?? "")
      assert.deepStrictEqual(listed, names)
      const [name = ""] = names
      await batches.cancel({ name })
      const { dest, state } = await batches.get({ name })
      assert.strictEqual(state, JobState.JOB_STATE_CANCELLED)
      assert.strictEqual(dest?.inlinedResponses?.[0]?.error?.code, 1)
      await batches.delete({ name })
      assert.match(String(await failureOf(batches.get({ name }))), /not found/)
    }))
})
