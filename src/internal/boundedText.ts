/** The length up to which an error's text is read, in UTF-16 code units: longer than any service's error. */
export const maxErrorText = 64 * 1024

/** A cut could leave half a key, which would not be recognised as a key. */
const longestKey = 1024

/** The beginning of a text, at most `limit` code units; a cut also drops the last 1,024 of them. */
export const boundedText = (text: string, limit: number = maxErrorText): string =>
  text.length <= limit ? text : text.slice(0, Math.max(0, limit - longestKey))

/** A text of at most `limit` code units. A longer one ends in `…`, never in half a character. */
export const shortened = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, "")}…`

/** Members and elements cost this many code units each, so that a million empty ones are not free. */
const memberCost = 16

const maxDepth = 64

/**
 * The beginning of a parsed JSON value, at most `limit` code units of keys and texts: for values that report an error,
 * before anything looks for its message. A text may take half of the rest, so that a code after a long message is kept.
 * Members and elements beyond the limit are left out.
 */
export const boundedJson = (value: unknown, limit: number = maxErrorText): unknown => {
  let left = limit

  const text = (whole: string): string => {
    const kept = boundedText(whole, left / 2)
    left -= kept.length
    return kept
  }

  const bounded = (value: unknown, depth: number): unknown => {
    if (typeof value === "string") return text(value)
    if (typeof value !== "object" || value === null) return value
    if (depth > maxDepth) return undefined
    if (Array.isArray(value)) {
      const items: Array<unknown> = []
      for (const item of value) {
        left -= memberCost
        if (left <= 0) break
        items.push(bounded(item, depth + 1))
      }
      return items
    }
    const record = value as { readonly [key: string]: unknown }
    const members: Array<readonly [string, unknown]> = []
    for (const key of Object.keys(record)) {
      left -= memberCost + key.length
      if (left <= 0) break
      members.push([key, bounded(record[key], depth + 1)])
    }
    return Object.fromEntries(members)
  }

  return typeof value === "string" ? boundedText(value, limit) : bounded(value, 0)
}
