import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

const temporaryName = /^(.+)\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/

/** Far longer than a write takes, and than the difference between the clocks of two machines that share a directory. */
const abandonedAfter = Duration.toMillis("1 hour")

/** Replaces files whole. The temporary files of processes that were killed while they wrote are removed later. */
export interface AtomicFiles {
  /**
   * Replaces a file, which only its owner can read (mode 0600). A reader sees the old file or the new one, never a part:
   * a rename within a directory is atomic.
   */
  readonly write: (file: string, content: Uint8Array) => Effect.Effect<void, PlatformError>
  /**
   * Removes the temporary files of a directory that are older than an hour, if they were to replace a file of ours. It
   * is a clean-up: its own failures are ignored.
   */
  readonly removeAbandoned: (directory: string, isOurs: (fileName: string) => boolean) => Effect.Effect<void>
}

export const make: Effect.Effect<AtomicFiles, never, FileSystem.FileSystem | Path.Path> = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path

  const write: AtomicFiles["write"] = (file, content) =>
    Effect.suspend(() => {
      const temporary = `${file}.${crypto.randomUUID()}.tmp`
      return fs.writeFile(temporary, content, { flag: "wx", mode: 0o600 }).pipe(
        Effect.zipRight(fs.rename(temporary, file)),
        Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
      )
    })

  const removeIfAbandoned = Effect.fnUntraced(function*(file: string) {
    const { mtime } = yield* fs.stat(file)
    const now = yield* Clock.currentTimeMillis
    const isAbandoned = Option.exists(mtime, (modified) => now - modified.getTime() >= abandonedAfter)
    if (isAbandoned) yield* fs.remove(file, { force: true })
  })

  const removeAbandoned: AtomicFiles["removeAbandoned"] = (directory, isOurs) =>
    Effect.ignore(Effect.flatMap(fs.readDirectory(directory), (names) =>
      Effect.forEach(
        names.filter((name) => {
          const target = temporaryName.exec(name)?.[1]
          return target !== undefined && isOurs(target)
        }),
        (name) => Effect.ignore(removeIfAbandoned(path.join(directory, name))),
        { discard: true }
      )))

  return { write, removeAbandoned }
})
