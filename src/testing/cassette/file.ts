import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "../../internal/schemaIssue.js"
import * as AtomicFile from "../../stores/atomicFile.js"
import * as Format from "./format.js"

/**
 * A cassette file that cannot be read or written, or whose content is not that of a cassette. `problem` names the place
 * in the file, such as `exchanges[0].response.status`.
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

const decodeFile = SchemaIssue.decodeUnknown(Format.File)
const encodeFile = Schema.encode(Format.File)

const isMissing = (error: PlatformError): boolean => error._tag === "SystemError" && error.reason === "NotFound"

/** The reason why a text is not a cassette: the first place that does not fit, or the file as a whole. */
const problemOf = ({ issues }: SchemaIssue.SchemaIssues): string => {
  // A body is one of three kinds: the fields of the other two are missing, too.
  const first = issues.find(({ expected }) => !expected.includes("missing")) ?? issues[0]
  return first === undefined || !first.path.startsWith("exchanges")
    ? "is no cassette of this version"
    : `${first.path}: expected ${first.expected}`
}

/** Reads and writes a cassette. */
export const open = Effect.fnUntraced(function*(file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const files = yield* AtomicFile.make
  const directory = path.dirname(file)
  const name = path.basename(file)
  yield* files.removeAbandoned(directory, (target) => target === name)
  const fail = (problem: string) => new CassetteError({ path: file, problem })

  const read: Effect.Effect<ReadonlyArray<Format.Exchange>, CassetteError> = Effect.gen(function*() {
    const text = yield* fs.readFileString(file).pipe(
      Effect.asSome,
      Effect.catchIf(isMissing, () => Effect.succeedNone),
      Effect.mapError((error) => fail(error.message))
    )
    if (Option.isNone(text)) return []
    const { exchanges } = yield* Effect.mapError(decodeFile(text.value), (issues) => fail(problemOf(issues)))
    return exchanges
  })

  const write = (exchanges: ReadonlyArray<Format.Exchange>): Effect.Effect<void, CassetteError> =>
    Effect.gen(function*() {
      const text = yield* encodeFile({ cassette: Format.version, exchanges })
      yield* fs.makeDirectory(directory, { recursive: true })
      yield* files.write(file, new TextEncoder().encode(`${text}\n`))
    }).pipe(Effect.mapError((error) => fail(error.message)))

  return { read, write }
})
