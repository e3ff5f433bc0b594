import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { CacheKey, LlmCache, LlmClient, LlmLogger, LlmProvider, LlmRequest, LlmResponse } from "effect-llm"
import { createHash } from "node:crypto"
const text1k = "lorem ipsum ".repeat(85)
const answer = LlmResponse.make({ parts: [{ _tag: "Text", text: "hello" }], finishReason: "stop", model: "m", provider: "p", usage: { inputTokens: 10, outputTokens: 3 } })
const provider = LlmProvider.layer({ name: "p", endpoint: "memory:", call: () => Effect.succeed(answer) })
const mk = (cache, logger) => LlmClient.layer().pipe(Layer.provide([provider, cache, logger]))
const counting = () => { let n = 0; return LlmLogger.layerHandler(() => { n++ }) }
const chat = { model: "m", messages: Array.from({ length: 100 }, (_, i) => ({ role: i % 2 ? "assistant" : "user", content: text1k })) }
const cpu = () => { const { user, system } = process.cpuUsage(); return user + system }
const measure = async (name, effect, layer, n = 4000, reps = 3) => {
  const loop = Effect.gen(function*() { for (let i = 0; i < n; i++) yield* effect(i) })
  const loopD = layer ? Effect.gen(function*() {
    const out = []
    yield* loop
    for (let r = 0; r < reps; r++) { const a = cpu(); yield* loop; out.push((cpu() - a) / n) }
    return out }).pipe(Effect.provide(layer)) : Effect.gen(function*() { const out = []; yield* loop; for (let r = 0; r < reps; r++) { const a = cpu(); yield* loop; out.push((cpu() - a) / n) } return out })
  const out = await Effect.runPromise(loopD)
  out.sort((a, b) => a - b)
  console.log(name.padEnd(44), "min", out[0].toFixed(2), "median", out[out.length >> 1].toFixed(2), "us")
}
const only = process.argv[2]
const run = (name, ...rest) => only && !name.includes(only) ? undefined : measure(name, ...rest)
const req = LlmRequest.decode({ model: "m", prompt: text1k })
const r1 = Effect.runSync(req); const r100 = Effect.runSync(LlmRequest.decode(chat))
const scope = { provider: "p", endpoint: "https://x" }
await run("json+sha 1k", () => Effect.sync(() => createHash("sha256").update(JSON.stringify(r1)).digest("hex")))
await run("key 1k", () => Effect.sync(() => CacheKey.make(r1, scope)))
await run("json+sha 100k", () => Effect.sync(() => createHash("sha256").update(JSON.stringify(r100)).digest("hex")), undefined, 500)
await run("key 100k", () => Effect.sync(() => CacheKey.make(r100, scope)), undefined, 500)
await run("decode 1k", () => LlmRequest.decode({ model: "m", prompt: text1k }))
await run("decode 100k", () => LlmRequest.decode(chat), undefined, 500)
await run("timeout+retry only", () => Effect.succeed(1).pipe(Effect.timeout("30 seconds"), Effect.retry(Schedule.recurs(2))))
await run("hit silent", () => LlmClient.call({ model: "m", prompt: text1k }), mk(LlmCache.layerMemory(), LlmLogger.layerSilent))
await run("hit handler", () => LlmClient.call({ model: "m", prompt: text1k }), mk(LlmCache.layerMemory(), counting()))
await run("call nocache silent", () => LlmClient.call({ model: "m", prompt: "hi" }), mk(LlmCache.layerNone, LlmLogger.layerSilent))
await run("call nocache handler", () => LlmClient.call({ model: "m", prompt: "hi" }), mk(LlmCache.layerNone, counting()))
await run("call bypass silent", () => LlmClient.call({ model: "m", prompt: "hi" }, { cache: "bypass" }), mk(LlmCache.layerNone, LlmLogger.layerSilent))
await run("call miss+set", (i) => LlmClient.call({ model: "m", prompt: "hi" + i + "-" + Math.random() }), mk(LlmCache.layerMemory(), LlmLogger.layerSilent))
