/** The page's script: elements, numbers and names. Texts from outside become text nodes, and never HTML. */
export const format = String.raw`
/** An element with attributes, properties and children: elements or texts. */
const el = (tag, attributes, ...children) => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === false) continue
    element.setAttribute(name, value === true ? "" : String(value))
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== ""))
  return element
}

const byId = (id) => document.getElementById(id)

/** A time in full: whole milliseconds, so that the parts of a call add up to the whole. */
const exactTime = (millis) => {
  const whole = Math.max(0, Math.round(millis))
  return whole < 1000 ? whole + " ms" : String(whole / 1000) + " s"
}

/** A time to be read at a glance. */
const shortTime = (millis) => {
  const whole = Math.max(0, Math.round(millis))
  if (whole < 1000) return whole + " ms"
  if (whole < 60000) return (whole / 1000).toFixed(whole < 10000 ? 2 : 1) + " s"
  return Math.floor(whole / 60000) + " min " + Math.floor((whole % 60000) / 1000) + " s"
}

const numbers = new Intl.NumberFormat("en")

const count = (value) => numbers.format(value)

const money = (cost) =>
  cost === undefined ? "" : cost > 0 && cost < 0.0001 ? "<$0.0001" : "$" + cost.toFixed(4)

const clock = (millis) => new Date(millis).toLocaleTimeString([], { hour12: false })

const things = (amount, one, many) => count(amount) + " " + (amount === 1 ? one : many)

const outcomes = {
  running: { sign: "•", name: "running" },
  ok: { sign: "✓", name: "answered" },
  cached: { sign: "◆", name: "from the cache" },
  shared: { sign: "⇄", name: "shared" },
  failed: { sign: "✗", name: "failed" },
  interrupted: { sign: "–", name: "interrupted" }
}

const kinds = {
  cache: "cache",
  start: "start",
  shared: "shared run",
  queue: "queue",
  backoff: "back-off",
  check: "reading",
  other: "other"
}

/** The name of a part of a call's time. */
const partName = ({ attempt, kind, target }) => {
  if (kind === "attempt") {
    return (attempt === undefined ? "attempts" : "attempt " + attempt) + (target === undefined ? "" : " at " + target)
  }
  return kinds[kind] + (kind === "queue" && target !== undefined ? " of " + target : "")
}

/** The parts of a call's time, including the one under way. */
const partsOf = (call, now) =>
  call.now === undefined
    ? call.segments
    : [...call.segments, { ...call.now, end: Math.max(now, call.now.start), isOpen: true }]

const durationOf = (call, now) => {
  const last = call.segments.at(-1)
  return (call.now === undefined ? last?.end ?? call.start : Math.max(now, call.now.start)) - call.start
}

const tokensOf = ({ inputTokens, outputTokens }) =>
  inputTokens === undefined && outputTokens === undefined
    ? ""
    : (inputTokens === undefined ? "?" : count(inputTokens)) + " → " +
      (outputTokens === undefined ? "?" : count(outputTokens))

/** The bar of a call, in words. */
const described = (call, now) => {
  const parts = partsOf(call, now).map((part) =>
    partName(part) + " " + exactTime(part.end - part.start) +
    (part.failed === undefined ? "" : " (" + part.failed + ")") + (part.isOpen ? " so far" : "")
  )
  const whole = exactTime(durationOf(call, now))
  const ended = call.now === undefined ? "in all " + whole : whole + " so far"
  return parts.length === 0 ? ended : parts.join(", ") + "; " + ended
}
`
