import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Check from "../../internal/check.js"
import * as LlmCache from "../../LlmCache.js"
import * as Entries from "../entries.js"
import { type ConnectionOptions, open } from "./connection.js"
import * as Link from "./link.js"

/**
 * How Redis keeps answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheOptions extends ConnectionOptions {
  /** How long an answer is kept, unless `set` is given another time: by the server's clock. Default: forever. */
  readonly timeToLive?: Duration.DurationInput | undefined
  /** The prefix of each key. Default: "effect-llm:answer:". */
  readonly prefix?: string | undefined
}

/** The longest expiry in Redis: a longer one means forever. In milliseconds. */
const longest = Number.MAX_SAFE_INTEGER / 2

/** Makes a cache in Redis. */
export const make = (options: CacheOptions): Effect.Effect<LlmCache.Service, never, Scope.Scope> =>
  Effect.gen(function*() {
    const timeToLive = Check.duration("timeToLive", options.timeToLive ?? Duration.infinity)
    const prefix = options.prefix ?? "effect-llm:answer:"
    const entries = Entries.make()
    const link = Link.make(yield* open(options))

    const ask = (operation: LlmCache.CacheError["operation"], name: string, ...args: ReadonlyArray<string>) =>
      Effect.mapError(link.command(name, ...args), ({ problem }) => new LlmCache.CacheError({ operation, problem }))

    const remove: LlmCache.Service["remove"] = (key) => Effect.asVoid(ask("remove", "DEL", prefix + key))

    return {
      get: (key) =>
        Effect.flatMap(ask("get", "GET", prefix + key), (text) => {
          if (typeof text !== "string") return Effect.succeedNone
          // The server has dropped expired entries.
          const response = entries.read(text, -Infinity)
          return Option.isSome(response)
            ? Effect.succeed(response)
            : Effect.as(Effect.ignore(remove(key)), Option.none())
        }),
      set: (key, response, ttl) => {
        const millis = Math.ceil(Duration.toMillis(ttl ?? timeToLive))
        if (millis <= 0) return remove(key)
        return Effect.flatMap(entries.write(response), (entry) =>
          Effect.asVoid(
            millis > longest
              ? ask("set", "SET", prefix + key, entry)
              : ask("set", "SET", prefix + key, entry, "PX", String(millis))
          ))
      },
      remove
    }
  })
