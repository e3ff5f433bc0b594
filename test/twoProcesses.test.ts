import { assert, describe, it } from "@effect/vitest"
import type * as Message from "effect-llm/Message"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll } from "vitest"
import { over, type Protocol, protocols } from "./support/simulated.js"
import { goOn, type Order, Stored } from "./twoProcesses/conversation.js"

/** Another process, which is slow to start on a busy machine. */
const timeout = 60_000

let other: ChildProcess | undefined

beforeAll(() => {
  other = fork(fileURLToPath(new URL("twoProcesses/other.ts", import.meta.url)), {
    execArgv: ["--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
}, timeout)

afterAll(() => void other?.kill())

/** A conversation of the other process, as JSON. */
const storedBy = (order: Order) =>
  Effect.promise(async (): Promise<string> => {
    assert(other !== undefined)
    const answered = once(other, "message")
    other.send(order)
    const [{ failed, stored }] = await answered
    assert.isUndefined(failed)
    return stored
  })

const kindsOf = (messages: ReadonlyArray<Message.Message>): ReadonlySet<string> =>
  new Set(messages.flatMap(({ content }) => content.map(({ _tag }) => _tag)))

/** What only some protocols have: a sealed thought, the tools of the service with their citations. */
const further: Record<Protocol, ReadonlyArray<string>> = {
  "openai-chat": [],
  "openai-responses": ["Reasoning", "Opaque", "Source"],
  "anthropic-messages": ["Reasoning", "Opaque", "Source"],
  gemini: ["Opaque", "Source"],
  ollama: ["Reasoning"]
}

describe("A conversation with tools, pictures, thoughts and citations", () => {
  for (const protocol of protocols) {
    it.live(
      `goes from one process to another as JSON, and on: ${protocol}`,
      () =>
        over({}, (simulator) =>
          Effect.gen(function*() {
            const order = { protocol, url: simulator.url }
            const stored = yield* storedBy(order)
            const messages = yield* Schema.decode(Stored)(stored)
            assert.strictEqual(yield* Schema.encode(Stored)(messages), stored)

            const kinds = kindsOf(messages)
            for (const kind of ["Text", "Image", "ToolCall", "ToolResult", ...further[protocol]]) {
              assert.isTrue(kinds.has(kind), kind)
            }
            const results = messages.flatMap((message) => message.role === "tool" ? message.content : [])
            assert.deepStrictEqual(results.flatMap(({ parts = [] }) => parts.map(({ _tag }) => _tag)), [
              "Text",
              "Image"
            ])

            const { text } = yield* goOn(order, messages)
            assert.strictEqual(text, "And on.")
            const requests = yield* simulator.requests
            const [theirs, ours] = requests.slice(-2)
            assert.deepStrictEqual(ours?.body, theirs?.body)
            // The service checks that signatures, encrypted thoughts and what it found are unchanged.
            assert.deepStrictEqual(requests.map(({ outcome }) => outcome), Array(5).fill("answered"))
          })),
      timeout
    )
  }
})
