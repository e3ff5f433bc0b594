/**
 * A cache that outlives the process, over any `KeyValueStore` of `@effect/platform` or a directory of files.
 *
 * An entry is the answer as JSON, with the version of this format and the time when it expires. An entry that has
 * expired, is damaged or has another version counts as a miss, and is removed. The prompt and the API key are never
 * stored: answers are filed under the hash that `CacheKey` derives.
 *
 * @since 0.1.0
 */
import { sha256Hex } from "#sha256"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Check from "../internal/check.js"
import * as LlmCache from "../LlmCache.js"
import * as AtomicFile from "./atomicFile.js"
import * as Entries from "./entries.js"

// ---------------------------------------------------------------------------------------------------------------------
// Over a KeyValueStore
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Options for keeping answers in a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How long an answer is kept, unless `set` is given another time. Default: forever. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** The prefix of each key, to keep answers apart from other data in the store. Default: "effect-llm:". */
  readonly prefix?: string | undefined
}

type Store = Pick<KeyValueStore.KeyValueStore, "get" | "set" | "remove">

const make = (store: Store, options: Options): Effect.Effect<LlmCache.Service> =>
  Effect.sync(() => {
    const entries = Entries.make()
    const prefix = options.prefix ?? "effect-llm:"
    const timeToLive = Check.duration("KeyValueCache.timeToLive", options.timeToLive ?? Duration.infinity)

    const orCacheError = (operation: LlmCache.CacheError["operation"]) =>
      Effect.mapError((error: PlatformError) => new LlmCache.CacheError({ operation, problem: error.message }))

    const remove: LlmCache.Service["remove"] = (key) => orCacheError("remove")(store.remove(prefix + key))

    const get: LlmCache.Service["get"] = Effect.fnUntraced(function*(key) {
      const text = yield* orCacheError("get")(store.get(prefix + key))
      if (Option.isNone(text)) return Option.none()
      const response = entries.read(text.value, yield* Clock.currentTimeMillis)
      if (Option.isNone(response)) yield* Effect.ignore(remove(key))
      return response
    })

    const set: LlmCache.Service["set"] = Effect.fnUntraced(function*(key, response, ttl) {
      const now = yield* Clock.currentTimeMillis
      const expiresAt = now + Duration.toMillis(ttl ?? timeToLive)
      if (now >= expiresAt) return yield* remove(key)
      const entry = yield* entries.write(response, expiresAt)
      yield* orCacheError("set")(store.set(prefix + key, entry))
    })

    return { get, set, remove }
  })

/**
 * Keeps answers in a `KeyValueStore`: the browser's `localStorage`, for example, or one of your own. A failure of the
 * store is a `CacheError`, which the client counts as a miss. An invalid time to live is a defect.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { KeyValueStore } from "@effect/platform"
 * import { Layer } from "effect"
 * import { KeyValueCache } from "effect-llm"
 *
 * const cache = KeyValueCache.layer({ timeToLive: "7 days" }).pipe(
 *   Layer.provide(KeyValueStore.layerStorage(() => globalThis.localStorage))
 * )
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<LlmCache.LlmCache, never, KeyValueStore.KeyValueStore> =>
  Layer.effect(LlmCache.LlmCache, Effect.flatMap(KeyValueStore.KeyValueStore, (store) => make(store, options)))

// ---------------------------------------------------------------------------------------------------------------------
// In a directory
// ---------------------------------------------------------------------------------------------------------------------

const fileKey = /^[0-9a-f]{64}$/

// A foreign key could name a path, or differ from another only in case, so its hash names the file. The "x" keeps that
// apart from keys that are hashes themselves.
const fileName = (key: string): string => `${fileKey.test(key) ? key : `x${sha256Hex(key)}`}.json`

const isFileName = (name: string): boolean => /^x?[0-9a-f]{64}\.json$/.test(name)

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

const makeFileStore = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = yield* AtomicFile.make
  yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
  yield* files.removeAbandoned(directory, isFileName)

  const store: Store = {
    get: (key) =>
      fs.readFileString(path.join(directory, fileName(key))).pipe(
        Effect.asSome,
        Effect.catchIf(isMissing, () => Effect.succeedNone)
      ),
    set: (key, value) =>
      files.write(
        path.join(directory, fileName(key)),
        typeof value === "string" ? new TextEncoder().encode(value) : value
      ),
    remove: (key) => fs.remove(path.join(directory, fileName(key)), { force: true })
  }
  return store
})

/**
 * Keeps each answer in one file. Files are written whole or not at all, so any number of processes can share the
 * directory. Only the owner can read them (mode 0600; a new directory: 0700).
 *
 * A process that is killed while it writes leaves a temporary file (`*.tmp`). Building the layer removes those that are
 * older than an hour.
 *
 * Fails if the directory cannot be made.
 *
 * @since 0.1.0
 * @category layers
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { KeyValueCache } from "effect-llm"
 *
 * const cache = KeyValueCache.layerFile({ directory: ".cache/answers", timeToLive: "7 days" }).pipe(
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 */
export const layerFile = (options: {
  /** The directory of the files. It is made if it does not exist. */
  readonly directory: string
  /** How long an answer is kept, unless `set` is given another time. Default: forever. */
  readonly timeToLive?: Duration.DurationInput | undefined
}): Layer.Layer<LlmCache.LlmCache, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    LlmCache.LlmCache,
    Effect.flatMap(
      makeFileStore(options.directory),
      (store) => make(store, { prefix: "", timeToLive: options.timeToLive })
    )
  )
