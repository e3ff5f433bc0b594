import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"

/**
 * Who is measured, in the order of the table. `needs` is what `npm ci` in this folder, or the library's own development,
 * installs.
 */
export const clients = [
  { name: "openai", title: "OpenAI SDK", needs: ["openai"] },
  { name: "anthropic", title: "Anthropic SDK", needs: ["@anthropic-ai/sdk"] },
  { name: "aiSdk", title: "AI SDK", needs: ["ai", "@ai-sdk/openai"] },
  { name: "langchain", title: "LangChain.js", needs: ["@langchain/openai", "@langchain/core"] },
  { name: "effectAi", title: "@effect/ai (undici)", needs: ["@effect/ai", "@effect/ai-openai"] },
  { name: "effectHttp", title: "raw @effect/platform (undici)", needs: ["@effect/experimental"] },
  { name: "effectUndici", title: "undici, Effect.timeout + retry", needs: [] },
  { name: "fetch", title: "raw fetch", needs: [] },
  { name: "effectLlmFetch", title: "effect-llm (fetch)", needs: [], ours: "http" },
  { name: "effectLlmUndici", title: "effect-llm (HttpClient, undici)", needs: [], ours: "http" },
  {
    name: "effectLlmLean",
    title: "effect-llm (UndiciTransport)",
    needs: [],
    built: "../../dist/UndiciTransport.js",
    ours: "lean"
  },
  {
    name: "effectLlm4Fetch",
    title: "effect-llm for Effect 4 (fetch)",
    needs: [],
    edition: "effect4",
    built: "../../editions/effect4/generated/dist/index.js",
    ours: "http"
  },
  {
    name: "effectLlm4Lean",
    title: "effect-llm for Effect 4 (UndiciTransport)",
    needs: [],
    edition: "effect4",
    built: "../../editions/effect4/generated/dist/UndiciTransport.js",
    ours: "lean"
  }
]

/** What all are compared with. */
export const floor = { name: "undici", title: "undici.request", needs: ["undici"] }

const require = createRequire(import.meta.url)

const installed = (name) => require.resolve.paths(name).some((folder) => existsSync(`${folder}/${name}/package.json`))

/** Whether this Node is one for Effect 4. All clients of a run are measured on the same Node. */
const [major, minor] = process.versions.node.split(".").map(Number)
const hasEffect4 = major > 22 || major === 22 && minor >= 19

/** What a client lacks, or undefined. */
export const lacking = ({ built, edition, needs }) => {
  const missing = needs.filter((name) => !installed(name))
  if (missing.length > 0) return `${missing.join(", ")}: run \`npm ci\` in bench/`
  if (edition === "effect4" && !hasEffect4) {
    return "Node 22.19: that of the edition is editions/effect4/node_modules/.bin/node"
  }
  if (built === undefined || existsSync(new URL(built, import.meta.url))) return undefined
  return edition === "effect4" ? "its build: run `npm run edition:4`" : "its build: run `npm run build`"
}

export const fileOf = (client) => fileURLToPath(new URL(`${client.name}.mjs`, import.meta.url))
