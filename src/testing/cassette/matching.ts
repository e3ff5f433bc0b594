import { canonicalJson, NotCanonical } from "../../internal/canonicalJson.js"
import type { Body, Request } from "./format.js"

const canonical = (value: unknown): string => {
  try {
    return canonicalJson(value)
  } catch (thrown) {
    if (thrown instanceof NotCanonical) return JSON.stringify(value)
    throw thrown
  }
}

/** The part of a request that has to be equal: method, host, path, query and canonical body. */
export const keyOf = ({ body, method, url }: Request): string => {
  const { host, pathname, searchParams } = new URL(url)
  const query = [...searchParams].map(([name, value]) => `${name}=${value}`).sort()
  return canonical([method, host, pathname, query, body ?? null])
}

// ---------------------------------------------------------------------------------------------------------------------
// Differences
// ---------------------------------------------------------------------------------------------------------------------

/** Below this depth a value is compared as a whole. */
const maxDepth = 64

/** The leaves of a JSON value, by their paths. */
const leaves = (value: unknown, path: string, out: Map<string, unknown>, depth = 0): Map<string, unknown> => {
  const isLeaf = typeof value !== "object" || value === null || Object.keys(value).length === 0
  if (isLeaf || depth === maxDepth) return out.set(path, value)
  for (const [key, member] of Object.entries(value)) {
    leaves(member, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, out, depth + 1)
  }
  return out
}

const leavesOf = (body: Body | undefined): Map<string, unknown> => {
  if (body === undefined) return new Map()
  if ("json" in body) return leaves(body.json, "body", new Map())
  return new Map([["body", "lines" in body ? body.lines.join("\n") : body.base64]])
}

const show = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing"
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}

/** Long texts are shown from shortly before the first difference. */
const showPair = (recorded: unknown, sent: unknown): string => {
  if (typeof recorded !== "string" || typeof sent !== "string") return `recorded ${show(recorded)}, sent ${show(sent)}`
  let same = 0
  while (same < recorded.length && recorded[same] === sent[same]) same++
  const from = Math.max(0, same - 20)
  const tail = (text: string): string => (from === 0 ? "" : "…") + show(text.slice(from))
  return `recorded ${tail(recorded)}, sent ${tail(sent)}`
}

/** The differences of two requests: a line for each place, with the recorded and the sent value. */
export const differences = (recorded: Request, sent: Request): ReadonlyArray<string> => {
  const [a, b] = [new URL(recorded.url), new URL(sent.url)]
  const fields = [
    ["method", recorded.method, sent.method],
    ["host", a.host, b.host],
    ["path", a.pathname, b.pathname],
    ["query", a.search, b.search]
  ] as const
  const [before, after] = [leavesOf(recorded.body), leavesOf(sent.body)]
  const paths = [...new Set([...before.keys(), ...after.keys()])]
  return [
    ...fields.flatMap(([name, was, is]) => was === is ? [] : [`${name}: ${showPair(was, is)}`]),
    ...paths.flatMap((path) =>
      canonical(before.get(path) ?? null) === canonical(after.get(path) ?? null)
        ? []
        : [`${path}: ${showPair(before.get(path), after.get(path))}`]
    )
  ]
}

/** The recorded request that is most like the sent one, and their differences. */
export const nearest = (
  recorded: ReadonlyArray<Request>,
  sent: Request
): { readonly index: number; readonly differences: ReadonlyArray<string> } | undefined => {
  const ranked = recorded.map((request, index) => {
    const found = differences(request, sent)
    // A request to another endpoint is less alike than one with any other body.
    const elsewhere = found.filter((line) => /^(?:method|host|path):/.test(line)).length
    return { index, differences: found, distance: elsewhere * 1000 + found.length }
  })
  return ranked.sort((a, b) => a.distance - b.distance)[0]
}
