// In place of declarations: a store of Effect 4 gives `undefined` for what it does not have, and has an error of its own.
import type * as PlatformError from "effect/PlatformError"

/** What is asked of a store: of Effect's, or of the one below. */
interface Store {
  readonly get: (key: string) => Effect.Effect<string | undefined, { readonly message: string }>
  readonly set: (key: string, value: string) => Effect.Effect<void, { readonly message: string }>
  readonly remove: (key: string) => Effect.Effect<void, { readonly message: string }>
}

const make = (store: Store, options: Options): Effect.Effect<LlmCache.Service> =>
  Effect.sync(() => {
    const entries = Entries.make()
    const prefix = options.prefix ?? "effect-llm:"
    const timeToLive = Check.duration("KeyValueCache.timeToLive", options.timeToLive ?? Duration.infinity)

    const orCacheError = (operation: LlmCache.CacheError["operation"]) =>
      Effect.mapError((error: { readonly message: string }) =>
        new LlmCache.CacheError({ operation, problem: error.message })
      )

    const remove: LlmCache.Service["remove"] = (key) => orCacheError("remove")(store.remove(prefix + key))

    const get: LlmCache.Service["get"] = Effect.fnUntraced(function*(key) {
      const text = yield* orCacheError("get")(store.get(prefix + key))
      if (text === undefined) return Option.none()
      const response = entries.read(text, yield* Clock.currentTimeMillis)
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

const isMissing = ({ reason }: PlatformError.PlatformError): boolean => reason._tag === "NotFound"

const makeFileStore = Effect.fnUntraced(function*(directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = yield* AtomicFile.make
  yield* fs.makeDirectory(directory, { recursive: true, mode: 0o700 })
  yield* files.removeAbandoned(directory, isFileName)

  const store: Store = {
    get: (key) =>
      fs.readFileString(path.join(directory, fileName(key))).pipe(
        Effect.catchIf(isMissing, () => Effect.succeed(undefined))
      ),
    set: (key, value) => files.write(path.join(directory, fileName(key)), new TextEncoder().encode(value)),
    remove: (key) => fs.remove(path.join(directory, fileName(key)), { force: true })
  }
  return store
})
