import { createOpenAI } from "@ai-sdk/openai"
import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import * as AiLanguageModel from "@effect/ai/LanguageModel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { assert, describe, it } from "@effect/vitest"
import { generateObject, generateText, streamText, tool } from "ai"
import { LlmCache, LlmClient, LlmError, LlmLogger, LlmTool, OpenAi } from "effect-llm"
import { Simulator } from "effect-llm/testing"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import OpenAI from "openai"
import { z } from "zod"
import { always, key, once, simulated } from "./simulator.js"

/** A library as a program uses it, with its defaults. Each function fails with what the program would see. */
interface Library {
  readonly call: () => Promise<string>
  /** A call with a limit of 1 second, in the library's own words. */
  readonly limited: () => Promise<string>
  readonly stream: () => Promise<string>
  /** A value of a schema. Absent: the experiment has no such part. */
  readonly object?: () => Promise<unknown>
  readonly close?: () => Promise<void>
}

const model = "gpt-4o-mini"
const prompt = "Name a river."

/** What an Effect fails with, as what its promise is rejected with. */
const unwrapped = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
  Effect.runPromise(Effect.either(effect)).then((either) => {
    if (Either.isLeft(either)) throw either.left
    return either.right
  })

const effectLlm = (url: string): Library => {
  const runtime = ManagedRuntime.make(
    LlmClient.layer().pipe(
      Layer.provide(OpenAi.layer({ apiKey: Redacted.make(key), baseUrl: `${url}/v1` })),
      Layer.provide([LlmCache.layerMemory(), LlmLogger.layerSilent, FetchHttpClient.layer])
    )
  )
  const run = <A, E>(effect: Effect.Effect<A, E, LlmClient.LlmClient>) =>
    runtime.runtime().then((context) => unwrapped(Effect.provide(effect, context)))
  return {
    call: () => run(Effect.map(LlmClient.call({ model, prompt }), ({ text }) => text)),
    limited: () => run(Effect.map(LlmClient.call({ model, prompt }, { timeout: "1 second" }), ({ text }) => text)),
    stream: () => run(Stream.mkString(LlmClient.streamText({ model, prompt }))),
    object: () =>
      run(Effect.map(
        LlmClient.object(Schema.Struct({ name: Schema.String, kilometers: Schema.Number }), { model, prompt }),
        ({ value }) => value
      )),
    close: () => runtime.dispose()
  }
}

/** The SDK of OpenAI, whose calls a program retries twice. */
const openAiSdk = (url: string): Library => {
  const client = new OpenAI({ apiKey: key, baseURL: `${url}/v1` })
  const retried = <A>(ask: () => Promise<A>) =>
    unwrapped(Effect.retry(Effect.tryPromise({ try: ask, catch: (error) => error }), { times: 2 }))
  return {
    call: () => retried(async () => (await client.responses.create({ model, input: prompt })).output_text),
    limited: () =>
      retried(async () => (await client.responses.create({ model, input: prompt }, { timeout: 1_000 })).output_text),
    stream: async () => {
      let text = ""
      for await (const event of await client.responses.create({ model, input: prompt, stream: true })) {
        if (event.type === "response.output_text.delta") text += event.delta
      }
      return text
    }
  }
}

const aiSdk = (url: string): Library => {
  const languageModel = createOpenAI({ apiKey: key, baseURL: `${url}/v1` })(model)
  return {
    call: async () => (await generateText({ model: languageModel, prompt })).text,
    limited: async () => (await generateText({ model: languageModel, prompt, timeout: 1_000 })).text,
    stream: async () => await streamText({ model: languageModel, prompt, onError: () => {} }).text,
    object: async () =>
      (await generateObject({
        model: languageModel,
        prompt,
        schema: z.object({ name: z.string(), kilometers: z.number() })
      })).object
  }
}

