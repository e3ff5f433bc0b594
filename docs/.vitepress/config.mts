import { existsSync, readdirSync, readFileSync } from "node:fs"
import { defineConfig } from "vitepress"

const guide: ReadonlyArray<readonly [title: string, pages: ReadonlyArray<readonly [text: string, page: string]>]> = [
  ["Ask", [
    ["Getting started", "start"],
    ["Calls", "calls"],
    ["Streams", "streams"],
    ["Values instead of text", "values"],
    ["Tools", "tools"],
    ["Conversations", "conversations"],
    ["Embeddings and counts", "embeddings"]
  ]],
  ["Choose", [
    ["Providers", "providers"],
    ["Settings", "settings"],
    ["Environments", "environments"],
    ["Caching", "caching"]
  ]],
  ["Rely", [
    ["Policies", "policies"],
    ["Rate limits", "limits"],
    ["Costs and budgets", "costs"],
    ["Many processes", "many-processes"],
    ["Durable jobs", "jobs"],
    ["A pipeline", "pipeline"],
    ["Errors", "errors"],
    ["Reliability", "reliability"],
    ["Security", "security"]
  ]],
  ["Watch and test", [
    ["Logs, spans and metrics", "telemetry"],
    ["The inspector", "inspector"],
    ["Testing", "testing"],
    ["Performance", "performance"]
  ]],
  ["Beside other libraries", [
    ["Compared by running", "comparison"],
    ["From llm_client.py", "from-llm-client-py"],
    ["From the AI SDK", "from-ai-sdk"],
    ["With @effect/ai", "effect-ai"],
    ["To Effect 4", "effect-4"]
  ]]
]

const cookbook: ReadonlyArray<readonly [text: string, page: string]> = [
  ["Sorting support tickets", "tickets"],
  ["Questions about a folder", "search"],
  ["An endpoint that streams", "endpoint"],
  ["A nightly job with a budget", "nightly"],
  ["An agent that asks first", "agent"],
  ["Two providers", "failover"],
  ["Limits for each customer", "tenants"],
  ["A chat in the terminal", "chat"],
  ["Specs", "specs"],
  ["Moving to another model", "compare"]
]

const isThere = (page: string): boolean => existsSync(new URL(`../${page}.md`, import.meta.url))

/** Whether a page has sections, for the outline beside it. */
const hasSections = (page: string): boolean =>
  /^## /m.test(readFileSync(new URL(`../${page}`, import.meta.url), "utf8"))

/** The pages that typedoc has written, a module each. */
const reference = (): Array<{ text: string; link: string }> => {
  const folder = new URL("../api/", import.meta.url)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith(".md") && file !== "index.md")
    .map((file) => file.slice(0, -".md".length))
    .map((name) => ({ text: name.replaceAll(".", "/"), link: `/api/${name}` }))
}

export default defineConfig({
  title: "effect-llm",
  description: "The client for language models, for programs written with Effect",
  // Without it, browsers ask for /favicon.ico.
  head: [["link", { rel: "icon", href: "data:," }]],
  // A page without an outline gives its room to the tables.
  transformPageData: ({ frontmatter, relativePath }) => ({
    frontmatter: { ...frontmatter, aside: frontmatter["aside"] ?? hasSections(relativePath) }
  }),
  // The build copies the files of the repository that pages lead to: see build.mjs.
  markdown: {
    config: (markdown) => {
      const open = markdown.renderer.rules.link_open ??
        ((tokens, index, options, _env, self) => self.renderToken(tokens, index, options))
      markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
        const href = tokens[index]?.attrGet("href")
        const path = href?.match(/^(?:\.\.\/)+((?:examples|src|bench|test)\/.*)$/)?.[1]
        if (path !== undefined) {
          tokens[index]?.attrSet("href", `/source/${path}`)
          tokens[index]?.attrSet("target", "_blank")
        }
        return open(tokens, index, options, env, self)
      }
    }
  },
  srcExclude: ["node_modules/**", "public/**"],
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/start" },
      { text: "Cookbook", link: "/cookbook/" },
      { text: "Reference", link: "/api/" }
    ],
    sidebar: {
      "/guide/": guide.map(([text, pages]) => ({
        text,
        items: pages.filter(([, page]) => isThere(`guide/${page}`)).map(([text, page]) => ({
          text,
          link: `/guide/${page}`
        }))
      })),
      "/cookbook/": [{
        text: "Cookbook",
        items: cookbook.map(([text, page]) => ({ text, link: `/cookbook/${page}` }))
      }],
      "/api/": [{ text: "Reference", items: reference() }]
    },
    search: { provider: "local" },
    outline: [2, 3]
  }
})
