import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { decodeUnknownEither } from "../../internal/schemaIssue.js"
import * as Plans from "./faultPlans.js"
import * as Faults from "./faults.js"

// A plan as JSON: plans and faults have the names of their constructors, and the constructors' options as fields.

const isDuration = (value: unknown): boolean => Option.isSome(Duration.decodeUnknown(value))

const Time = Schema.Union(Schema.NonNegative, Schema.String).pipe(
  Schema.filter(isDuration),
  Schema.annotations({ description: "milliseconds, or a duration such as \"2 seconds\"" })
)

const Count = Schema.Number.pipe(
  Schema.filter((count) => Number.isSafeInteger(count) && count >= 0),
  Schema.annotations({ description: "a whole number that is not negative" })
)

const Status = Schema.Number.pipe(
  Schema.filter((status) => Number.isInteger(status) && status >= 200 && status <= 599),
  Schema.annotations({ description: "an HTTP status" })
)

const simple = {
  ok: Faults.ok,
  halfJson: Faults.halfJson,
  reset: Faults.reset,
  silence: Faults.silence,
  cut: Faults.cut,
  noTerminalMarker: Faults.noTerminalMarker,
  doneWithoutFinish: Faults.doneWithoutFinish,
  duplicateStart: Faults.duplicateStart,
  crlfLines: Faults.crlfLines,
  byteByByte: Faults.byteByByte
}

const bare = <Name extends string>(name: Name) => Schema.Struct({ fault: Schema.Literal(name) })

/** A fault with a place in the stream. */
const placed = <Name extends string>(name: Name) =>
  Schema.Struct({
    fault: Schema.Literal(name),
    afterEvents: Schema.optional(Count),
    afterBytes: Schema.optional(Count)
  }).pipe(
    Schema.filter(({ afterBytes, afterEvents }) =>
      (afterBytes === undefined) === (afterEvents === undefined)
        ? { path: ["afterEvents"], message: "either this or afterBytes" }
        : undefined
    )
  )

// Each member has a different name, so that an error is about the intended one.
const Fault = Schema.Union(
  bare("ok"),
  bare("halfJson"),
  bare("reset"),
  bare("silence"),
  bare("cut"),
  bare("noTerminalMarker"),
  bare("doneWithoutFinish"),
  bare("duplicateStart"),
  bare("crlfLines"),
  bare("byteByByte"),
  placed("cutStream"),
  placed("endStream"),
  Schema.Struct({
    fault: Schema.Literal("status"),
    status: Status,
    retryAfter: Schema.optional(Time),
    retryAfterAs: Schema.optional(Schema.Literal("seconds", "date", "millis")),
    headers: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.String })),
    body: Schema.optional(Schema.Unknown)
  }),
  Schema.Struct({ fault: Schema.Literal("quota"), kind: Schema.Literal("credit", "spendLimit", "usageLimit") }),
  Schema.Struct({ fault: Schema.Literal("html"), status: Status }),
  Schema.Struct({ fault: Schema.Literal("emptyBody"), status: Schema.optional(Status) }),
  Schema.Struct({ fault: Schema.Literal("redirect"), location: Schema.String, status: Schema.optional(Status) }),
  Schema.Struct({ fault: Schema.Literal("slowBody"), chunkBytes: Count, delay: Time }),
  Schema.Struct({ fault: Schema.Literal("stalledBody"), afterBytes: Count }),
  Schema.Struct({ fault: Schema.Literal("errorEvent"), afterEvents: Count, status: Status }),
  Schema.Struct({ fault: Schema.Literal("stalledStream"), afterEvents: Count }),
  Schema.Struct({
    fault: Schema.Literal("keepAlives"),
    afterEvents: Schema.optional(Count),
    every: Schema.optional(Time)
  }),
  Schema.Struct({ fault: Schema.Literal("toolError"), code: Schema.optional(Schema.NonEmptyString) })
).annotations({ description: "a fault by its name, such as { \"fault\": \"reset\" }" })