const effectAi = (url: string): Library => {
  const Model = OpenAiLanguageModel.layer({ model }).pipe(
    Layer.provide(OpenAiClient.layer({ apiKey: Redacted.make(key), apiUrl: `${url}/v1` })),
    Layer.provide(FetchHttpClient.layer)
  )
  const run = <A, E>(effect: Effect.Effect<A, E, AiLanguageModel.LanguageModel>) =>
    unwrapped(Effect.provide(effect, Model))
  const call = Effect.map(AiLanguageModel.generateText({ prompt }), ({ text }) => text)
  return {
    call: () => run(call),
    limited: () => run(Effect.timeout(call, "1 second")),
    stream: () =>
      run(Stream.runFold(
        AiLanguageModel.streamText({ prompt }),
        "",
        (text, part) => part.type === "text-delta" ? text + part.delta : text
      )),
    object: () =>
      run(Effect.map(
        AiLanguageModel.generateObject({
          prompt,
          schema: Schema.Struct({ name: Schema.String, kilometers: Schema.Number })
        }),
        ({ value }) => value
      ))
  }
}

const libraries = { effectLlm, openAiSdk, aiSdk, effectAi }

/** A success as its value; a failure as the name by which a program tells it from others. */
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => {
    if (LlmError.isLlmError(error)) return `fails: ${error.reason._tag}`
    return error instanceof Error ? `fails: ${"_tag" in error ? String(error._tag) : error.constructor.name}` : error
  })

interface Experiment {
  /** The service. It is made anew for each library. */
  readonly service?: () => Simulator.Options
  readonly run: (library: Library) => Promise<unknown>
  /** For each library, the number of requests that the service receives, and what the program sees. */
  readonly seen: { readonly [library in keyof typeof libraries]?: readonly [requests: number, outcome: unknown] }
}

const rivers = "Elbe, Oder, Rhine, Weser, Ems, Main"

/** A model whose first answer does not fit. */
const misfitFirst = (): Simulator.Options => {
  let answers = 0
  return { answer: () => JSON.stringify({ name: "Elbe", kilometers: answers++ === 0 ? "long" : 1094 }) }
}

// The rows of the table in docs/guide/comparison.md.
const experiments: Readonly<Record<string, Experiment>> = {
  "the service is down": {
    service: () => always(Simulator.status(503)),
    run: ({ call }) => call(),
    seen: {
      effectLlm: [3, "fails: Overloaded"],
      openAiSdk: [9, "fails: InternalServerError"],
      aiSdk: [3, "fails: RetryError"],
      effectAi: [1, "fails: HttpResponseError"]
    }
  },
  "there is no credit left": {
    service: () => always(Simulator.quota("credit")),
    run: ({ call }) => call(),
    seen: {
      effectLlm: [1, "fails: QuotaExhausted"],
      openAiSdk: [9, "fails: RateLimitError"],
      aiSdk: [3, "fails: RetryError"],
      effectAi: [1, "fails: HttpResponseError"]
    }
  },
  "the service asks to wait for 90 seconds": {
    service: () => always(Simulator.status(429, { retryAfter: "90 seconds" })),
    run: ({ call }) => call(),
    seen: {
      effectLlm: [1, "fails: RateLimited"],
      openAiSdk: [9, "fails: RateLimitError"],
      aiSdk: [3, "fails: RetryError"],
      effectAi: [1, "fails: HttpResponseError"]
    }
  },
  "the first request is not answered within a limit of 1 second": {
    service: () => once(Simulator.silence),
    run: ({ limited }) => limited(),
    seen: {
      effectLlm: [2, "Name a river."],
      openAiSdk: [2, "Name a river."],
      aiSdk: [1, "fails: DOMException"],
      effectAi: [1, "fails: TimeoutException"]
    }
  },
  "the first answer is a page of HTML, with status 200": {
    service: () => once(Simulator.html(200)),
    run: ({ call }) => call(),
    seen: {
      effectLlm: [2, "Name a river."],
      aiSdk: [1, "fails: APICallError"],
      effectAi: [1, "fails: HttpResponseError"]
    }
  },
  "a stream ends in the middle, without its end": {
    service: () => ({ ...always(Simulator.endStream({ afterEvents: 6 })), answer: () => rivers }),
    run: ({ stream }) => stream(),
    seen: {
      effectLlm: [1, "fails: StreamInterrupted"],
      openAiSdk: [1, "Elbe, Oder,"],
      aiSdk: [1, "Elbe, Oder,"],
      effectAi: [1, "Elbe, Oder,"]
    }
  },
  "two equal calls at the same time": {
    service: () => ({ latency: "100 millis" }),
    run: ({ call }) => Promise.all([call(), call()]),
    seen: {
      effectLlm: [1, ["Name a river.", "Name a river."]],
      openAiSdk: [2, ["Name a river.", "Name a river."]],
      aiSdk: [2, ["Name a river.", "Name a river."]],
      effectAi: [2, ["Name a river.", "Name a river."]]
    }
  },
  "the same call again": {
    run: async ({ call }) => [await call(), await call()],
    seen: {
      effectLlm: [1, ["Name a river.", "Name a river."]],
      openAiSdk: [2, ["Name a river.", "Name a river."]],
      aiSdk: [2, ["Name a river.", "Name a river."]],
      effectAi: [2, ["Name a river.", "Name a river."]]
    }
  },
  "the first value does not fit its schema": {
    service: misfitFirst,
    run: ({ object }) => object?.() ?? Promise.reject(new Error("no values")),
    seen: {
      effectLlm: [2, { name: "Elbe", kilometers: 1094 }],
      aiSdk: [1, "fails: NoObjectGeneratedError"],
      effectAi: [1, "fails: MalformedOutput"]
    }
  }
}

