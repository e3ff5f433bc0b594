import { type Reason, UnsupportedFeature } from "../domain/LlmError.js"
import type { LlmRequest } from "../domain/LlmRequest.js"
import * as Json from "../wire/json.js"

/** A tool of another protocol would be refused, or worse, ignored. */
export const problem = ({ providerTools = [] }: LlmRequest, protocol: string): Reason | undefined => {
  const stranger = providerTools.find((tool) => tool.protocol !== protocol)
  return stranger && UnsupportedFeature.make({
    feature: `the tool ${stranger.name} of ${stranger.protocol}`,
    message: `this provider speaks ${protocol}, and runs no tools of ${stranger.protocol}`
  })
}

const joined = (before: unknown, after: unknown): unknown =>
  Array.isArray(before) && Array.isArray(after)
    ? [...before, ...after.filter((item) => typeof item !== "string" || !before.includes(item))]
    : Json.isObject(before) && Json.isObject(after)
    ? { ...before, ...after }
    : after

/** The fields of a wire body that the tools of a request need. */
export const fieldsOf = ({ providerTools = [] }: LlmRequest): Json.JsonObject => {
  const fields: { [field: string]: unknown } = {}
  for (const { fields: others = {}, tool } of providerTools) {
    for (const [field, value] of Object.entries({ ...others, tools: [tool] })) {
      fields[field] = joined(fields[field], value)
    }
  }
  return fields
}

/** The headers that the tools of a request need; of a name that several have, all values. */
export const headersOf = (
  { providerTools = [] }: LlmRequest
): { readonly [name: string]: string } | undefined => {
  const values = new Map<string, Set<string>>()
  for (const { headers = {} } of providerTools) {
    for (const [name, value] of Object.entries(headers)) {
      const key = name.toLowerCase()
      values.set(key, new Set([...values.get(key) ?? [], value]))
    }
  }
  return values.size === 0
    ? undefined
    : Object.fromEntries([...values].map(([name, each]) => [name, [...each].join(",")]))
}
