import { assert, describe, it } from "@effect/vitest"
import * as CacheKey from "effect-llm/CacheKey"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"
import * as Noble from "../../src/internal/sha256.noble.js"
import * as Node from "../../src/internal/sha256.node.js"

const scope: CacheKey.Scope = { provider: "openai", endpoint: "https://api.openai.com/v1/chat/completions" }

const keyOf = (input: LlmRequest.Input, over: Partial<CacheKey.Scope> = {}) =>
  Effect.map(LlmRequest.decode(input), (request) => CacheKey.make(request, { ...scope, ...over }))

const keysOf = (inputs: ReadonlyArray<LlmRequest.Input>) => Effect.forEach(inputs, (input) => keyOf(input))

const assertDistinct = (keys: ReadonlyArray<string>): void => assert.strictEqual(new Set(keys).size, keys.length)
const assertSame = (keys: ReadonlyArray<string>): void => assert.strictEqual(new Set(keys).size, 1)

const base = { model: "m", prompt: "Name a river." } as const

const tool = { name: "lookup", parameters: { type: "object", properties: {} } } as const

const providerTool = {
  _tag: "ProviderTool",
  protocol: "openai",
  name: "web_search",
  tool: { type: "web_search" }
} as const
/** The settings that cannot change an answer: for each, some values. */
const others: {
  readonly [Name in "serviceTier" | "promptCache"]: ReadonlyArray<LlmRequest.Settings[Name] & {}>
} = {
  serviceTier: ["auto", "standard", "flex", "priority"],
  promptCache: [{}, { lifetime: "5m" }, { lifetime: "1h", key: "k" }, { key: "l" }, { automatic: false }]
}

/**
 * For each setting, values that are all different from each other and from its absence. A new setting does not compile
 * until it is here or there.
 */
const settings: {
  readonly [Name in Exclude<keyof LlmRequest.Settings, "serviceTier">]-?: ReadonlyArray<LlmRequest.Settings[Name] & {}>
} = {
  system: ["Be terse.", "Be terse. ", "be terse."],
  temperature: [0, 0.5, 1],
  maxTokens: [1, 100],
  topP: [0, 0.5, 1],
  topK: [1, 100],
  stop: ["a", ["b"], ["a", "b"], ["b", "a"], ["a,b"], ["ab"], []],
  seed: [0, 1, -1],
  reasoningEffort: ["none", "low", "high"],
  reasoningSummary: ["none", "auto", "detailed"],
  verbosity: ["low", "medium", "high"],
  // Its name stands for a part of the conversation.
  promptCache: [{ content: "cachedContents/a" }, { content: "cachedContents/b" }],
  parallelToolCalls: [true, false],
  tools: [
    [],
    [tool],
    [{ ...tool, name: "Lookup" }],
    [{ ...tool, description: "Looks up." }],
    [{ ...tool, strict: true }],
    [{ ...tool, strict: false }],
    [{ ...tool, parameters: {} }],
    [{ ...tool, providerOptions: { anthropic: { defer_loading: true } } }],
    [tool, { ...tool, name: "other" }],
    [{ ...tool, name: "other" }, tool]
  ],
  providerTools: [
    [],
    [providerTool],
    [{ ...providerTool, protocol: "anthropic" }],
    [{ ...providerTool, name: "search" }],
    [{ ...providerTool, tool: { type: "web_search_preview" } }],
    [{ ...providerTool, fields: { include: ["web_search_call.action.sources"] } }],
    [{ ...providerTool, headers: { "openai-beta": "b" } }],
    [providerTool, providerTool]
  ],
  toolChoice: ["auto", "none"],
  outputFormat: ["json"],
  outputSchema: [
    { name: "answer", schema: {} },
    { name: "answer2", schema: {} },
    { name: "answer", schema: { type: "object" } },
    { name: "answer", schema: {}, description: "d" },
    { name: "answer", schema: {}, strict: true },
    { name: "answer", schema: {}, strict: false }
  ],
  user: ["u1", "u2"],
  providerOptions: [
    {},
    { openai: {} },
    { anthropic: {} },
    { openai: { n: 1 } },
    { openai: { n: "1" } },
    { openai: { n: null } },
    { openai: { n: [1] } },
    { openai: { n: { "0": 1 } } },
    { openai: { a: 1, n: 1 } },
    { openai: {}, anthropic: {} }
  ]
}