const names = ["effectLlm", "openAiSdk", "aiSdk", "effectAi"] as const

describe.each(Object.entries(experiments))("%s", (_, { run, seen, service }) => {
  it.each(names.flatMap((name) => {
    const row = seen[name]
    return row === undefined ? [] : [[name, ...row] as const]
  }))("%s", (name, requests, outcome) =>
    simulated({ apiKey: key, ...service?.() }, async (simulator) => {
      const library = libraries[name](simulator.url)
      try {
        assert.deepStrictEqual(await outcomeOf(run(library)), outcome)
        assert.strictEqual((await simulator.requests()).length, requests)
      } finally {
        await library.close?.()
      }
    }), 60_000)
})

// What docs/guide/from-ai-sdk.md states besides.
describe("the AI SDK and this library", () => {
  it("send a temperature that is not set: none, and 0", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const client = effectLlm(simulator.url)
      await aiSdk(simulator.url).call()
      await client.call()
      await client.close?.()
      const bodies = (await simulator.requests()).map(({ body }) => body as { readonly temperature?: number })
      assert.deepStrictEqual(bodies.map(({ temperature }) => temperature), [undefined, 0])
    }))

  it("take one step and up to eight turns of tools without a limit", () =>
    simulated({ apiKey: key }, async (simulator) => {
      const question = "What is the weather in Dresden?"
      const { steps, text } = await generateText({
        model: createOpenAI({ apiKey: key, baseURL: `${simulator.url}/v1` })(model),
        prompt: question,
        tools: { weather: tool({ inputSchema: z.object({ city: z.string() }), execute: () => "It rains." }) }
      })
      assert.deepStrictEqual([steps.length, text], [1, ""])
      const Weather = LlmTool.make("weather", {
        parameters: Schema.Struct({ city: Schema.String }),
        handler: () => Effect.succeed("It rains.")
      })
      const run = await LlmClient.runTools({ model, prompt: question }, [Weather]).pipe(
        Effect.provide(
          LlmClient.layer().pipe(
            Layer.provide(OpenAi.layer({ apiKey: Redacted.make(key), baseUrl: `${simulator.url}/v1` })),
            Layer.provide([LlmCache.layerNone, LlmLogger.layerSilent, FetchHttpClient.layer])
          )
        ),
        Effect.runPromise
      )
      assert.strictEqual(run.steps.length, 2)
      assert.include(run.response.text, "It rains.")
    }))
})
