/**
 * A job that two processes share over Postgres. One of them is killed in the middle; the other takes its work over. It needs
 * no key: the simulated service of the test kit answers. Without a database it says so, and ends.
 *
 *     DATABASE_URL=postgres://user@127.0.0.1/test npx tsx examples/cluster.ts
 */
import { NodeHttpServer } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Clock, Console, Effect, Layer, Redacted, Schedule, Stream } from "effect"
import * as LlmBatch from "effect-llm/LlmBatch"
import { Simulator } from "effect-llm/testing"
import { fork } from "node:child_process"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"

const databaseUrl = process.env["DATABASE_URL"]

const requests = Array.from({ length: 600 }, (_, i) => ({
  model: "gpt-4o-mini",
  prompt: `Echo: Length of river ${i}?`
}))

const startRunner = (service: string, databaseUrl: string, port: number) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      fork(fileURLToPath(new URL("cluster/runner.ts", import.meta.url)), [service, databaseUrl, String(port)], {
        execArgv: ["--import", "tsx"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const progressed = (id: string, count: number) =>
  LlmBatch.progress(id).pipe(
    Effect.repeat({ until: ({ succeeded }) => succeeded >= count, schedule: Schedule.spaced("50 millis") })
  )

const share = (databaseUrl: string) =>
  Effect.gen(function*() {
    const { requests: received, url } = yield* Simulator.Simulator
    const first = yield* startRunner(url, databaseUrl, 34_501)
    yield* startRunner(url, databaseUrl, 34_502)

    const id = `rivers-${yield* Clock.currentTimeMillis}`
    yield* LlmBatch.submit({ id, requests, chunk: 25 })
    yield* progressed(id, 100)
    first.kill("SIGKILL")
    yield* Console.log(`Killed one of two processes after ${(yield* received).length} requests`)

    yield* progressed(id, requests.length)
    const results = yield* Stream.runCount(LlmBatch.results(id))
    yield* Console.log(
      `${results} results; the service received ${(yield* received).length} requests. Look at the difference:\n` +
        "only requests under way at the kill were sent twice."
    )
  }).pipe(
    Effect.scoped,
    Effect.provide([
      LlmBatch.layerClusterClient().pipe(
        Layer.provide(PgClient.layer({ url: Redacted.make(databaseUrl) }))
      ),
      Simulator.layer({ latency: "200 millis" }).pipe(
        Layer.provide(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
      )
    ])
  )

await Effect.runPromise(
  databaseUrl === undefined || databaseUrl === ""
    ? Console.log("This example needs Postgres: set DATABASE_URL to a database for tests")
    : share(databaseUrl)
)