const FaultList = Schema.NonEmptyArray(Fault).annotations({ description: "a list of at least one fault" })

const Rate = Schema.Number.pipe(
  Schema.filter((rate) => rate >= 0 && rate <= 1),
  Schema.annotations({ description: "a number from 0 to 1" })
)

const Plan = Schema.Union(
  Schema.Struct({ plan: Schema.Literal("none") }),
  Schema.Struct({ plan: Schema.Literal("always"), fault: Fault }),
  Schema.Struct({ plan: Schema.Literal("sequence"), faults: FaultList }),
  Schema.Struct({ plan: Schema.Literal("perPrompt"), faults: FaultList }),
  Schema.Struct({
    plan: Schema.Literal("random"),
    seed: Schema.Union(Schema.String, Schema.Number),
    rate: Rate,
    faults: FaultList
  })
).annotations({ description: "a plan by its name, such as { \"plan\": \"sequence\", \"faults\": [...] }" })

const durationOf = (value: typeof Time.Type): Duration.Duration =>
  Option.getOrElse(Duration.decodeUnknown(value), () => Duration.zero)

const toPlace = ({ afterBytes, afterEvents = 0 }: {
  readonly afterBytes?: number | undefined
  readonly afterEvents?: number | undefined
}): Faults.StreamPlace => afterBytes === undefined ? { afterEvents } : { afterBytes }

const toFault = (given: typeof Fault.Type): Faults.Fault => {
  switch (given.fault) {
    case "status": {
      const { fault: _, retryAfter, status, ...options } = given
      return Faults.status(status, {
        ...options,
        ...(retryAfter !== undefined && { retryAfter: durationOf(retryAfter) })
      })
    }
    case "quota":
      return Faults.quota(given.kind)
    case "html":
      return Faults.html(given.status)
    case "emptyBody":
      return Faults.emptyBody(given.status)
    case "redirect":
      return Faults.redirect(given.location, given.status)
    case "slowBody":
      return Faults.slowBody({ chunkBytes: given.chunkBytes, delay: durationOf(given.delay) })
    case "stalledBody":
      return Faults.stalledBody(given)
    case "cutStream":
      return Faults.cutStream(toPlace(given))
    case "endStream":
      return Faults.endStream(toPlace(given))
    case "errorEvent":
      return Faults.errorEvent(given)
    case "stalledStream":
      return Faults.stalledStream(given)
    case "keepAlives":
      return Faults.keepAlives({
        afterEvents: given.afterEvents,
        every: given.every === undefined ? undefined : durationOf(given.every)
      })
    case "toolError":
      return Faults.toolError(given.code)
    default:
      return simple[given.fault]
  }
}

const toPlan = (given: typeof Plan.Type): Plans.FaultPlan => {
  switch (given.plan) {
    case "none":
      return Plans.none
    case "always":
      return Plans.always(toFault(given.fault))
    case "sequence":
      return Plans.sequence(given.faults.map(toFault))
    case "perPrompt":
      return Plans.perPrompt(given.faults.map(toFault))
    case "random":
      return Plans.random({ seed: given.seed, rate: given.rate, faults: given.faults.map(toFault) })
  }
}

const decode = decodeUnknownEither(Plan, { errors: "all", onExcessProperty: "error" })

/** Reads the text of a plan file. Problems are given with their places: `faults[0].status: expected ...`. */
export const decodePlan = (text: string): Either.Either<Plans.FaultPlan, ReadonlyArray<string>> =>
  Either.try((): unknown => JSON.parse(text)).pipe(
    Either.mapLeft(() => ["the file is not JSON"]),
    Either.flatMap((json) =>
      Either.mapLeft(
        decode(json),
        ({ issues }) => issues.map(({ expected, path }) => `${path === "" ? "the plan" : path}: expected ${expected}`)
      )
    ),
    Either.map(toPlan)
  )