const pixel = new Uint8Array([137, 80, 78, 71])

const messages = (...contents: ReadonlyArray<unknown>): LlmRequest.Input => ({
  model: "m",
  messages: contents as ReadonlyArray<never>
})

describe("CacheKey", () => {
  describe("is the same on any day and on any machine", () => {
    for (
      const [what, input, over, expected] of [
        [
          "a prompt",
          { model: "gpt-4o-mini", prompt: "Name three rivers." },
          {},
          "94a042ea268acb83232bc9ad4dc299c14ef6292f49b4d5a03a4fedc46dea4812"
        ],
        [
          "all settings",
          {
            model: "claude-haiku-4-5",
            prompt: "Grüße, 世界 \u{1F30A}",
            system: "Be terse.",
            temperature: 0.7,
            maxTokens: 1024,
            topP: 0.95,
            topK: 40,
            stop: ["END", "\n\n"],
            seed: 42,
            reasoningEffort: "low",
            tools: [{ ...tool, description: "Looks up.", strict: true }],
            toolChoice: { tool: "lookup" },
            outputSchema: { name: "answer", schema: { type: "object" } },
            user: "u1",
            providerOptions: { anthropic: { metadata: { n: 1e21 } } }
          },
          { provider: "anthropic", endpoint: "https://api.anthropic.com/v1/messages", namespace: "tenant-1" },
          "fcb26410802fb62d9e452cc80866f107cad5557b15c024c5e5720921502c8358"
        ],
        [
          "a conversation with tools, an image and reasoning",
          {
            model: "m",
            messages: [
              { role: "system", content: "Be terse." },
              {
                role: "user",
                content: [{ _tag: "Text", text: "What is this?" }, {
                  _tag: "Image",
                  bytes: pixel,
                  mediaType: "image/png"
                }]
              },
              {
                role: "assistant",
                content: [
                  { _tag: "Reasoning", text: "hm", signature: "c2ln", provider: "anthropic" },
                  { _tag: "ToolCall", id: "call_1", name: "lookup", arguments: { q: "png" } }
                ]
              },
              { role: "tool", content: [{ _tag: "ToolResult", id: "call_1", result: { found: true } }] }
            ]
          },
          {},
          "1429e6c09540aa49aa49a0096c9318cb4a6f38d82a1a0445fe32b4176efef67b"
        ],
        [
          "a namespace",
          { model: "gpt-4o-mini", prompt: "Name three rivers." },
          { namespace: "tenant-1" },
          "610a7445f12bb3937a951807b47786bd968b48fb747d934846f11a73f660e978"
        ]
      ] satisfies ReadonlyArray<readonly [string, LlmRequest.Input, Partial<CacheKey.Scope>, string]>
    ) {
      it.effect(`of ${what}`, () => Effect.map(keyOf(input, over), (key) => assert.strictEqual(key, expected)))
    }

    it.effect("and is the SHA-256 of the canonical JSON, written out by hand", () =>
      Effect.map(
        keyOf(
          {
            stop: "END",
            temperature: 0,
            prompt: "Say \"hi\"\n",
            model: "m",
            providerOptions: { openai: { logprobs: true, a: 1.5 } }
          },
          { namespace: "tenant-1" }
        ),
        (key) =>
          assert.strictEqual(
            key,
            createHash("sha256").update(
              String
                .raw`{"endpoint":"https://api.openai.com/v1/chat/completions","namespace":"tenant-1","provider":"openai","request":{"messages":[{"content":[{"_tag":"Text","text":"Say \"hi\"\n"}],"role":"user"}],"model":"m","providerOptions":{"openai":{"a":1.5,"logprobs":true}},"stop":["END"],"temperature":0},"version":1}`,
              "utf8"
            ).digest("hex")
          )
      ))
  })

  describe("changes with every setting", () => {
    for (const [name, values] of Object.entries(settings)) {
      it.effect(name, () =>
        Effect.map(
          keysOf([base, ...values.map((value) => ({ ...base, [name]: value }))]),
          assertDistinct
        ))
    }
  })

  describe("stays the same with what cannot change the answer", () => {
    for (const [name, values] of Object.entries(others)) {
      it.effect(
        name,
        () => Effect.map(keysOf([base, ...values.map((value) => ({ ...base, [name]: value }))]), assertSame)
      )
    }

    it.effect("points up to which a prompt is cached", () =>
      Effect.map(
        keysOf([
          messages({ role: "user", content: [{ _tag: "Text", text: "a" }, { _tag: "Text", text: "b" }] }),
          messages({
            role: "user",
            content: [
              { _tag: "CachePoint" },
              { _tag: "Text", text: "a" },
              { _tag: "CachePoint", lifetime: "1h" },
              { _tag: "Text", text: "b" }
            ]
          })
        ]),
        assertSame
      ))
  })

  it.effect("changes with raw fields of messages and of their parts", () =>
    Effect.map(
      keysOf([
        messages({ role: "user", content: [{ _tag: "Text", text: "a" }] }),
        messages({ role: "user", content: [{ _tag: "Text", text: "a", providerOptions: { openai: { b: 1 } } }] }),
        messages({ role: "user", content: [{ _tag: "Text", text: "a", providerOptions: { openai: { b: 2 } } }] }),
        messages({ role: "user", content: [{ _tag: "Text", text: "a" }], providerOptions: { openai: { b: 1 } } }),
        messages({ role: "user", content: [{ _tag: "Text", text: "a" }], providerOptions: { gemini: { b: 1 } } })
      ]),
      assertDistinct
    ))

  it.effect("changes with the choice of a tool", () =>
    Effect.map(
      keysOf([
        { ...base, tools: [tool] },
        ...(["auto", "required", { tool: "lookup" }] as const).map((toolChoice) => ({
          ...base,
          tools: [tool],
          toolChoice
        }))
      ]),
      assertDistinct
    ))

  it.effect("changes with the model, the provider, the endpoint and the namespace, also in case", () =>
    Effect.map(
      Effect.all([
        keyOf(base),
        keyOf({ ...base, model: "M" }),
        keyOf({ ...base, model: "m2" }),
        keyOf(base, { provider: "azure" }),
        keyOf(base, { endpoint: "https://example.com/v1/chat/completions" }),
        keyOf(base, { namespace: "" }),
        keyOf(base, { namespace: "tenant-1" }),
        keyOf(base, { namespace: "tenant-2" }),
        keyOf(base, { namespace: "Tenant-1" })
      ]),
      assertDistinct
    ))

  it.effect("changes with every part of every message", () => {
    const image = { _tag: "Image", bytes: pixel, mediaType: "image/png" }
    const call = { _tag: "ToolCall", id: "1", name: "f", arguments: { a: 1 } }
    const result = { _tag: "ToolResult", id: "1", result: "42" }
    const reasoning = { _tag: "Reasoning", text: "hm", signature: "s", provider: "p" }
    const user = (...content: ReadonlyArray<unknown>) => messages({ role: "user", content })
    const assistant = (...content: ReadonlyArray<unknown>) => messages({ role: "assistant", content })
    const toolMessage = (...content: ReadonlyArray<unknown>) => messages({ role: "tool", content })
    return Effect.map(
      keysOf([
        base,
        messages({ role: "user", content: "name a river." }),
        messages({ role: "user", content: "Name a river. " }),
        messages({ role: "user", content: "Nam\u0065\u0301" }),
        messages({ role: "user", content: "Nam\u00e9" }),
        messages({ role: "assistant", content: base.prompt }),
        messages({ role: "system", content: base.prompt }),
        messages({ role: "user", content: "a" }, { role: "user", content: "b" }),
        messages({ role: "user", content: "b" }, { role: "user", content: "a" }),
        messages({ role: "user", content: "a\nb" }),
        user({ _tag: "Text", text: "a" }, { _tag: "Text", text: "b" }),
        user({ _tag: "Text", text: "ab" }),
        user({ _tag: "Text", text: "ab", signature: "s" }),
        user(image),
        user({ ...image, bytes: new Uint8Array([137, 80, 78, 72]) }),
        user({ ...image, mediaType: "image/jpeg" }),
        user({ ...image, detail: "high" }),
        user({ ...image, _tag: "File" }),
        user({ ...image, _tag: "File", name: "a.png" }),
        user({ _tag: "Image", url: "https://example.com/a.png" }),
        user({ _tag: "Image", url: "https://example.com/b.png" }),
        user({ _tag: "File", url: "https://example.com/a.png", mediaType: "image/png" }),
        assistant(),
        assistant(call),
        assistant({ ...call, id: "2" }),
        assistant({ ...call, name: "g" }),
        assistant({ ...call, arguments: { a: "1" } }),
        assistant({ ...call, arguments: "{\"a\":1}" }),
        assistant({ ...call, incomplete: true }),
        assistant({ ...call, signature: "s" }),
        assistant({ _tag: "Refusal", text: "no" }),
        assistant({ _tag: "Text", text: "no" }),
        assistant(reasoning),
        assistant({ ...reasoning, text: "hmm" }),
        assistant({ ...reasoning, signature: "t" }),
        assistant({ ...reasoning, provider: "q" }),
        assistant({ ...reasoning, id: "r" }),
        assistant({ ...reasoning, encrypted: "e" }),
        toolMessage({ ...result, parts: [] }),
        toolMessage({ ...result, parts: [image] }),
        toolMessage({ ...result, parts: [image, image] }),
        toolMessage({ ...result, parts: [{ ...image, bytes: new Uint8Array([137, 80, 78, 72]) }] }),
        toolMessage({ ...result, parts: [{ _tag: "Text", text: "b" }, image] }),
        toolMessage({ ...result, parts: [image, { _tag: "Text", text: "b" }] }),
        toolMessage(result),
        toolMessage({ ...result, id: "2" }),
        toolMessage({ ...result, name: "f" }),
        toolMessage({ ...result, result: 42 }),
        toolMessage({ ...result, result: null }),
        toolMessage({ ...result, result: { value: "42" } }),
        toolMessage({ ...result, isError: true })
      ]),
      assertDistinct
    )
  })

  it.effect("differs by sources and opaque blocks of the conversation, which can change the answer", () => {
    const after = (...content: ReadonlyArray<unknown>) =>
      messages({ role: "assistant", content }, { role: "user", content: "And now?" })
    const text = { _tag: "Text", text: "Elbe" }
    const block = { _tag: "Opaque", provider: "openai", kind: "web_search_call", json: { id: "ws_1" } }
    const source = { _tag: "Source", provider: "openai", kind: "url_citation", json: { url: "https://example.com" } }
    return Effect.map(
      keysOf([
        after(text),
        after(block, text),
        after(text, block),
        after({ ...block, json: { id: "ws_2" } }, text),
        after({ ...block, kind: "file_search_call" }, text),
        after({ ...block, provider: "anthropic" }, text),
        after({ ...block, partial: true }, text),
        after(text, source),
        after(text, { ...source, json: {} }),
        after({ ...text, native: { provider: "openai", fields: { a: 1 } } })
      ]),
      assertDistinct
    )
  })

  it.effect("cannot be forged with delimiters", () =>
    Effect.map(
      Effect.all([
        keyOf(base, { provider: "a", namespace: "b" }),
        keyOf(base, { provider: "a\",\"namespace\":\"b" }),
        keyOf(base, { provider: "a:b" }),
        keyOf(base, { provider: "a", endpoint: "b:c" }),
        keyOf(base, { provider: "a:b", endpoint: "c" }),
        keyOf({ model: "m\",\"system\":\"x", prompt: "p" }),
        keyOf({ model: "m", system: "x", prompt: "p" }),
        keyOf({ model: "m", prompt: "a\"}],\"role\":\"user\"},{\"content\":[{\"_tag\":\"Text\",\"text\":\"b" }),
        keyOf(messages({ role: "user", content: "a" }, { role: "user", content: "b" }))
      ]),
      assertDistinct
    ))

  it.effect("does not depend on the order of fields, on undefined fields, or on the way a request is written", () =>
    Effect.gen(function*() {
      const decoded = yield* LlmRequest.decode({
        ...base,
        temperature: 0.5,
        stop: "a",
        providerOptions: { x: { a: 1 } }
      })
      assertSame([
        ...yield* keysOf([
          { model: "m", prompt: base.prompt, temperature: 0.5, stop: "a", providerOptions: { x: { a: 1 } } },
          { providerOptions: { x: { a: 1 } }, stop: ["a"], temperature: 0.5, prompt: base.prompt, model: "m" },
          {
            ...base,
            temperature: 0.5,
            stop: "a",
            system: undefined,
            tools: undefined,
            messages: undefined,
            providerOptions: { x: { b: undefined, a: 1 } }
          },
          {
            model: "m",
            temperature: 0.5,
            stop: "a",
            messages: [{ content: base.prompt, role: "user" }],
            providerOptions: { x: { a: 1 } }
          },
          {
            model: "m",
            temperature: 0.5,
            stop: "a",
            messages: [{ role: "user", content: [{ text: base.prompt, signature: undefined, _tag: "Text" }] }],
            providerOptions: { x: { a: 1 } }
          },
          decoded
        ]),
        CacheKey.make(decoded, { ...scope, namespace: undefined })
      ])
    }))

  it.effect("is the same for bytes and for their base64", () =>
    Effect.gen(function*() {
      const images = [pixel, "iVBORw=="].map((bytes) => ({ _tag: "Image", bytes, mediaType: "image/png" }))
      assertSame(yield* keysOf(images.map((image) => messages({ role: "user", content: [image] }))))
      assertSame(
        yield* keysOf(images.map((image) =>
          messages({ role: "tool", content: [{ _tag: "ToolResult", id: "1", result: "", parts: [image] }] })
        ))
      )
    }))

  it.effect("is the same for -0 and 0, as JSON has only one zero", () =>
    Effect.map(keysOf([{ ...base, temperature: 0 }, { ...base, temperature: -0 }]), assertSame))

  it.effect("is equal for two requests exactly where the requests are equal", () => {
    const setting = FastCheck.record(
      Object.fromEntries(
        Object.entries(settings).map(([name, values]) => [name, FastCheck.constantFrom(...values)])
      ),
      { requiredKeys: [] }
    )
    const input = FastCheck.record({
      model: FastCheck.constantFrom("m", "M"),
      prompt: FastCheck.constantFrom("a", "b", "A"),
      setting
    }).map(({ model, prompt, setting }): LlmRequest.Input => ({ model, prompt, ...setting }))
    // Few fields, so that equal requests come up; two of them, so that different ones do.
    const few = FastCheck.tuple(input, FastCheck.subarray(Object.keys(settings), { maxLength: 2 })).map(
      ([input, kept]): LlmRequest.Input => ({
        model: input.model,
        prompt: "a",
        ...Object.fromEntries(Object.entries(input).filter(([name]) => kept.includes(name)))
      })
    )
    const spread = (input: LlmRequest.Input) =>
      JSON.stringify(Object.entries({ ...input, ...(typeof input.stop === "string" && { stop: [input.stop] }) }).sort())
    return Effect.sync(() =>
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(input, few), FastCheck.oneof(input, few), (a, b) => {
          const [keyOfA, keyOfB] = Effect.runSync(keysOf([a, b]))
          assert.strictEqual(keyOfA === keyOfB, spread(a) === spread(b))
        }),
        { numRuns: 1_000 }
      )
    )
  })

  it.effect("rejects what has no canonical JSON, naming the path and not the value", () =>
    Effect.gen(function*() {
      for (
        const [input, path] of [
          [{ model: "m", prompt: "SECRET \ud800" }, "request.messages[0].content[0].text"],
          [{ ...base, providerOptions: { openai: { SECRET: [NaN] } } }, "request.providerOptions.openai.SECRET[0]"],
          [{ ...base, tools: [{ ...tool, parameters: { f: () => "SECRET" } }] }, "request.tools[0].parameters.f"]
        ] satisfies ReadonlyArray<readonly [LlmRequest.Input, string]>
      ) {
        const request = yield* LlmRequest.decode(input)
        const error = yield* Effect.flip(Effect.try({
          try: () => CacheKey.make(request, scope),
          catch: (error) => error as CacheKey.NotCanonical
        }))
        assert.strictEqual(error._tag, "NotCanonical")
        assert.strictEqual(error.path, path)
        assert.notInclude(error.message.replace(path, ""), "SECRET")
      }
    }))
})

describe("SHA-256", () => {
  it("knows the vectors of FIPS 180-4", () => {
    for (const { sha256Hex } of [Node, Noble]) {
      assert.strictEqual(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
      assert.strictEqual(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      assert.strictEqual(
        sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      )
      assert.strictEqual(
        sha256Hex("a".repeat(1_000_000)),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      )
    }
  })

  it("is the same from node:crypto and from @noble/hashes for any text", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.oneof(FastCheck.string({ unit: "binary", maxLength: 300 }), FastCheck.string({ unit: "grapheme" })),
      (text) => assert.strictEqual(Node.sha256Hex(text), Noble.sha256Hex(text))
    ))
    assert.strictEqual(Node.sha256Hex("\ud800x\udc00"), Noble.sha256Hex("\ud800x\udc00"))
  })
})
