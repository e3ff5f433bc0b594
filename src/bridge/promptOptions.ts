import type * as Prompt from "@effect/ai/Prompt"
import type * as Message from "../domain/Message.js"
import { CacheLifetime } from "../domain/promptCaching.js"
import * as Json from "../wire/json.js"

// The options of messages and parts are those of the packages of `@effect/ai`, each in its own words. Read is what has a
// meaning for any provider, and the facts about a document.

/** Marks the end of a prefix to cache: `cacheControl` of Anthropic and OpenRouter, `cachePoint` of Bedrock. */
export const cachePoints = (options: Prompt.ProviderOptions): ReadonlyArray<Message.CachePoint> => {
  const controls = Object.values(options).flatMap((fields) => {
    const { cacheControl, cachePoint } = Json.object(fields)
    return Json.isObject(cacheControl) ? [cacheControl] : Json.isObject(cachePoint) ? [cachePoint] : []
  })
  const [control] = controls
  if (control === undefined) return []
  const lifetime = CacheLifetime.literals.find((each) => each === control.ttl)
  return [{ _tag: "CachePoint", ...(lifetime !== undefined && { lifetime }) }]
}

/** How closely a model looks at an image: `imageDetail` of OpenAI. */
export const detailOf = ({ openai }: Prompt.ProviderOptions): Pick<Message.ImageUrl, "detail"> => {
  const { imageDetail } = Json.object(openai)
  return imageDetail === "auto" || imageDetail === "low" || imageDetail === "high" ? { detail: imageDetail } : {}
}

/** The facts about a document that Anthropic takes, as its protocol has them. */
export const documentOf = ({ anthropic }: Prompt.ProviderOptions): Pick<Message.FileUrl, "providerOptions"> => {
  const { citations, documentContext, documentTitle } = Json.object(anthropic)
  const fields = Json.defined({
    title: Json.string(documentTitle),
    context: Json.string(documentContext),
    citations: Json.isObject(citations) ? citations : undefined
  })
  return Object.keys(fields).length === 0 ? {} : { providerOptions: { anthropic: fields } }
}
