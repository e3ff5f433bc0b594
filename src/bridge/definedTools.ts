import * as Either from "effect/Either"
import * as LlmError from "../domain/LlmError.js"
import type * as LlmRequest from "../domain/LlmRequest.js"
import * as Providers from "../providers/providerTools.js"
import * as Json from "../wire/json.js"
import * as ProviderTools from "./providerTools.js"

/** A tool that the provider runs, in the words of `@effect/ai`. */
export interface Named {
  /** The provider and the tool. */
  readonly id: `${string}.${string}`
  /** Its name in a toolkit, and in the parts of answers. */
  readonly name: string
  readonly providerName: string
  readonly args: Json.JsonObject
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** The packages name their tools after themselves: `OpenAiWebSearch`, `AnthropicWebSearch`, `GoogleSearch`. */
const toolkitName = (family: string, kind: string): string => {
  const name = ProviderTools.camelCase(`_${kind}`)
  return name.startsWith(family) ? name : `${family}${name}`
}

const withoutField = (fields: Json.JsonObject, names: ReadonlyArray<string>): Json.JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))

const namedIn: { readonly [protocol: string]: (tool: LlmRequest.ProviderTool) => Named } = {
  [ProviderTools.ownProtocol]: ({ name, tool: { args, id, providerName } }) => {
    const [family = "", ...kind] = String(id).split(".")
    return {
      id: `${family}.${kind.join(".")}`,
      name,
      providerName: String(providerName),
      args: Json.object(args)
    }
  },
  openai: ({ tool }) => {
    const type = String(tool.type)
    return {
      id: `openai.${type}`,
      name: toolkitName("OpenAi", type),
      providerName: type,
      args: withoutField(tool, ["type"])
    }
  },
  anthropic: ({ name, tool }) => {
    const kind = name.replace(/^tool_search_tool_/, "tool_search_")
    const version = String(tool.type).slice(name.length)
    return {
      id: `anthropic.${kind}${version}`,
      name: toolkitName("Anthropic", kind),
      providerName: name,
      args: withoutField(tool, ["type", "name"])
    }
  },
  gemini: ({ name, tool }) => {
    const kind = snakeCase(name)
    const fields = Json.object(tool[name])
    return {
      id: `google.${kind}`,
      name: toolkitName("Google", kind),
      providerName: kind,
      args: kind === ProviderTools.retrieval ? Json.object(fields.dynamicRetrievalConfig) : fields
    }
  }
}

/** Fields of a body that the package of OpenAI asks for itself, with these tools. */
const askedAnyway: ReadonlyArray<unknown> = ["web_search_call.action.sources", "code_interpreter_call.outputs"]

const isAskedAnyway = (fields: Json.JsonObject): boolean =>
  Object.entries(fields).every(([name, values]) =>
    name === "include" && Array.isArray(values) && values.every((value) => askedAnyway.includes(value))
  )

/** The part of a tool that a tool of `@effect/ai` has no place for, or that its package would leave out. */
const excess = (tool: LlmRequest.ProviderTool, { args, id }: Named): string | undefined => {
  if (tool.headers !== undefined) return "headers"
  if (tool.fields !== undefined && !(tool.protocol === "openai" && isAskedAnyway(tool.fields))) return "fields"
  // Only one of Google's tools has arguments in its package.
  return tool.protocol === "gemini" && id !== `google.${ProviderTools.retrieval}` ? Object.keys(args)[0] : undefined
}

/** The tools of a request in the words of `@effect/ai`; or the reason why they cannot go to a model of it. */
export const named = (
  request: LlmRequest.LlmRequest,
  protocol: string | undefined
): Either.Either<ReadonlyArray<Named>, LlmError.Reason> =>
  Either.gen(function*() {
    const { providerTools = [], tools = [] } = request
    const foreign = providerTools.filter((tool) => tool.protocol !== ProviderTools.ownProtocol)
    const problem = Providers.problem({ ...request, providerTools: foreign }, protocol ?? ProviderTools.ownProtocol)
    if (problem !== undefined) return yield* Either.left(problem)
    const names = new Set(tools.map(({ name }) => name))
    const all: Array<Named> = []
    for (const tool of providerTools) {
      const each = namedIn[tool.protocol]?.(tool)
      const left = each === undefined ? "protocol" : excess(tool, each)
      if (each === undefined || left !== undefined) {
        return yield* Either.left(LlmError.UnsupportedFeature.make({
          feature: `${left} of the tool ${tool.name}`,
          message: `a tool of @effect/ai has no place for the ${left} of the tool ${tool.name}`
        }))
      }
      if (names.has(each.name)) {
        return yield* Either.left(LlmError.UnsupportedFeature.make({
          feature: `two tools ${each.name}`,
          message: `a toolkit of @effect/ai has one tool ${each.name}`
        }))
      }
      names.add(each.name)
      all.push(each)
    }
    return all
  })

/** The name by which a package knows the tool that the choice of a request names. */
export const choice = (request: LlmRequest.LlmRequest, tools: ReadonlyArray<Named>): string | undefined => {
  const chosen = Providers.chosen(request)
  if (chosen === undefined) return undefined
  // The packages of OpenAI and Anthropic look for the provider's own name.
  return chosen.protocol === ProviderTools.ownProtocol
    ? chosen.name
    : tools[request.providerTools?.indexOf(chosen) ?? -1]?.providerName
}

/** Whether the package for a protocol sends calls and results of the provider's own tools back to it. */
export const takesBack = (protocol: string | undefined): boolean => protocol !== "openai" && protocol !== "gemini"
