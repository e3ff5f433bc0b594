/** Before each file of tests: whatever reaches for more than this machine fails, and the keys of who runs it are gone. */
import { Socket } from "node:net"

const local = new Set(["127.0.0.1", "::1", "localhost"])

const connect = Socket.prototype.connect

interface Target {
  readonly host?: string
  readonly path?: string
}

/** The target of a call of `connect`, in whichever of its many forms. */
const targetOf = (args: ReadonlyArray<unknown>): Target => {
  const [first, second] = args
  if (Array.isArray(first)) return targetOf(first)
  if (typeof first === "object" && first !== null) return first
  if (typeof first === "number") return typeof second === "string" ? { host: second } : {}
  return { path: String(first) }
}

Socket.prototype.connect = function(this: Socket, ...args: ReadonlyArray<unknown>): Socket {
  const { host = "localhost", path } = targetOf(args)
  if (path === undefined && !local.has(host)) throw new Error(`These tests use no network: ${host}`)
  return Reflect.apply(connect, this, args)
}

for (const name of Object.keys(process.env)) {
  if (/^(?:OPENAI|ANTHROPIC|GOOGLE|GEMINI|OLLAMA|AI_GATEWAY|OTEL|AI_SDK)_|_proxy$/i.test(name)) delete process.env[name]
}

// The AI SDK prints advice otherwise.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
