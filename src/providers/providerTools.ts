import { type Reason, UnsupportedFeature } from "../domain/LlmError.js"
import type { LlmRequest, ProviderTool } from "../domain/LlmRequest.js"
import * as Json from "../wire/json.js"

/** The provider's tool that the request's choice names. A tool of the program goes before one of the same name. */
export const chosen = (
  { providerTools = [], toolChoice, tools = [] }: Pick<LlmRequest, "providerTools" | "toolChoice" | "tools">
): ProviderTool | undefined => {
  const name = typeof toolChoice === "object" ? toolChoice.tool : undefined
  return tools.some((tool) => tool.name === name) ? undefined : providerTools.find((tool) => tool.name === name)
}

/**
 * The service would refuse, or worse, ignore a tool of another protocol, or a choice that the protocol does not have.
 */
export const problem = (
  request: Pick<LlmRequest, "providerTools" | "toolChoice" | "tools">,
  protocol: string
): Reason | undefined => {
  const stranger = request.providerTools?.find((tool) => tool.protocol !== protocol)
  if (stranger !== undefined) {
    return UnsupportedFeature.make({
      feature: `the tool ${stranger.name} of ${stranger.protocol}`,
      message: `this provider speaks ${protocol}, and runs no tools of ${stranger.protocol}`
    })
  }
  const named = chosen(request)
  return named !== undefined && named.choice === undefined
    ? UnsupportedFeature.make({
      feature: `toolChoice: ${named.name}`,
      message: `${protocol} cannot make the model use this tool of the provider`
    })
    : undefined
}

/** A list with the items of another one after its own. A text that it already has is not repeated. */
export const appended = (list: ReadonlyArray<unknown>, items: ReadonlyArray<unknown>): ReadonlyArray<unknown> => [
  ...list,
  ...items.filter((item) => typeof item !== "string" || !list.includes(item))
]

const joined = (before: unknown, after: unknown): unknown =>
  Array.isArray(before) && Array.isArray(after)
    ? appended(before, after)
    : Json.isObject(before) && Json.isObject(after)
    ? { ...before, ...after }
    : after

/** The fields of a wire body that the tools of a request need. */
export const fieldsOf = ({ providerTools = [] }: Pick<LlmRequest, "providerTools">): Json.JsonObject => {
  const fields: { [field: string]: unknown } = {}
  for (const { fields: others = {}, tool } of providerTools) {
    for (const [field, value] of Object.entries({ ...others, tools: [tool] })) {
      fields[field] = joined(fields[field], value)
    }
  }
  return fields
}

/** The headers that the tools of a request need; for a name that several have, all values. */
export const headersOf = (
  { providerTools = [] }: Pick<LlmRequest, "providerTools">
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
