import * as Json from "../wire/json.js"

/**
 * Counts are cumulative: the larger of two counts, as some services repeat them as 0. For any other value, the later
 * one.
 */
const larger = (before: unknown, after: unknown): unknown => {
  if (typeof before === "number" && typeof after === "number") return Math.max(before, after)
  return Json.isObject(before) && Json.isObject(after) ? cumulative(before, after) : after
}

/** The usage after another event with counts; counts that the event does not state stay. */
export const cumulative = (before: Json.JsonObject, after: Json.JsonObject): Json.JsonObject => ({
  ...before,
  ...Object.fromEntries(
    Object.entries(Json.present(after)).map(([field, value]) => [field, larger(before[field], value)])
  )
})

/** The usage of two requests for one answer. For values that are not counts, the later one. */
export const sum = (before: Json.JsonObject, after: Json.JsonObject): Json.JsonObject => ({
  ...before,
  ...Object.fromEntries(
    Object.entries(after).map(([field, value]) => {
      const other = before[field]
      return [field, typeof other === "number" && typeof value === "number" ? other + value : value]
    })
  )
})

/** Names of the ordinary tier of service. */
const ordinary: ReadonlySet<unknown> = new Set(["default", "standard", "auto", "on_demand"])

/** The tier that served a request, unless it was the ordinary one. */
export const servedTier = (value: unknown): string | undefined => ordinary.has(value) ? undefined : Json.name(value)
