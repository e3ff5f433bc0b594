import * as Args from "@effect/cli/Args"
import * as Options from "@effect/cli/Options"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { Defaults } from "./lines.js"
import * as Provider from "./provider.js"

/** The file of requests. */
export const file = Args.text({ name: "requests.jsonl" }).pipe(
  Args.withDescription("The requests: one on each line, as JSON. {\"prompt\": \"...\"}, or messages and settings")
)

/** The provider, and the model of requests that name none. */
export const asking = {
  model: Options.text("model").pipe(
    Options.withDescription("The model of requests that name none"),
    Options.optional
  ),
  provider: Options.choice("provider", Provider.names).pipe(
    Options.withDescription("Who answers (default: by the name of the model, or openai)"),
    Options.optional
  ),
  baseUrl: Options.text("base-url").pipe(
    Options.withDescription("The address of the service, as in the SDKs (default: the provider's own)"),
    Options.optional
  ),
  system: Options.text("system").pipe(
    Options.withDescription("Instructions for requests that have none"),
    Options.optional
  ),
  maxTokens: Options.integer("max-tokens").pipe(
    Options.withDescription("The most tokens of an answer, for requests that do not say"),
    Options.optional
  ),
  temperature: Options.float("temperature").pipe(
    Options.withDescription("The temperature of requests that have none"),
    Options.optional
  ),
  concurrency: Options.integer("concurrency").pipe(
    Options.withDescription("How many requests are under way at a time"),
    Options.withDefault(16)
  )
}

/** The deadline and the budget. */
export const limits = {
  deadline: Options.text("deadline").pipe(
    Options.withDescription(
      "The time within which the results are needed: \"2 days\", \"36 hours\" (default: no deadline)"
    ),
    Options.filterMap(
      (text) => Option.filter(Duration.decodeUnknown(text), Duration.greaterThan(Duration.zero)),
      "--deadline: expected a time, such as \"2 days\" or \"36 hours\""
    ),
    Options.optional
  ),
  budget: Options.float("budget").pipe(
    Options.withDescription("The most that the job may cost, in US dollars (default: any amount)"),
    Options.filterMap(
      (dollars) => dollars >= 0 ? Option.some(dollars) : Option.none(),
      "--budget: expected a number of at least 0"
    ),
    Options.optional
  )
}

/** The settings for requests that have none. */
export const defaultsOf = (
  given: {
    readonly model: Option.Option<string>
    readonly system: Option.Option<string>
    readonly maxTokens: Option.Option<number>
    readonly temperature: Option.Option<number>
  }
): Defaults => ({
  model: Option.getOrUndefined(given.model),
  system: Option.getOrUndefined(given.system),
  maxTokens: Option.getOrUndefined(given.maxTokens),
  temperature: Option.getOrUndefined(given.temperature)
})
