#!/usr/bin/env node
/* eslint-disable no-restricted-imports, no-restricted-globals, no-console -- a command of Node, imported by nothing */
/**
 * The simulator as a command, for clients in any language: `npx effect-llm-simulator --help`.
 *
 * @since 0.1.0
 */
import type * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import * as Simulator from "./Simulator.js"
import type { FaultPlan } from "./simulator/faultPlans.js"
import { decodePlan } from "./simulator/planFile.js"

const help = `Serves a simulated language model over the protocols of OpenAI, Anthropic, Gemini and Ollama.

  effect-llm-simulator [options]

  --port <number>      the port to listen on; 0 for any free one (default: 8080)
  --host <name>        the address to listen on (default: 127.0.0.1)
  --faults <file>      a plan of faults, as JSON (default: none)
  --latency <duration> the wait before an answer, such as "200 millis" (default: none)
  --pace <duration>    the wait before each event of a streamed answer (default: none)
  --batch <duration>   how long a batch takes (default: no time)
  --api-key <key>      the key that requests must have (default: any, or none)
  --help               this text

GET /_simulator/log lists the requests it received, and how each ended.

A plan is one of these. A fault has the name and the options of its constructor in effect-llm/testing/Simulator:

  { "plan": "sequence",  "faults": [{ "fault": "status", "status": 429, "retryAfter": "1 second" }, { "fault": "ok" }] }
  { "plan": "perPrompt", "faults": [{ "fault": "reset" }, { "fault": "cutStream", "afterEvents": 3 }] }
  { "plan": "random",    "faults": [{ "fault": "silence" }], "seed": 1, "rate": 0.1 }
  { "plan": "always",    "fault": { "fault": "quota", "kind": "credit" } }
`

/** A mistake in the command's options. */
class Mistake extends Data.TaggedError("Mistake")<{ readonly message: string }> {}

const mistake = (message: string): Effect.Effect<never, Mistake> => Effect.fail(new Mistake({ message }))

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const readOptions = Effect.try({
  try: () =>
    parseArgs({
      options: {
        "api-key": { type: "string" },
        batch: { type: "string", default: "0 millis" },
        faults: { type: "string" },
        help: { type: "boolean", default: false },
        host: { type: "string", default: "127.0.0.1" },
        latency: { type: "string", default: "0 millis" },
        pace: { type: "string", default: "0 millis" },
        port: { type: "string", default: "8080" }
      }
    }).values,
  catch: (error) => new Mistake({ message: messageOf(error) })
})

const toDuration = (option: string, text: string): Effect.Effect<Duration.Duration, Mistake> =>
  Option.match(Duration.decodeUnknown(text), {
    onNone: () => mistake(`--${option}: expected a duration such as "200 millis"`),
    onSome: Effect.succeed
  })

const toPort = (text: string): Effect.Effect<number, Mistake> =>
  /^\d{1,5}$/.test(text) && Number(text) < 65_536
    ? Effect.succeed(Number(text))
    : mistake("--port: expected a number from 0 to 65535")

const readPlan = (path: string): Effect.Effect<FaultPlan, Mistake> =>
  Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (error) => new Mistake({ message: `--faults: ${messageOf(error)}` })
  }).pipe(
    Effect.flatMap((text) =>
      Either.match(decodePlan(text), {
        onLeft: (problems) => mistake(problems.map((problem) => `${path}: ${problem}`).join("\n")),
        onRight: Effect.succeed
      })
    )
  )

const print = (text: string): Effect.Effect<void> => Effect.sync(() => console.log(text))

const serve = (server: typeof NodeHttpServer) =>
  Effect.gen(function*() {
    const given = yield* readOptions
    if (given.help) return yield* print(help)
    const { "api-key": apiKey, faults, host } = given
    const port = yield* toPort(given.port)
    const SimulatorLive = Simulator.layer({
      apiKey,
      faults: faults === undefined ? undefined : yield* readPlan(faults),
      latency: yield* toDuration("latency", given.latency),
      pace: yield* toDuration("pace", given.pace),
      batch: yield* toDuration("batch", given.batch)
    }).pipe(
      Layer.provide(server.layer(() => createServer(), { host, port }))
    )
    const Announced = Layer.effectDiscard(
      Effect.flatMap(Simulator.Simulator, ({ url }) => print(`The simulator listens on ${url}`))
    )
    return yield* Effect.mapError(
      Layer.launch(Layer.provide(Announced, SimulatorLive)),
      ({ cause }) => new Mistake({ message: `Cannot listen on ${host}:${port}: ${messageOf(cause)}` })
    )
  }).pipe(Effect.tapError(({ message }) => Effect.sync(() => console.error(message))))

const installation = "Install it beside effect-llm:    npm install --save-dev @effect/platform-node@0\n" +
  "Or run both without installing:  npx -p effect-llm -p @effect/platform-node@0 effect-llm-simulator"

// An optional peer of the package: only this command needs it.
Promise.all([import("@effect/platform-node/NodeHttpServer"), import("@effect/platform-node/NodeRuntime")]).then(
  ([server, { runMain }]) =>
    runMain(serve(server), {
      disableErrorReporting: true,
      // A server runs until a signal ends it, which is a good end.
      teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) || Cause.isInterruptedOnly(exit.cause) ? 0 : 1)
    }),
  (error) => {
    console.error(
      `The simulator needs @effect/platform-node, which cannot be loaded: ${messageOf(error)}\n${installation}`
    )
    process.exitCode = 1
  }
)
