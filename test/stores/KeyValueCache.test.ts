import * as NodeContext from "@effect/platform-node/NodeContext"
import { type PlatformError, SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import { assert, describe, it } from "@effect/vitest"
import * as KeyValueCache from "effect-llm/KeyValueCache"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmResponse from "effect-llm/LlmResponse"
import * as Message from "effect-llm/Message"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"

const key = "0123456789abcdef".repeat(4)

const respond = (text: string) =>
  LlmResponse.make({
    parts: [
      Message.Reasoning.make({ text: "hm", signature: "c2ln", provider: "anthropic" }),
      Message.Text.make({ text }),
      Message.ToolCall.make({ id: "call_1", name: "f", arguments: { list: [1, null, "ä"] } })
    ],
    finishReason: "tool_calls",
    usage: { inputTokens: 11, cachedInputTokens: 3, outputTokens: 7 },
    model: "claude-haiku-4-5",
    provider: "anthropic",
    requestId: "req_1",
    latency: Duration.millis(1234.5),
    rateLimit: { requests: { limit: 50, resetAfter: Duration.seconds(1) } },
    providerMetadata: { service_tier: "standard" }
  })

const permissionDenied = (method: string) =>
  new SystemError({ module: "KeyValueStore", reason: "PermissionDenied", pathOrDescriptor: "a", method })

/** A plain store whose entries a test can see. */
const memory = () => {
  const entries = new Map<string, string>()
  const store = KeyValueStore.makeStringOnly({
    get: (key) => Effect.sync(() => Option.fromNullable(entries.get(key))),
    set: (key, value) => Effect.sync(() => void entries.set(key, value)),
    remove: (key) => Effect.sync(() => void entries.delete(key)),
    clear: Effect.sync(() => entries.clear()),
    size: Effect.sync(() => entries.size)
  })
  const provide = (options?: KeyValueCache.Options) =>
    Effect.provide(
      KeyValueCache.layer(options).pipe(Layer.provide(Layer.succeed(KeyValueStore.KeyValueStore, store)))
    )
  return { entries, provide }
}

const build = (directory: string, timeToLive?: Duration.DurationInput) =>
  Effect.map(Layer.build(KeyValueCache.layerFile({ directory, timeToLive })), Context.get(LlmCache.LlmCache))

const inDirectory = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const directory = `${yield* fs.makeTempDirectoryScoped()}/nested/answers`
  return { fs, directory, cache: yield* build(directory) }
})

