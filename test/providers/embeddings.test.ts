import { assert, describe, it } from "@effect/vitest"
import * as Embedding from "effect-llm/Embedding"
import * as Gemini from "effect-llm/Gemini"
import type * as LlmError from "effect-llm/LlmError"
import * as Ollama from "effect-llm/Ollama"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as fakeHttp from "../support/fakeHttp.js"
import { json, reasonOf } from "../support/fakeHttp.js"

const apiKey = Redacted.make("k-0123456789abcdef")

const base64 = (numbers: ReadonlyArray<number>): string =>
  Buffer.from(Float32Array.from(numbers).buffer).toString("base64")

const openAiAnswer = (data: unknown, more = {}) => ({
  object: "list",
  data,
  model: "text-embedding-3-small",
  usage: { prompt_tokens: 7, total_tokens: 7 },
  ...more
})

const item = (index: number, embedding: unknown) => ({ object: "embedding", index, embedding })

/** The providers, and how each writes these vectors. */
const providers = {
  OpenAi: {
    layer: OpenAi.layer({ apiKey }),
    url: "https://api.openai.com/v1/embeddings",
    answer: (vectors: ReadonlyArray<unknown>) => openAiAnswer(vectors.map((vector, index) => item(index, vector))),
    sent: { model: "m", input: ["Elbe", "Oder"], encoding_format: "base64" }
  },
  OpenAiChat: {
    layer: OpenAiChat.layer(OpenAiChat.together({ apiKey })),
    url: "https://api.together.xyz/v1/embeddings",
    answer: (vectors: ReadonlyArray<unknown>) => openAiAnswer(vectors.map((vector, index) => item(index, vector))),
    sent: { model: "m", input: ["Elbe", "Oder"] }
  },
  Gemini: {
    layer: Gemini.layer({ apiKey }),
    url: "https://generativelanguage.googleapis.com/v1beta/models/m:batchEmbedContents",
    answer: (vectors: ReadonlyArray<unknown>) => ({
      embeddings: vectors.map((values) => ({ values })),
      usageMetadata: { promptTokenCount: 7 }
    }),
    sent: {
      requests: ["Elbe", "Oder"].map((text) => ({ model: "models/m", content: { parts: [{ text }] } }))
    }
  },
  Ollama: {
    layer: Ollama.layer(),
    url: "http://127.0.0.1:11434/api/embed",
    answer: (vectors: ReadonlyArray<unknown>) => ({ model: "m", embeddings: vectors, prompt_eval_count: 7 }),
    sent: { model: "m", input: ["Elbe", "Oder"], truncate: false }
  }
} as const

const embedWith = Effect.fnUntraced(function*(
  layer: Parameters<typeof fakeHttp.provider>[0],
  answer: fakeHttp.Service,
  input: Partial<Embedding.Input> = {}
) {
  const { provider, sent } = yield* fakeHttp.provider(layer, answer)
  const request = yield* Embedding.decode({ model: "m", input: ["Elbe", "Oder"], ...input })
  assert(provider.embed !== undefined)
  return { exit: yield* Effect.either(provider.embed(request)), sent }
})

const failureOf = (
  layer: Parameters<typeof fakeHttp.provider>[0],
  answer: fakeHttp.Service,
  input?: Partial<Embedding.Input>
) =>
  Effect.map(embedWith(layer, answer, input), ({ exit }): LlmError.LlmError => {
    assert(exit._tag === "Left", "an answer in place of a failure")
    return exit.left
  })

for (const [name, { answer, layer, sent: body, url }] of Object.entries(providers)) {
  describe(`${name}.embed`, () => {
    it.effect("sends the texts in one request, and gives their vectors", () =>
      Effect.gen(function*() {
        const { exit, sent } = yield* embedWith(layer, json(answer([[1, 0.1], [0, -2]])))
        assert.deepStrictEqual(sent.map(({ body, url }) => ({ body, url })), [{ body, url }])
        assert(exit._tag === "Right", String(exit))
        const { embeddings, usage, warnings } = exit.right
        assert.deepStrictEqual(embeddings, [[1, 0.1], [0, -2]])
        assert.deepStrictEqual(usage, { inputTokens: 7 })
        assert.deepStrictEqual(warnings, [])
      }))

    it.effect("sends the dimensions, and raw fields", () =>
      Effect.gen(function*() {
        const { sent: [sent] } = yield* embedWith(layer, json(answer([[1, 2, 3], [4, 5, 6]])), {
          dimensions: 3,
          providerOptions: {
            openai: { user: "u" },
            openaiChat: { user: "u" },
            together: { user: "t" },
            gemini: { taskType: "CLUSTERING" }
          }
        })
        const text = JSON.stringify(sent?.body)
        assert.include(text, name === "Gemini" ? `"outputDimensionality":3,"taskType":"CLUSTERING"` : `"dimensions":3`)
        if (name.startsWith("OpenAi")) assert.include(text, name === "OpenAi" ? `"user":"u"` : `"user":"t"`)
      }))

    it.effect("is malformed without one vector of finite numbers for each text, all of one length", () =>
      Effect.gen(function*() {
        const wrong: ReadonlyArray<ReadonlyArray<unknown>> = [
          [],
          [[1]],
          [[1], [2], [3]],
          [[1], []],
          [[], []],
          [[1], [1, 2]],
          [[1], ["2"]],
          [[1], [null]],
          [[1], null],
          [[1], { values: [1] }]
        ]
        for (const vectors of wrong) {
          reasonOf(yield* failureOf(layer, json(answer(vectors))), "MalformedResponse")
        }
        // A JSON number that is too large for one.
        const tooLarge = JSON.stringify(answer([[1], [2]])).replace("[2]", "[1e999]")
        reasonOf(yield* failureOf(layer, json(tooLarge)), "MalformedResponse")
        reasonOf(yield* failureOf(layer, json(answer([[1, 2], [3, 4]])), { dimensions: 3 }), "MalformedResponse")
        reasonOf(yield* failureOf(layer, json({})), "MalformedResponse")
      }))

    it.effect("states no usage that the service does not state", () =>
      Effect.gen(function*() {
        const { prompt_eval_count: _, usage: __, usageMetadata: ___, ...bare }: Record<string, unknown> = answer([[1], [
          2
        ]])
        const { exit } = yield* embedWith(layer, json(bare))
        assert(exit._tag === "Right")
        assert.deepStrictEqual(exit.right.usage, {})
      }))
  })
}

