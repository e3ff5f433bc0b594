/** The simulator that all runtimes ask: that of the packed library. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime } from "effect"
import { Simulator } from "effect-llm/testing"
import { createServer } from "node:http"

const faults = ({ attempt, prompt: { text } }) => {
  if (text.startsWith("Echo: Silence")) return Simulator.silence
  if (text.startsWith("Echo: Retry") && attempt === 1) return Simulator.status(429, { retryAfter: "1 second" })
  return Simulator.ok
}

/** Starts it on loopback. Gives its address, and a function that stops it. */
export const startSimulator = async () => {
  const runtime = ManagedRuntime.make(
    Simulator.layer({ faults }).pipe(
      Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
    )
  )
  const url = await runtime.runPromise(Effect.map(Simulator.Simulator, (simulator) => simulator.url))
  return { url, stop: () => runtime.dispose() }
}