describe("KeyValueCache", () => {
  describe("layer", () => {
    it.effect("gives back what it was given, and nothing for other keys", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        const response = respond("Elbe")
        yield* cache.set("a", response)
        assert.deepStrictEqual(yield* cache.get("a"), Option.some(response))
        assert.deepStrictEqual(yield* cache.get("b"), Option.none())
        yield* cache.remove("a")
        yield* cache.remove("a")
        assert.deepStrictEqual(yield* cache.get("a"), Option.none())
      }).pipe(memory().provide()))

    it.effect("puts its prefix before each key", () => {
      const { entries, provide } = memory()
      return Effect.gen(function*() {
        const set = Effect.flatMap(LlmCache.LlmCache, (cache) => cache.set("a", respond("Elbe")))
        yield* provide()(set)
        yield* provide({ prefix: "mine/" })(set)
        assert.deepStrictEqual([...entries.keys()], ["effect-llm:a", "mine/a"])
      })
    })

    it.effect("forgets an answer when its time is over, and removes the entry", () => {
      const { entries, provide } = memory()
      return Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        yield* cache.set("default", respond("Elbe"))
        yield* cache.set("longer", respond("Oder"), "2 minutes")
        yield* cache.set("forever", respond("Main"), Duration.infinity)
        yield* TestClock.adjust(59_999)
        assert.isTrue(Option.isSome(yield* cache.get("default")))
        yield* TestClock.adjust(1)
        assert.isTrue(Option.isNone(yield* cache.get("default")))
        assert.isFalse(entries.has("effect-llm:default"))
        assert.isTrue(Option.isSome(yield* cache.get("longer")))
        yield* TestClock.adjust("1 minute")
        assert.isTrue(Option.isNone(yield* cache.get("longer")))
        yield* TestClock.adjust("36500 days")
        assert.isTrue(Option.isSome(yield* cache.get("forever")))
      }).pipe(provide({ timeToLive: "1 minute" }))
    })

    it.effect("keeps answers for ever by default", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        yield* cache.set("a", respond("Elbe"))
        yield* TestClock.adjust("36500 days")
        assert.isTrue(Option.isSome(yield* cache.get("a")))
      }).pipe(memory().provide()))

    it.effect("keeps nothing for no time, and drops what it had", () => {
      const { entries, provide } = memory()
      return Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        yield* cache.set("a", respond("Elbe"))
        yield* cache.set("a", respond("Oder"), 0)
        assert.isTrue(Option.isNone(yield* cache.get("a")))
        assert.strictEqual(entries.size, 0)
      }).pipe(provide())
    })

    const response = JSON.parse(JSON.stringify({
      text: "Elbe",
      parts: [],
      finishReason: "stop",
      usage: {},
      model: "m",
      provider: "p",
      origin: "provider",
      attempts: 1,
      latency: 5,
      warnings: []
    }))
    const good = JSON.stringify({ version: 1, response })

    for (
      const [what, text] of [
        ["empty", ""],
        ["half an entry", good.slice(0, -10)],
        ["not JSON", "Elbe"],
        ["JSON of another kind", "[1,2,3]"],
        ["null", "null"],
        ["of another version", JSON.stringify({ version: 2, response })],
        ["without a version", JSON.stringify({ response })],
        ["a bare answer", JSON.stringify(response)],
        ["an answer without its text", JSON.stringify({ version: 1, response: { ...response, text: undefined } })],
        ["an answer of an unknown kind", JSON.stringify({ version: 1, response: { ...response, finishReason: "?" } })],
        ["with an end that is no number", JSON.stringify({ version: 1, expiresAt: "tomorrow", response })]
      ] as const
    ) {
      it.effect(`takes an entry that is ${what} for none, and removes it`, () => {
        const { entries, provide } = memory()
        return Effect.gen(function*() {
          const cache = yield* LlmCache.LlmCache
          entries.set("effect-llm:sound", good).set("effect-llm:a", text)
          assert.isTrue(Option.isSome(yield* cache.get("sound")))
          assert.isTrue(Option.isNone(yield* cache.get("a")))
          assert.deepStrictEqual([...entries.keys()], ["effect-llm:sound"])
        }).pipe(provide())
      })
    }

    it.effect("reports the store's failures as CacheError, but not that of a clean-up", () => {
      const fail = (method: string) => Effect.fail(permissionDenied(method))
      const failing = (get: Effect.Effect<Option.Option<string>, PlatformError>) =>
        Effect.provide(
          KeyValueCache.layer().pipe(Layer.provide(Layer.succeed(
            KeyValueStore.KeyValueStore,
            KeyValueStore.makeStringOnly({
              get: () => get,
              set: () => fail("set"),
              remove: () => fail("remove"),
              clear: Effect.void,
              size: Effect.succeed(0)
            })
          )))
        )
      return Effect.gen(function*() {
        const errors = yield* failing(fail("get"))(Effect.gen(function*() {
          const cache = yield* LlmCache.LlmCache
          return [
            yield* Effect.flip(cache.get("a")),
            yield* Effect.flip(cache.set("a", respond("Elbe"))),
            yield* Effect.flip(cache.remove("a"))
          ]
        }))
        assert.deepStrictEqual(
          errors.map((error) => [error._tag, error.operation]),
          [["CacheError", "get"], ["CacheError", "set"], ["CacheError", "remove"]]
        )
        const found = yield* failing(Effect.succeedSome("garbage"))(
          Effect.flatMap(LlmCache.LlmCache, (cache) => cache.get("a"))
        )
        assert.deepStrictEqual(found, Option.none())
      })
    })

    it.effect("fails, without a word of the answer, where the answer has no JSON", () =>
      Effect.gen(function*() {
        const cache = yield* LlmCache.LlmCache
        const parts = [Message.ToolCall.make({ id: "1", name: "f", arguments: { secret: 1234567890n } })]
        const error = yield* Effect.flip(
          cache.set("a", LlmResponse.make({ parts, finishReason: "tool_calls", model: "m", provider: "p" }))
        )
        assert.strictEqual(error._tag, "CacheError")
        assert.notInclude(error.message + error.stack, "1234567890")
      }).pipe(memory().provide()))

    it.effect("dies when it is built with a time to live that makes no sense", () =>
      Effect.gen(function*() {
        const { provide } = memory()
        const exit = yield* Effect.exit(provide({ timeToLive: -1 })(LlmCache.LlmCache))
        assert.include(String(exit), "KeyValueCache.timeToLive")
        assert.isTrue(Exit.isFailure(exit))
      }))
  })

  describe("layerFile", () => {
    it.layer(NodeContext.layer)((it) => {
      it.scoped("gives back what another process kept", () =>
        Effect.gen(function*() {
          const { cache, directory } = yield* inDirectory
          const response = respond("Elbe\n\u0000\u{1F30A}")
          yield* cache.set(key, response)
          const other = yield* build(directory)
          assert.deepStrictEqual(yield* other.get(key), Option.some(response))
          yield* other.remove(key)
          yield* other.remove(key)
          assert.deepStrictEqual(yield* cache.get(key), Option.none())
        }))

      it.scoped("forgets an answer when its time is over, and deletes the file", () =>
        Effect.gen(function*() {
          const { directory, fs } = yield* inDirectory
          const cache = yield* build(directory, "1 minute")
          yield* cache.set(key, respond("Elbe"))
          yield* TestClock.adjust(59_999)
          assert.isTrue(Option.isSome(yield* cache.get(key)))
          yield* TestClock.adjust(1)
          assert.isTrue(Option.isNone(yield* cache.get(key)))
          assert.deepStrictEqual(yield* fs.readDirectory(directory), [])
        }))

      it.scoped("keeps its files to their owner", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          yield* cache.set(key, respond("Elbe"))
          yield* cache.set(key, respond("Oder"))
          const [file, ...others] = yield* fs.readDirectory(directory)
          assert.deepStrictEqual(others, [])
          assert.strictEqual((yield* fs.stat(directory)).mode & 0o777, 0o700)
          assert.strictEqual((yield* fs.stat(`${directory}/${file}`)).mode & 0o777, 0o600)
        }))

      it.scoped("leaves the mode of a directory that was there before", () =>
        Effect.gen(function*() {
          const fs = yield* FileSystem.FileSystem
          const directory = yield* fs.makeTempDirectoryScoped()
          yield* fs.chmod(directory, 0o755)
          const cache = yield* build(directory)
          yield* cache.set(key, respond("Elbe"))
          assert.strictEqual((yield* fs.stat(directory)).mode & 0o777, 0o755)
        }))

      it.scoped("writes no key into a file", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          yield* cache.set("the prompt as a key", respond("Elbe"))
          const [file] = yield* fs.readDirectory(directory)
          assert.match(file!, /^x[0-9a-f]{64}\.json$/)
          const text = yield* fs.readFileString(`${directory}/${file}`)
          assert.include(text, "Elbe")
          assert.notInclude(text, "the prompt as a key")
        }))

      it.scoped("lets no key out of its directory, and no two keys share a file", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          const keys = [
            "../../escaped",
            "/etc/passwd",
            "a/b",
            "..",
            ".",
            "",
            "a\u0000b",
            "CON",
            "x".repeat(1000),
            key,
            key.toUpperCase(),
            key.slice(1),
            `${key}\n`,
            `x${key}`
          ]
          yield* Effect.forEach(keys, (key) => cache.set(key, respond(`answer to ${key}`)))
          for (const key of keys) {
            const found = yield* cache.get(key)
            assert.strictEqual(Option.getOrThrow(found).text, `answer to ${key}`)
          }
          const files = yield* fs.readDirectory(directory)
          assert.strictEqual(files.length, keys.length)
          assert.isTrue(files.every((file) => /^x?[0-9a-f]{64}\.json$/.test(file)))
          assert.deepStrictEqual(yield* fs.readDirectory(`${directory}/..`), ["answers"])
          assert.strictEqual(new Set(files.map((file) => file.toLowerCase())).size, keys.length)
        }))

      for (const [what, damage] of [["cut short", 40], ["empty", 0]] as const) {
        it.scoped(`takes a file that is ${what} for none, deletes it, and writes it anew`, () =>
          Effect.gen(function*() {
            const { cache, directory, fs } = yield* inDirectory
            yield* cache.set(key, respond("Elbe"))
            yield* fs.truncate(`${directory}/${key}.json`, damage)
            assert.isTrue(Option.isNone(yield* cache.get(key)))
            assert.deepStrictEqual(yield* fs.readDirectory(directory), [])
            yield* cache.set(key, respond("Oder"))
            assert.strictEqual(Option.getOrThrow(yield* cache.get(key)).text, "Oder")
          }))
      }

      it.scoped("shows readers a whole answer at any time while others write the same key", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          const others = yield* Effect.all([build(directory), build(directory)])
          // Long enough that one write is many system calls.
          const texts = ["a", "b"].map((letter) => letter.repeat(1_000_000))
          yield* cache.set(key, respond(texts[0]!))
          const writers = yield* Effect.forkScoped(Effect.forEach(
            others,
            (other, n) => Effect.repeatN(other.set(key, respond(texts[n]!)), 19),
            { concurrency: "unbounded", discard: true }
          ))
          let reads = 0
          while (writers.unsafePoll() === null) {
            const found = yield* cache.get(key)
            assert.include(texts, Option.getOrThrow(found).text)
            reads++
          }
          yield* writers
          assert.isAbove(reads, 10)
          assert.deepStrictEqual(yield* fs.readDirectory(directory), [`${key}.json`])
        }))

      it.scoped("leaves nothing behind when a write fails", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          yield* fs.makeDirectory(`${directory}/${key}.json`)
          const error = yield* Effect.flip(cache.set(key, respond("Elbe")))
          assert.strictEqual(error.operation, "set")
          assert.deepStrictEqual(yield* fs.readDirectory(directory), [`${key}.json`])
        }))

      it.scoped("leaves nothing behind when a write is interrupted", () =>
        Effect.gen(function*() {
          const { directory, fs } = yield* inDirectory
          const written = yield* Deferred.make<ReadonlyArray<string>>()
          const rename = () =>
            Effect.zipRight(Deferred.complete(written, Effect.orDie(fs.readDirectory(directory))), Effect.never)
          const cache = yield* Effect.provideService(build(directory), FileSystem.FileSystem, { ...fs, rename })
          const writing = yield* Effect.fork(cache.set(key, respond("Elbe")))
          assert.strictEqual((yield* Deferred.await(written)).length, 1)
          yield* Fiber.interrupt(writing)
          assert.deepStrictEqual(yield* fs.readDirectory(directory), [])
        }))

      it.scoped("removes the temporary file of a process that was killed, once it is an hour old, and nothing else", () =>
        Effect.gen(function*() {
          const { cache, directory, fs } = yield* inDirectory
          // A process that is killed between its write and its rename never cleans up.
          const atRename = yield* Deferred.make<void>()
          const killed = yield* Effect.provideService(build(directory), FileSystem.FileSystem, {
            ...fs,
            rename: () => Effect.zipRight(Deferred.succeed(atRename, undefined), Effect.never),
            remove: () => Effect.void
          })
          const writing = yield* Effect.fork(killed.set(key, respond("Elbe")))
          yield* Deferred.await(atRename)
          yield* Fiber.interrupt(writing)
          const [abandoned = ""] = yield* fs.readDirectory(directory)
          assert.match(abandoned, /\.tmp$/)

          yield* cache.set(key, respond("Oder"))
          const foreign = [
            "notes.tmp",
            `${key}.json.tmp`,
            abandoned.replace(key, "notes"),
            abandoned.replace(".tmp", ".bak")
          ]
          yield* Effect.forEach(foreign, (name) => fs.writeFileString(`${directory}/${name}`, ""))
          const all = yield* fs.readDirectory(directory)
          const seconds = (yield* Clock.currentTimeMillis) / 1000
          yield* Effect.forEach(all, (name) => fs.utimes(`${directory}/${name}`, seconds, seconds))
          yield* TestClock.adjust(3_599_999)
          yield* build(directory)
          assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), all.toSorted())
          yield* TestClock.adjust(1)
          yield* build(directory)
          assert.deepStrictEqual(
            (yield* fs.readDirectory(directory)).toSorted(),
            [...foreign, `${key}.json`].toSorted()
          )
          assert.strictEqual(Option.getOrThrow(yield* cache.get(key)).text, "Oder")
        }))

      it.scoped("is built although an abandoned file cannot be removed", () =>
        Effect.gen(function*() {
          const { directory, fs } = yield* inDirectory
          const name = `${key}.json.${crypto.randomUUID()}.tmp`
          yield* fs.writeFileString(`${directory}/${name}`, "")
          yield* fs.utimes(`${directory}/${name}`, 0, 0)
          yield* TestClock.adjust("2 hours")
          const remove = () => Effect.fail(permissionDenied("remove"))
          const cache = yield* Effect.provideService(build(directory), FileSystem.FileSystem, { ...fs, remove })
          yield* cache.set(key, respond("Elbe"))
          assert.deepStrictEqual((yield* fs.readDirectory(directory)).toSorted(), [`${key}.json`, name])
        }))

      it.scoped("fails to build where the directory cannot be made", () =>
        Effect.gen(function*() {
          const fs = yield* FileSystem.FileSystem
          const file = yield* fs.makeTempFileScoped()
          const error = yield* Effect.flip(build(`${file}/answers`))
          assert.include(error.message, "FileSystem.makeDirectory")
        }))
    })
  })
})