describe("OpenAi.embed: base64", () => {
  const layer = OpenAi.layer({ apiKey })

  it.effect("is read as numbers of 32 bits", () =>
    Effect.gen(function*() {
      const vectors = [[0.1, -3.5e-8, 7], [1, 2, 3]]
      const { exit } = yield* embedWith(layer, json(providers.OpenAi.answer(vectors.map(base64))))
      assert(exit._tag === "Right", String(exit))
      assert.deepStrictEqual(exit.right.embeddings, vectors.map((vector) => vector.map(Math.fround)))
    }))

  it.effect("that is none, is cut or holds no finite numbers is malformed", () =>
    Effect.gen(function*() {
      for (const text of ["", "?", "AAAA", base64([1]).slice(0, -4), base64([Infinity]), base64([NaN])]) {
        reasonOf(yield* failureOf(layer, json(providers.OpenAi.answer([base64([1]), text]))), "MalformedResponse")
      }
    }))
})

describe("OpenAi.embed: the index", () => {
  const layer = OpenAi.layer({ apiKey })

  it.effect("decides the order", () =>
    Effect.gen(function*() {
      const { exit } = yield* embedWith(layer, json(openAiAnswer([item(1, [2]), item(0, [1])])))
      assert(exit._tag === "Right")
      assert.deepStrictEqual(exit.right.embeddings, [[1], [2]])
    }))

  it.effect("that is missing, is there twice or is out of range makes an answer malformed", () =>
    Effect.gen(function*() {
      for (
        const data of [
          [{ embedding: [1] }, { embedding: [2] }],
          [item(0, [1]), { embedding: [2] }],
          [item(0, [1]), item(0, [2])],
          [item(0, [1]), item(2, [2])],
          [item(1, [1]), item(2, [2])],
          ["[1]", "[2]"]
        ]
      ) {
        reasonOf(yield* failureOf(layer, json(openAiAnswer(data))), "MalformedResponse")
      }
    }))
})

describe("Embeddings elsewhere", () => {
  it.effect("go to the deployment of Azure, with its key and version, as base64", () =>
    Effect.gen(function*() {
      const layer = OpenAiChat.layer(
        OpenAiChat.azure({ apiKey, baseUrl: "https://r.openai.azure.com", deployment: "vectors" })
      )
      const { sent } = yield* embedWith(layer, json(providers.OpenAi.answer([base64([1]), base64([2])])))
      assert.deepStrictEqual(sent.map(({ body, headers, url }) => [url, headers["api-key"], body.encoding_format]), [[
        "https://r.openai.azure.com/openai/deployments/vectors/embeddings?api-version=2024-10-21",
        "k-0123456789abcdef",
        "base64"
      ]])
    }))

  it.effect("keep Ollama's model loaded as long as its calls do", () =>
    Effect.gen(function*() {
      const { sent: [sent] } = yield* embedWith(
        Ollama.layer({ keepAlive: "1 hour" }),
        json(providers.Ollama.answer([[1], [2]]))
      )
      assert.strictEqual(sent?.body.keep_alive, "3600000ms")
    }))

  it.effect("find a Gemini model by its name with its collection", () =>
    Effect.gen(function*() {
      const { sent: [sent] } = yield* embedWith(
        providers.Gemini.layer,
        json(providers.Gemini.answer([[1], [2]])),
        { model: "models/gemini-embedding-001" }
      )
      assert.match(sent?.url ?? "", /\/v1beta\/models\/gemini-embedding-001:batchEmbedContents$/)
      assert.include(JSON.stringify(sent?.body), `"model":"models/gemini-embedding-001"`)
    }))
})
