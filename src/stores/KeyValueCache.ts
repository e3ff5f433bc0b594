/**
 * A cache that outlives the process, over any `KeyValueStore` of `@effect/platform` or a directory of files.
 *
 * An entry is the answer as JSON, with the version of this format and the time when it ends. An entry that is over,
 * damaged, of another version or not an entry at all counts as none, and is removed. The prompt and the API key are
 * never stored: answers lie under the hash that `CacheKey` derives.
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
import * as Schema from "effect/Schema"
import { LlmResponse } from "../domain/LlmResponse.js"
import * as Check from "../internal/check.js"
import * as LlmCache from "../LlmCache.js"

// ---------------------------------------------------------------------------------------------------------------------
// Entries
// ---------------------------------------------------------------------------------------------------------------------

/** Goes up whenever an entry that is kept today could not be read as what it is. */
const version = 1

const Entry = Schema.parseJson(Schema.Struct({
  version: Schema.Literal(version),
  /** Milliseconds since the epoch; absent for an entry without an end. */
  expiresAt: Schema.optional(Schema.Number),
  response: LlmResponse
}))

/** Writes and reads entries. Made for each store, as it compiles the schema, which an import should not. */
const makeCodec = () => {
  const encode = Schema.encode(Entry)
  const decode = Schema.decodeUnknownOption(Entry)
  return {
    encode,
    /** The answer in the text of an entry, unless it is over or not an entry. */
    read: (text: string, now: number): Option.Option<LlmResponse> =>
      Option.filterMap(
        decode(text),
        ({ expiresAt = Infinity, response }) => now < expiresAt ? Option.some(response) : Option.none()
      )
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Over a KeyValueStore
// ---------------------------------------------------------------------------------------------------------------------

/**
 * How answers are kept in a store.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** How long an answer is kept, unless `set` says otherwise. Default: for ever. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** Stands before each key, apart from what else is in the store. Default: "effect-llm:". */
  readonly prefix?: string | undefined
}

type Store = Pick<KeyValueStore.KeyValueStore, "get" | "set" | "remove">

const make = (store: Store, options: Options): Effect.Effect<LlmCache.Service> =>
  Effect.sync(() => {
    const entries = makeCodec()
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
      const entry = yield* entries.encode({ version, ...(Number.isFinite(expiresAt) && { expiresAt }), response }).pipe(
        // The schema's own words would quote the answer.
        Effect.mapError(() =>
          new LlmCache.CacheError({ operation: "set", problem: "the answer cannot be written as JSON" })
        )
      )
      yield* orCacheError("set")(store.set(prefix + key, entry))
    })

    return { get, set, remove }
  })

/**
 * Keeps answers in a `KeyValueStore`: in the browser's `localStorage`, say, or in one of your own.
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

// A key that is not one of ours could name a path, or differ from another in case only. The mark keeps its hash apart
// from the keys that are hashes themselves.
const fileName = (key: string): string => `${fileKey.test(key) ? key : `x${sha256Hex(key)}`}.json`

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

const makeFileStore = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })

  const store: Store = {
    get: (key) =>
      fs.readFileString(path.join(directory, fileName(key))).pipe(
        Effect.asSome,
        Effect.catchIf(isMissing, () => Effect.succeedNone)
      ),
    // A reader sees the old file or the new one, never a part: a rename within a directory is atomic.
    set: (key, value) =>
      Effect.suspend(() => {
        const file = path.join(directory, fileName(key))
        const temporary = `${file}.${crypto.randomUUID()}.tmp`
        const content = typeof value === "string" ? new TextEncoder().encode(value) : value
        return fs.writeFile(temporary, content, { flag: "wx", mode: 0o600 }).pipe(
          Effect.zipRight(fs.rename(temporary, file)),
          Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
        )
      }),
    remove: (key) => fs.remove(path.join(directory, fileName(key)), { force: true })
  }
  return store
})

/**
 * Keeps each answer in a file of its own. Files are written whole or not at all, so that any number of processes may
 * share the directory, and only their owner can read them (mode 0600; the directory, if it has to be made, 0700).
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
  /** Where the files lie. Made if it is not there. */
  readonly directory: string
  /** How long an answer is kept, unless `set` says otherwise. Default: for ever. */
  readonly timeToLive?: Duration.DurationInput | undefined
}): Layer.Layer<LlmCache.LlmCache, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    LlmCache.LlmCache,
    Effect.flatMap(
      makeFileStore(options.directory),
      (store) => make(store, { prefix: "", timeToLive: options.timeToLive })
    )
  )
