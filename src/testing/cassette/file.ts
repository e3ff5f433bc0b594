import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Format from "./format.js"

/**
 * A file that cannot be read or written, or that is no cassette.
 *
 * @since 0.1.0
 * @category errors
 */
export class CassetteError extends Data.TaggedError("CassetteError")<{
  readonly path: string
  readonly problem: string
}> {
  override get message(): string {
    return `The cassette ${this.path}: ${this.problem}`
  }
}

const decodeFile = Schema.decode(Format.File)
const encodeFile = Schema.encode(Format.File)

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

/** Reads and writes a cassette. */
export const open = Effect.fnUntraced(function*(file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const fail = (problem: string) => new CassetteError({ path: file, problem })

  const read: Effect.Effect<ReadonlyArray<Format.Exchange>, CassetteError> = Effect.gen(function*() {
    const text = yield* fs.readFileString(file).pipe(
      Effect.asSome,
      Effect.catchIf(isMissing, () => Effect.succeedNone),
      Effect.mapError((error) => fail(error.message))
    )
    if (Option.isNone(text)) return []
    const { exchanges } = yield* Effect.mapError(decodeFile(text.value), () => fail("is no cassette of this version"))
    return exchanges
  })

  // A reader sees the old file or the new one, never a part: a rename within a directory is atomic.
  const write = (exchanges: ReadonlyArray<Format.Exchange>): Effect.Effect<void, CassetteError> =>
    Effect.gen(function*() {
      const text = yield* encodeFile({ cassette: Format.version, exchanges })
      const temporary = `${file}.${crypto.randomUUID()}.tmp`
      yield* fs.makeDirectory(path.dirname(file), { recursive: true })
      yield* fs.writeFileString(temporary, `${text}\n`, { flag: "wx", mode: 0o600 }).pipe(
        Effect.zipRight(fs.rename(temporary, file)),
        Effect.onError(() => Effect.ignore(fs.remove(temporary, { force: true })))
      )
    }).pipe(Effect.mapError((error) => fail(error.message)))

  return { read, write }
})
