import { NodeContext } from "@effect/platform-node"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import { assert, describe, it } from "@effect/vitest"
import { Simulator } from "effect-llm/testing"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { connect, type Socket } from "node:net"
import { decodePlan } from "../../src/testing/simulator/planFile.js"
import * as Program from "../support/program.js"
import { parse, post, requests } from "../support/simulated.js"

/** What a plan does to the first requests of one prompt. */
const met = (plan: unknown, count = 1): ReadonlyArray<Simulator.Fault> => {
  const decoded = Either.getOrThrowWith(decodePlan(JSON.stringify(plan)), (problems) => new Error(problems.join("\n")))
  return Array.from({ length: count }, (_, request) =>
    decoded({
      attempt: request + 1,
      promptIndex: 0,
      promptKey: "key",
      request,
      prompt: {
        protocol: "ollama",
        request: {},
        streaming: true,
        model: "m",
        turns: [],
        text: "",
        tools: [],
        toolChoice: "auto",
        parallelToolCalls: true,
        format: "text",
        stop: [],
        thinks: false,
        choices: 1
      }
    }))
}

const problems = (plan: unknown): ReadonlyArray<string> =>
  Either.getOrThrow(Either.flip(decodePlan(typeof plan === "string" ? plan : JSON.stringify(plan))))

