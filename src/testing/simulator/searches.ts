import type { Prompt, Search } from "./prompt.js"
import { keywords } from "./summary.js"

/** The name of the tool by which a prompt asks for a search of the web, in any protocol. */
const webSearch = "web_search"

/** What a search of the model's finds: a page for each of the first words of the prompt. */
export const searchesOf = ({ serverTools = [], text, turns }: Prompt): ReadonlyArray<Search> => {
  const isAsked = serverTools.includes(webSearch) && turns.at(-1)?.role === "user" && text.includes(webSearch)
  if (!isAsked) return []
  const words = keywords(text.replaceAll(webSearch, "")).slice(0, 2)
  const pages = words.map((word) => ({ url: `https://example.com/${encodeURIComponent(word)}`, title: `On ${word}` }))
  return [{ query: words.join(" "), pages }]
}
