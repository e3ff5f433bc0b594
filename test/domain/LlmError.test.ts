import { assert, describe, it } from "@effect/vitest"
import * as LlmError from "effect-llm/LlmError"
import * as Message from "effect-llm/Message"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { format, inspect } from "node:util"
import { failure } from "../support/errors.js"
import { interrupted, samples } from "../support/reasons.js"

/** A console whose every method notes what it would show. */
const consoleTo = (note: (...values: ReadonlyArray<unknown>) => void): Console.Console => {
  const unsafe = new Proxy(console, { get: () => note })
  const effect = (...values: ReadonlyArray<unknown>) => Effect.sync(() => note(...values))
  return new Proxy({} as Console.Console, {
    get: (_, name) => name === "unsafe" ? unsafe : name === Console.TypeId ? Console.TypeId : effect
  })
}

const tags = Object.keys(samples) as ReadonlyArray<LlmError.ReasonTag>

describe("LlmError", () => {
  describe("distinguishes: send it again? ask another provider? is the provider to blame?", () => {
    const yes = true
    const no = false
    const table: { readonly [Tag in LlmError.ReasonTag]: readonly [boolean, boolean, boolean] } = {
      AuthenticationFailed: [no, yes, no],
      PermissionDenied: [no, yes, no],
      QuotaExhausted: [no, yes, no],
      RateLimited: [yes, yes, no],
      Overloaded: [yes, yes, yes],
      InvalidRequest: [no, no, no],
      ContextLengthExceeded: [no, no, no],
      ReasoningRejected: [no, yes, no],
      ModelNotFound: [no, yes, no],
      ContentFiltered: [no, no, no],
      Refused: [no, no, no],
      ServerFailed: [yes, yes, yes],
      TimedOut: [yes, yes, yes],
      NetworkFailed: [yes, yes, yes],
      MalformedResponse: [yes, yes, yes],
      StreamInterrupted: [no, no, yes],
      OutputInvalid: [no, no, no],
      OutputTruncated: [no, no, no],
      ToolArgumentsInvalid: [no, no, no],
      UnsupportedFeature: [no, yes, no],
      BudgetExceeded: [no, no, no],
      CircuitOpen: [no, yes, no],
      AllProvidersFailed: [no, no, no]
    }
    const phases: { readonly [Phase in typeof LlmError.TimedOutPhase.Type]: readonly [boolean, boolean, boolean] } = {
      queue: [no, yes, no],
      attempt: [yes, yes, yes],
      firstPart: [yes, yes, yes],
      idle: [no, no, yes],
      total: [no, no, no]
    }
    const codes: Record<string, readonly [boolean, boolean, boolean]> = {
      ECONNREFUSED: [yes, yes, yes],
      ECONNRESET: [yes, yes, yes],
      EAI_AGAIN: [yes, yes, yes],
      UND_ERR_SOCKET: [yes, yes, yes],
      ENOTFOUND: [no, yes, yes],
      CERT_HAS_EXPIRED: [no, yes, yes],
      DEPTH_ZERO_SELF_SIGNED_CERT: [no, yes, yes],
      SELF_SIGNED_CERT_IN_CHAIN: [no, yes, yes],
      UNABLE_TO_VERIFY_LEAF_SIGNATURE: [no, yes, yes],
      ERR_TLS_CERT_ALTNAME_INVALID: [no, yes, yes]
    }
    const check = (
      reason: LlmError.Reason,
      [isRetryable, canFailOver, countsAgainstBreaker]: readonly [boolean, boolean, boolean]
    ) => assert.deepInclude(verdictOf(failure(reason)), { isRetryable, canFailOver, countsAgainstBreaker })

    const verdictOf = ({ canFailOver, countsAgainstBreaker, isRetryable }: LlmError.LlmError) => ({
      isRetryable,
      canFailOver,
      countsAgainstBreaker
    })

    for (const tag of tags) it(tag, () => check(samples[tag], table[tag]))
    for (const phase of LlmError.TimedOutPhase.literals) {
      it(`TimedOut ${phase}`, () => check(LlmError.TimedOut.make({ phase }), phases[phase]))
    }
    for (const [code, verdict] of Object.entries(codes)) {
      it(`NetworkFailed ${code}`, () => check(LlmError.NetworkFailed.make({ code }), verdict))
    }
    it("NetworkFailed without a code", () => check(LlmError.NetworkFailed.make({}), [yes, yes, yes]))
    it("StreamInterrupted before any part", () => check(interrupted(), [yes, yes, yes]))

    it("and the server's own word on sending it again wins", () => {
      assert.isFalse(failure(samples.ServerFailed, { shouldRetry: false }).isRetryable)
      assert.isTrue(failure(samples.InvalidRequest, { shouldRetry: true }).isRetryable)
      assert.isTrue(failure(samples.ServerFailed, { shouldRetry: false }).canFailOver)
    })
  })

  it("says how long to wait where the provider said so", () => {
    assert.deepStrictEqual(failure(samples.RateLimited).retryAfter, Duration.seconds(7))
    assert.deepStrictEqual(failure(samples.CircuitOpen).retryAfter, Duration.seconds(3))
    assert.isUndefined(failure(samples.Overloaded).retryAfter)
    assert.isUndefined(failure(samples.InvalidRequest).retryAfter)
  })

  it("waits, where several providers failed, for the shortest wait asked for, and not at all where one asks for none", () => {
    const of = (...reasons: ReadonlyArray<LlmError.Reason>) =>
      failure(LlmError.AllProvidersFailed.make({ errors: reasons.map((reason) => failure(reason)) })).retryAfter
    const { AuthenticationFailed, CircuitOpen, Overloaded, RateLimited } = samples
    assert.deepStrictEqual(of(RateLimited, CircuitOpen), Duration.seconds(3))
    assert.deepStrictEqual(of(AuthenticationFailed, RateLimited), Duration.seconds(7))
    assert.isUndefined(of(RateLimited, Overloaded))
    assert.isUndefined(of(AuthenticationFailed))
    assert.isUndefined(of())
  })

  describe("says in its message", () => {
    for (
      const [error, expected] of [
        [failure(samples.Refused), "Refused"],
        [failure(samples.ModelNotFound, { provider: "openai", model: "gpt-9" }), "ModelNotFound from openai/gpt-9"],
        [failure(samples.ModelNotFound, { model: "gpt-9" }), "ModelNotFound from gpt-9"],
        [
          failure(LlmError.RateLimited.make({ retryAfter: Duration.millis(1500), message: "Slow down" }), {
            provider: "openai",
            model: "m",
            status: 429,
            requestId: "req_1",
            attempts: 3,
            gaveUp: "the deadline comes first"
          }),
          "RateLimited from openai/m (status 429, retry after 1s 500ms, request req_1, 3 attempts): Slow down. " +
          "Not retried: the deadline comes first"
        ],
        [failure(LlmError.TimedOut.make({ phase: "idle", limit: Duration.seconds(30) })), "TimedOut (idle 30s)"],
        [failure(LlmError.TimedOut.make({ phase: "total" })), "TimedOut (total)"],
        [failure(LlmError.NetworkFailed.make({ code: "ECONNREFUSED" })), "NetworkFailed (ECONNREFUSED)"],
        [
          failure(LlmError.OutputInvalid.make({
            text: "{}",
            issues: [{ path: "", expected: "an object" }, { path: "a[0]", expected: "a number" }]
          })),
          "OutputInvalid (the answer: an object; a[0]: a number)"
        ],
        [
          failure(LlmError.AllProvidersFailed.make({
            errors: [
              failure(samples.AuthenticationFailed, { provider: "openai" }),
              failure(samples.Overloaded, { provider: "anthropic" })
            ]
          })),
          "AllProvidersFailed (AuthenticationFailed from openai | Overloaded from anthropic)"
        ],
        [
          failure(LlmError.AuthenticationFailed.make({ message: "Incorrect API key: sk-proj-abcdefghijklmnop\n" })),
          "AuthenticationFailed: Incorrect API key: <redacted>"
        ]
      ] as const
    ) {
      it(expected, () => {
        assert.strictEqual(error.message, expected)
        assert.strictEqual(String(error), `LlmError: ${expected}`)
        assert.isTrue(error.stack?.startsWith(`LlmError: ${expected}\n    at `))
      })
    }

    it("at most 500 characters of what the provider said", () => {
      const { message } = failure(LlmError.ServerFailed.make({ message: "word ".repeat(10_000) }))
      assert.isBelow(message.length, 520)
    })
  })

  it("names five places that do not fit, and counts the others", () => {
    const issues = Array.from({ length: 100 }, (_, n) => ({ path: `a[${n}]`, expected: "a number" }))
    const five = "a[0]: a number; a[1]: a number; a[2]: a number; a[3]: a number; a[4]: a number"
    assert.strictEqual(
      failure(LlmError.OutputInvalid.make({ text: "", issues: issues.slice(0, 5) })).message,
      `OutputInvalid (${five})`
    )
    assert.strictEqual(
      failure(LlmError.OutputInvalid.make({ text: "", issues })).message,
      `OutputInvalid (${five}; and 95 more)`
    )
    assert.strictEqual(
      failure(LlmError.ToolArgumentsInvalid.make({ raw: "", issues, omittedIssues: 900 })).message,
      `ToolArgumentsInvalid (${five}; and 995 more)`
    )
  })

  it("prints no control characters, whichever text holds them", () => {
    const hostile = "\u001b[2J\u009b1m\u202e\u0000"
    const texts = {
      message: hostile,
      field: hostile,
      code: hostile,
      feature: hostile,
      scope: hostile,
      name: hostile,
      raw: hostile,
      text: hostile,
      issues: [{ path: hostile, expected: "a number" }]
    }
    for (const sample of Object.values(samples)) {
      const { reason } = failure(sample)
      const error = failure(Object.assign(Object.create(Object.getPrototypeOf(reason)), reason, texts), {
        model: hostile,
        provider: hostile
      })
      for (const printed of [error.message, String(error), JSON.stringify(error.reason), inspect(error.reason)]) {
        assert.notMatch(printed, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
      }
      assert.include(error.message, "\\u001b[2J\\u009b1m\\u202e\\u0000")
    }
  })

  it("is distinguished from everything else", () => {
    assert.isTrue(LlmError.isLlmError(failure(samples.Refused)))
    for (const other of [undefined, null, "LlmError", { _tag: "LlmError" }, new Error("x"), samples.Refused]) {
      assert.isFalse(LlmError.isLlmError(other))
    }
  })

  describe("as a schema", () => {
    const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })
    const text = FastCheck.string({ unit: "grapheme", maxLength: 20 })
    const message = optional(text)
    const duration = FastCheck.nat(10_000_000).map(Duration.millis)
    // JSON has one zero only.
    const json = FastCheck.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value)))
    const part: FastCheck.Arbitrary<Message.ResponsePart> = FastCheck.oneof(
      FastCheck.record({ text, signature: optional(text) }).map((fields) => Message.Text.make(fields)),
      FastCheck.record({
        text: message,
        signature: optional(text),
        encrypted: optional(text),
        provider: optional(text)
      })
        .map((fields) => Message.Reasoning.make(fields)),
      FastCheck.record({ id: text, name: text, arguments: json, incomplete: optional(FastCheck.boolean()) })
        .map((fields) => Message.ToolCall.make(fields)),
      text.map((text) => Message.Refusal.make({ text }))
    )
    const count = optional(FastCheck.nat())
    const plain = FastCheck.record({ message })
    const delayed = FastCheck.record({ message, retryAfter: optional(duration) })

    const reasons: { readonly [Tag in LlmError.ReasonTag]: FastCheck.Arbitrary<Omit<LlmError.ReasonOf<Tag>, "_tag">> } =
      {
        AuthenticationFailed: plain,
        PermissionDenied: plain,
        QuotaExhausted: plain,
        RateLimited: delayed,
        Overloaded: delayed,
        InvalidRequest: FastCheck.record({ message, field: optional(text), code: optional(text) }),
        ContextLengthExceeded: plain,
        ReasoningRejected: plain,
        ModelNotFound: plain,
        ContentFiltered: plain,
        Refused: plain,
        ServerFailed: delayed,
        TimedOut: FastCheck.record({
          message,
          phase: FastCheck.constantFrom(...LlmError.TimedOutPhase.literals),
          limit: optional(duration)
        }),
        NetworkFailed: FastCheck.record({ message, code: optional(text) }),
        MalformedResponse: plain,
        StreamInterrupted: FastCheck.record({
          message,
          partial: FastCheck.record({
            text,
            parts: FastCheck.array(part, { maxLength: 4 }),
            usage: optional(FastCheck.record({
              inputTokens: count,
              cachedInputTokens: count,
              cacheWriteTokens: count,
              outputTokens: count,
              reasoningTokens: count
            }))
          })
        }),
        OutputInvalid: FastCheck.record({
          message,
          text,
          issues: FastCheck.array(FastCheck.record({ path: text, expected: text }), { maxLength: 3 })
        }),
        OutputTruncated: FastCheck.record({ message, text }),
        ToolArgumentsInvalid: FastCheck.record({
          message,
          name: optional(text),
          raw: text,
          issues: optional(FastCheck.array(FastCheck.record({ path: text, expected: text }))),
          available: optional(FastCheck.array(text))
        }),
        UnsupportedFeature: FastCheck.record({ message, feature: text }),
        BudgetExceeded: plain,
        CircuitOpen: FastCheck.record({ message, retryAfter: duration }),
        AllProvidersFailed: FastCheck.record({
          message,
          errors: FastCheck.array(FastCheck.constantFrom(...Object.values(samples)).map((reason) => failure(reason)), {
            maxLength: 3
          })
        })
      }
    const others = FastCheck.record({
      operation: FastCheck.constantFrom(...LlmError.Operation.literals),
      attempts: FastCheck.nat(),
      provider: optional(text),
      model: optional(text),
      requestId: optional(text),
      status: optional(FastCheck.integer({ min: 100, max: 599 })),
      partial: optional(FastCheck.constant({ text: "a", parts: [Message.Text.make({ text: "a" })] })),
      shouldRetry: optional(FastCheck.boolean()),
      gaveUp: optional(text)
    })
    const encode = Schema.encodeSync(LlmError.LlmError)
    const decode = Schema.decodeUnknownSync(LlmError.LlmError)

    for (const tag of tags) {
      it(`stores ${tag} as JSON and gives it back`, () => {
        FastCheck.assert(
          FastCheck.property(reasons[tag], others, (fields, common) => {
            const reason = { _tag: tag, ...fields } as LlmError.Reason
            const error = failure(reason, common)
            const restored = decode(JSON.parse(JSON.stringify(encode(error))))
            assert.isTrue(LlmError.isLlmError(restored))
            // Members that are `undefined` do not come back; that is the only difference.
            for (const [name, value] of Object.entries({ ...common, partial: error.partial, reason })) {
              assert.deepStrictEqual(defined(Reflect.get(restored, name)), defined(value), name)
            }
            assert.strictEqual(restored.message, error.message)
          }),
          { numRuns: 30 }
        )
      })
    }

    const defined = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(defined)
        : LlmError.isLlmError(value)
        ? defined(encode(value))
        : typeof value === "object" && value !== null && !Duration.isDuration(value)
        ? Object.fromEntries(
          Object.entries(value).filter(([, member]) => member !== undefined)
            .map(([key, member]) => [key, defined(member)])
        )
        : value

    it("rejects what is not one", () => {
      for (
        const wrong of [
          {},
          { _tag: "LlmError", operation: "call", attempts: 1, reason: { _tag: "Unheard" } },
          { _tag: "LlmError", operation: "call", attempts: -1, reason: { _tag: "Refused" } },
          { _tag: "LlmError", operation: "sing", attempts: 1, reason: { _tag: "Refused" } },
          { _tag: "Other", operation: "call", attempts: 1, reason: { _tag: "Refused" } }
        ]
      ) {
        assert.isTrue(Exit.isFailure(Effect.runSyncExit(Schema.decodeUnknown(LlmError.LlmError)(wrong))))
      }
    })
  })

  describe("however it is printed, shows no part of an answer:", () => {
    const secret = "the answer's words"
    const carriers: ReadonlyArray<LlmError.Reason> = [
      interrupted({
        text: secret,
        parts: [
          Message.Text.make({ text: secret }),
          Message.Reasoning.make({ text: secret, encrypted: secret }),
          Message.ToolCall.make({ id: "1", name: "f", arguments: { a: secret } }),
          Message.Refusal.make({ text: secret })
        ]
      }),
      LlmError.OutputInvalid.make({ text: secret, issues: [{ path: "a", expected: "a number" }] }),
      LlmError.OutputTruncated.make({ text: secret }),
      LlmError.ToolArgumentsInvalid.make({ name: "f", raw: secret, issues: [{ path: "a", expected: "a number" }] }),
      LlmError.ToolArgumentsInvalid.make({ name: "g", raw: secret, available: ["f"] })
    ]
    const errors = [
      ...carriers.map((reason) => failure(reason, { provider: "p", model: "m" })),
      failure(samples.ServerFailed, {
        partial: { text: secret, parts: [Message.Text.make({ text: secret })], usage: { outputTokens: 3 } }
      }),
      failure(LlmError.AllProvidersFailed.make({
        errors: carriers.map((reason) =>
          failure(LlmError.AllProvidersFailed.make({ errors: [failure(reason)] }), { provider: "p" })
        )
      }))
    ]

    const ways: Record<string, (error: LlmError.LlmError) => string> = {
      String: (error) => `${error}`,
      message: (error) => error.message,
      "its reason alone": (error) => `${inspect(error.reason, { depth: null })} ${JSON.stringify(error.reason)}`,
      "a copy of it": (error) => `${inspect({ ...error }, { depth: null })} ${JSON.stringify({ ...error })}`,
      stack: (error) => error.stack ?? "",
      "JSON.stringify": (error) => JSON.stringify(error),
      "JSON.stringify in a record": (error) => JSON.stringify({ errors: [error] }, null, 2),
      "util.inspect": (error) => inspect(error, { depth: null }),
      "util.inspect with hidden members": (error) => inspect(error, { depth: null, showHidden: true, getters: true }),
      "util.inspect in a record": (error) => inspect({ a: [{ error }] }, { depth: null }),
      "util.inspect as a cause": (error) => inspect(new Error("outer", { cause: error }), { depth: null }),
      "util.format": (error) => format("%s %o %O %j", error, error, error, error),
      "Cause.pretty": (error) => Cause.pretty(Cause.fail(error), { renderErrorCause: true }),
      "a Cause as text and as JSON": (error) => {
        const cause = Cause.parallel(Cause.fail(error), Cause.die(error))
        return `${cause} ${JSON.stringify(cause)} ${inspect(cause, { depth: null })}`
      },
      "an Exit as text and as JSON": (error) => {
        const exit = Exit.fail(error)
        return `${exit} ${JSON.stringify(exit)} ${inspect(exit, { depth: null })}`
      }
    }
    for (const [way, print] of Object.entries(ways)) {
      it(way, () => {
        for (const error of errors) {
          const printed = print(error)
          assert.notInclude(printed, secret)
          assert.include(printed, error.reason._tag)
        }
      })
    }

    const record = () => {
      const lines: Array<string> = []
      const note = (...values: ReadonlyArray<unknown>) => void lines.push(format(...values))
      return { lines, note }
    }
    const loggers: Record<string, (note: (...values: ReadonlyArray<unknown>) => void) => Logger.Logger<unknown, void>> =
      {
        string: (note) => Logger.map(Logger.stringLogger, note),
        logfmt: (note) => Logger.map(Logger.logfmtLogger, note),
        json: (note) => Logger.map(Logger.jsonLogger, note),
        structured: (note) =>
          Logger.map(Logger.structuredLogger, (entry) => note(inspect(entry, { depth: null }), JSON.stringify(entry))),
        pretty: () => Logger.prettyLogger({ mode: "tty", colors: false }),
        "pretty for browsers": () => Logger.prettyLogger({ mode: "browser", colors: false })
      }
    for (const [name, makeLogger] of Object.entries(loggers)) {
      it.effect(`the ${name} logger`, () =>
        Effect.gen(function*() {
          const { lines, note } = record()
          yield* Effect.forEach(errors, (error) =>
            Effect.logError("it failed", error, { error }).pipe(
              Effect.zipRight(Effect.logError(Cause.fail(error))),
              Effect.annotateLogs({ error })
            )).pipe(
              Effect.provide(Logger.replace(Logger.defaultLogger, makeLogger(note))),
              Effect.withConsole(consoleTo(note))
            )
          const printed = lines.join("\n")
          assert.notInclude(printed, secret)
          for (const error of errors) assert.include(printed, error.reason._tag)
        }))
    }
  })

  describe("has the part of the answer that had come", () => {
    const partial = { text: "a", parts: [Message.Text.make({ text: "a" })] }
    const partialOf = (error: LlmError.LlmError): unknown => error.partial && { ...error.partial }

    it("for each reason", () => {
      for (const tag of tags) {
        const error = failure(samples[tag], { partial })
        assert.deepStrictEqual(partialOf(error), partial)
        assert.deepStrictEqual(partialOf(LlmError.update(error, { attempts: 2 })), partial)
        assert.deepInclude(error.toJSON(), { partial: "<1 characters>" })
      }
    })

    it("as the reason of a stream that broke off has it, and nothing where nothing had come", () => {
      const { StreamInterrupted, ...others } = samples
      assert.deepStrictEqual(partialOf(failure(StreamInterrupted)), partial)
      const usage = { inputTokens: 9 }
      assert.deepStrictEqual(partialOf(failure(interrupted({ usage }))), { text: "", parts: [], usage })
      assert.isUndefined(failure(interrupted()).partial)
      for (const reason of Object.values(others)) assert.isUndefined(failure(reason).partial)
    })
  })

  describe("catchReason", () => {
    const limited = failure(samples.RateLimited, { provider: "p" })
    const refused = failure(samples.Refused)
    const other = new Error("not ours")

    it.effect("handles the failures of one reason, data-last and data-first", () =>
      Effect.gen(function*() {
        const handler = (reason: LlmError.ReasonOf<"RateLimited">, error: LlmError.LlmError) =>
          Effect.succeed([reason.retryAfter, error.provider])
        const expected = [Duration.seconds(7), "p"]
        assert.deepStrictEqual(yield* Effect.fail(limited).pipe(LlmError.catchReason("RateLimited", handler)), expected)
        assert.deepStrictEqual(yield* LlmError.catchReason(Effect.fail(limited), "RateLimited", handler), expected)
      }))

    it.effect("lets all others pass: other reasons, other errors, successes, defects and interruptions", () =>
      Effect.gen(function*() {
        const handle = LlmError.catchReason("RateLimited", () => Effect.succeed("handled"))
        assert.strictEqual(yield* Effect.flip(handle(Effect.fail(refused))), refused)
        assert.strictEqual(yield* Effect.flip(handle(Effect.fail(other))), other)
        assert.strictEqual(yield* handle(Effect.succeed("fine")), "fine")
        assert.deepStrictEqual(yield* Effect.exit(handle(Effect.die(limited))), Exit.die(limited))
        assert.isTrue(Exit.isInterrupted(yield* Effect.exit(handle(Effect.interrupt))))
      }))

    it.effect("gives what the handler fails with", () =>
      Effect.gen(function*() {
        const error = yield* Effect.fail(limited).pipe(
          LlmError.catchReason("RateLimited", () => Effect.fail("mine" as const)),
          Effect.flip
        )
        assert.strictEqual(error, "mine")
      }))
  })

  describe("catchReasons", () => {
    const cases = {
      RateLimited: (reason: LlmError.ReasonOf<"RateLimited">) => Effect.succeed(reason.retryAfter),
      Refused: (_: LlmError.ReasonOf<"Refused">, error: LlmError.LlmError) => Effect.fail(error.operation),
      TimedOut: undefined
    }

    it.effect("handles each reason in its own way, data-last and data-first", () =>
      Effect.gen(function*() {
        const limited = Effect.fail(failure(samples.RateLimited))
        assert.deepStrictEqual(yield* limited.pipe(LlmError.catchReasons(cases)), Duration.seconds(7))
        assert.deepStrictEqual(yield* LlmError.catchReasons(limited, cases), Duration.seconds(7))
        const refused = Effect.fail(failure(samples.Refused, { operation: "stream" }))
        assert.strictEqual(yield* Effect.flip(LlmError.catchReasons(refused, cases)), "stream")
      }))

    it.effect("lets all others pass", () =>
      Effect.gen(function*() {
        for (const error of [failure(samples.TimedOut), failure(samples.ServerFailed), new Error("not ours")]) {
          assert.strictEqual(yield* Effect.flip(LlmError.catchReasons(Effect.fail(error), cases)), error)
        }
        assert.strictEqual(yield* LlmError.catchReasons(Effect.succeed("fine"), cases), "fine")
      }))
  })
})