describe("Simulator, as a command", () => {
  describe("a plan in a file", () => {
    const faults: ReadonlyArray<readonly [written: Record<string, unknown>, fault: Simulator.Fault]> = [
      [{ fault: "ok" }, Simulator.ok],
      [{ fault: "halfJson" }, Simulator.halfJson],
      [{ fault: "reset" }, Simulator.reset],
      [{ fault: "silence" }, Simulator.silence],
      [{ fault: "cut" }, Simulator.cut],
      [{ fault: "noTerminalMarker" }, Simulator.noTerminalMarker],
      [{ fault: "doneWithoutFinish" }, Simulator.doneWithoutFinish],
      [{ fault: "duplicateStart" }, Simulator.duplicateStart],
      [{ fault: "crlfLines" }, Simulator.crlfLines],
      [{ fault: "byteByByte" }, Simulator.byteByByte],
      [{ fault: "status", status: 500, body: "oops" }, Simulator.status(500, { body: "oops" })],
      [
        { fault: "status", status: 429, retryAfter: "1 second", retryAfterAs: "date" },
        Simulator.status(429, { retryAfter: Duration.seconds(1), retryAfterAs: "date" })
      ],
      [{ fault: "quota", kind: "credit" }, Simulator.quota("credit")],
      [{ fault: "toolError" }, Simulator.toolError()],
      [{ fault: "toolError", code: "too_many_requests" }, Simulator.toolError("too_many_requests")],
      [{ fault: "html", status: 502 }, Simulator.html(502)],
      [{ fault: "emptyBody" }, Simulator.emptyBody()],
      [{ fault: "redirect", location: "/", status: 302 }, Simulator.redirect("/", 302)],
      [
        { fault: "slowBody", chunkBytes: 9, delay: 20 },
        Simulator.slowBody({ chunkBytes: 9, delay: Duration.millis(20) })
      ],
      [{ fault: "cutStream", afterEvents: 0 }, Simulator.cutStream({ afterEvents: 0 })],
      [{ fault: "endStream", afterBytes: 9 }, Simulator.endStream({ afterBytes: 9 })],
      [{ fault: "keepAlives" }, Simulator.keepAlives()]
    ]
    it("names faults as their constructors are named", () => {
      for (const [written, fault] of faults) {
        assert.deepStrictEqual(met({ plan: "always", fault: written }), [fault])
      }
      for (
        const written of [
          { fault: "stalledBody", afterBytes: 3 },
          { fault: "stalledStream", afterEvents: 3 },
          { fault: "errorEvent", afterEvents: 3, status: 529 }
        ]
      ) {
        const [fault] = met({ plan: "always", fault: written })
        assert.strictEqual(fault?._tag.toLowerCase(), written.fault.toLowerCase())
      }
    })

    it("names plans likewise", () => {
      const list = [{ fault: "reset" }, { fault: "cut" }]
      const tags = (plan: unknown) => met(plan, 3).map(({ _tag }) => _tag)
      assert.deepStrictEqual(tags({ plan: "none" }), ["Ok", "Ok", "Ok"])
      assert.deepStrictEqual(tags({ plan: "sequence", faults: list }), ["Reset", "Cut", "Ok"])
      assert.deepStrictEqual(tags({ plan: "perPrompt", faults: list }), ["Reset", "Ok", "Ok"])
      assert.notInclude(tags({ plan: "random", seed: 1, rate: 1, faults: list }), "Ok")
      assert.deepStrictEqual(tags({ plan: "random", seed: 1, rate: 0, faults: list }), ["Ok", "Ok", "Ok"])
    })

    it("says what is wrong, and where", () => {
      assert.deepStrictEqual(problems("["), ["the file is not JSON"])
      assert.deepStrictEqual(problems({ plan: "always", fault: { fault: "status", status: 99 } }), [
        "fault.status: expected an HTTP status"
      ])
      assert.deepStrictEqual(
        problems({
          plan: "sequence",
          faults: [{ fault: "stalledBody" }, { fault: "keepAlives", every: "soon" }, "reset"]
        }),
        [
          "faults[0].afterBytes: expected a value: it is missing",
          "faults[1].every: expected milliseconds, or a duration such as \"2 seconds\"",
          "faults[2]: expected a fault by its name, such as { \"fault\": \"reset\" }"
        ]
      )
      assert.deepStrictEqual(problems({ plan: "random", seed: 1, rate: 2, faults: [] }), [
        "rate: expected a number from 0 to 1",
        "faults: expected a list of at least one fault"
      ])
      assert.match(problems({ plan: "always", fault: { fault: "rest" } }).join(), /^fault\.fault: expected "ok" \| /)
      assert.match(problems({ plan: "often" }).join(), /^plan: expected "none" \| /)
      assert.match(problems({ plan: "none", faults: [] }).join(), /^faults: expected no such field/)
      const both = { fault: "cutStream", afterEvents: 1, afterBytes: 1 }
      assert.deepStrictEqual(problems({ plan: "always", fault: both }), [
        "fault.afterEvents: expected either this or afterBytes"
      ])
    })
  })

  describe("the process", () => {
    /** A busy machine takes a while to start a process. */
    const patience = 60_000

    const command = (...options: ReadonlyArray<string>) =>
      Program.start(new URL("../../src/testing/simulatorCommand.ts", import.meta.url), options)

    const file = (content: unknown) =>
      Effect.gen(function*() {
        const fs = yield* FileSystem.FileSystem
        const path = yield* fs.makeTempFileScoped({ suffix: ".json" })
        yield* fs.writeFileString(path, JSON.stringify(content))
        return path
      })

    /** What it says first: where it listens. */
    const addressOf = (running: Program.Program) =>
      Effect.map(running.firstLine, (line) => / (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1] ?? "")

    const logOf = (url: string) =>
      HttpClient.get(`${url}/_simulator/log`).pipe(
        Effect.flatMap((response) => response.text),
        Effect.map((text): ReadonlyArray<Simulator.ReceivedRequest> => parse({ text }))
      )

    const connected = (url: string) =>
      Effect.async<Socket>((resume) => {
        const socket = connect(Number(new URL(url).port), "127.0.0.1", () => resume(Effect.succeed(socket)))
      })

    const provided = Effect.provide(Layer.merge(NodeContext.layer, FetchHttpClient.layer))

    it.scopedLive(
      "prints its address, follows its plan, and shows its requests, without keys",
      () =>
        Effect.gen(function*() {
          const plan = yield* file({ plan: "sequence", faults: [{ fault: "status", status: 503 }] })
          const running = yield* command("--port", "0", "--faults", plan)
          const url = yield* addressOf(running)
          const { body, path } = requests("hi")["openai-chat"](false)
          const statuses = yield* Effect.forEach(
            [1, 2],
            () => Effect.map(post(url + path, body, { authorization: "Bearer sk-secret" }), ({ status }) => status)
          )
          assert.deepStrictEqual(statuses, [503, 200])
          const log = yield* logOf(url)
          assert.notInclude(JSON.stringify(log), "sk-secret")
          assert.deepStrictEqual(
            log.map((each) => [each.path, each.outcome, each.fault, each.body]),
            [[path, "faulted", "Status 503", body], [path, "answered", undefined, body]]
          )
          yield* running.kill("SIGINT")
        }).pipe(provided),
      patience
    )

    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      it.scopedLive(`ends well on ${signal}, whatever its clients do`, () =>
        Effect.gen(function*() {
          const plan = yield* file({ plan: "sequence", faults: [{ fault: "ok" }, { fault: "silence" }] })
          const running = yield* command("--port", "0", "--faults", plan)
          const url = yield* addressOf(running)
          const { body, path } = requests("hi")["openai-chat"](false)
          assert.strictEqual((yield* post(url + path, body)).status, 200)
          // One client waits for an answer, and one has a connection and nothing to ask.
          const waiting = yield* Effect.fork(Effect.exit(post(url + path, body)))
          const idle = yield* connected(url)
          yield* logOf(url).pipe(Effect.repeat({ until: (log) => log.length === 2 }))
          yield* running.kill(signal)
          assert.strictEqual(yield* running.exitCode, 0)
          assert.strictEqual((yield* Fiber.join(waiting))._tag, "Failure")
          idle.destroy()
        }).pipe(provided), patience)
    }

    it.scopedLive("says what is wrong with its options", () =>
      Effect.gen(function*() {
        const plan = yield* file({ plan: "often" })
        const wrong = [["--port", "x"], ["--faults", plan]]
        const errors = yield* Effect.forEach(wrong, (options) =>
          Effect.gen(function*() {
            const running = yield* command(...options)
            assert.strictEqual(yield* running.exitCode, 1)
            return yield* running.errors
          }), { concurrency: 2 })
        assert.match(errors[0] ?? "", /^--port: expected a number from 0 to 65535$/m)
        assert.match(errors[1] ?? "", /\.json: plan: expected "none"/)
      }).pipe(provided), patience)
  })
})
