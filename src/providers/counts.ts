import * as Json from "../wire/json.js"

/** Counts are cumulative: of two the larger one, as some services repeat them as 0. Of anything else, the later one. */
const larger = (before: unknown, after: unknown): unknown => {
  if (typeof before === "number" && typeof after === "number") return Math.max(before, after)
  return Json.isObject(before) && Json.isObject(after) ? cumulative(before, after) : after
}

/** The usage after an event states it once more; what the event does not state, stays. */
export const cumulative = (before: Json.JsonObject, after: Json.JsonObject): Json.JsonObject => ({
  ...before,
  ...Object.fromEntries(
    Object.entries(Json.present(after)).map(([field, value]) => [field, larger(before[field], value)])
  )
})

/** The usage of two requests for one answer. Of anything but counts, the later one. */
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

/** The tier that a request was served in, unless it was the ordinary one. */
export const servedTier = (value: unknown): string | undefined => ordinary.has(value) ? undefined : Json.name(value)
