import { isRecord } from "effect/Predicate"
import type { Invalid, Json } from "../protocol.js"
import { problem, records } from "../protocol.js"

/** A block that ends a cached prefix, with its place. */
interface Marked {
  readonly path: string
  readonly block: Json
  readonly control: Json
}

const markedIn = (blocks: unknown, path: string): ReadonlyArray<Marked> =>
  records(blocks).flatMap((block, index) =>
    isRecord(block.cache_control) ? [{ path: `${path}.${index}`, block, control: block.cache_control }] : []
  )

/** The blocks that end cached prefixes, in the order in which the service reads them; the request itself comes last. */
const marked = (request: Json): ReadonlyArray<Marked> => [
  ...markedIn(request.tools, "tools"),
  ...markedIn(request.system, "system"),
  ...records(request.messages).flatMap(({ content }, index) => markedIn(content, `messages.${index}.content`)),
  ...markedIn([{ cache_control: request.cache_control }], "request")
]

const most = 4

const lifetimeOf = ({ ttl = "5m" }: Json): unknown => ttl

/** Checks the marks of a request: their form, their number, and that the longer lifetimes come first. */
export const cacheControlProblem = (request: Json): Invalid | undefined => {
  const all = marked(request)
  for (const { block, control, path } of all) {
    if (control.type !== "ephemeral") return problem(`${path}.cache_control.type: Input should be 'ephemeral'`)
    if (!["5m", "1h"].includes(String(lifetimeOf(control)))) {
      return problem(`${path}.cache_control.ephemeral.ttl: Input should be '5m' or '1h'`)
    }
    if (block.type === "thinking" || block.type === "redacted_thinking") {
      return problem(`${path}.${String(block.type)}.cache_control: Extra inputs are not permitted`)
    }
  }
  if (all.length > most) {
    return problem(`A maximum of ${most} blocks with cache_control may be provided. Found ${all.length}.`)
  }
  const late = all.find(({ control }, index) =>
    lifetimeOf(control) === "1h" && all.slice(0, index).some(({ control }) => lifetimeOf(control) === "5m")
  )
  return late === undefined ? undefined : problem(
    `${late.path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. ` +
      "Note that blocks are processed in the following order: `tools`, `system`, `messages`."
  )
}

/** Whether all that a request writes to the cache stays there for an hour. */
export const isKeptForAnHour = (request: Json): boolean => {
  const all = marked(request)
  return all.length > 0 && all.every(({ control }) => lifetimeOf(control) === "1h")
}
