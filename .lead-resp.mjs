import { LlmResponse } from "effect-llm"
const f = { parts: [{ _tag: "Text", text: "hello" }], finishReason: "stop", model: "m", provider: "p", usage: { inputTokens: 10, outputTokens: 3 } }
const r = LlmResponse.make(f)
for (const [n, fn] of [["make", () => LlmResponse.make(f)], ["update", () => LlmResponse.update(r, { attempts: 2 })], ["trusted ctor", () => new LlmResponse.LlmResponse({ ...r }, { disableValidation: true })]]) {
  for (let i = 0; i < 20000; i++) fn()
  const a = process.cpuUsage(); for (let i = 0; i < 50000; i++) fn(); const b = process.cpuUsage(a); console.log(n, ((b.user + b.system) / 50000).toFixed(2))
}
import { LlmError } from "effect-llm"
for (const [n, fn] of [["LlmError", () => new LlmError.LlmError({ operation: "call", attempts: 1, provider: "p", model: "m", reason: LlmError.ServerFailed.make({ message: "x" }) })], ["reason", () => LlmError.ServerFailed.make({ message: "x" })]]) {
  for (let i = 0; i < 20000; i++) fn()
  const a = process.cpuUsage(); for (let i = 0; i < 50000; i++) fn(); const b = process.cpuUsage(a); console.log(n, ((b.user + b.system) / 50000).toFixed(2))
}
