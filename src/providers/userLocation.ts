import * as Json from "../wire/json.js"

/**
 * The user's approximate location, for a web search.
 *
 * @since 0.1.0
 * @category models
 */
export interface UserLocation {
  /** The city: `Dresden`. */
  readonly city?: string | undefined
  /** The two letters of ISO 3166-1: `DE`. */
  readonly country?: string | undefined
  /** The region or state: `Saxony`. */
  readonly region?: string | undefined
  /** The IANA's name of the time zone: `Europe/Berlin`. */
  readonly timezone?: string | undefined
}

/** A location in the form for the searches of OpenAI and Anthropic. */
export const encode = (location: UserLocation | undefined): Json.JsonObject | undefined =>
  location && Json.defined({ type: "approximate", ...location })
