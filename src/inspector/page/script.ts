import { callDetail } from "./callDetail.js"
import { format } from "./format.js"
import { policyLines } from "./policyLines.js"
import { rows } from "./rows.js"

const main = String.raw`
const calls = new Map()
const rowsByNumber = new Map()
let shown = []
let policies = { circuits: [], budgets: [], limits: [], stores: [] }
let totals = { calls: 0, failed: 0, bill: {} }
let hasContent = false
/** The difference between this page's clock and that of events. */
let skew = 0
let revision = 0
/** The call that can be reached by Tab, and the one that is open. */
let current
let opened
let asked = 0

const now = () => performance.now() + skew

// ---------------------------------------------------------------------------------------------------------------------
// The list
// ---------------------------------------------------------------------------------------------------------------------

const searchable = (call) =>
  [
    call.id, call.model, call.provider, call.prompt, call.answer, call.error?.reason, call.error?.message,
    call.answeredBy?.provider, call.answeredBy?.model, call.finishReason,
    ...call.segments.flatMap(({ failed, target }) => [failed, target]),
    ...Object.entries(call.tags ?? {}).flat()
  ].filter((text) => text !== undefined).join(" ").toLowerCase()

const passes = (call) => {
  const words = byId("text").value.toLowerCase().split(" ").filter((word) => word !== "")
  const outcome = byId("outcome").value
  const model = byId("model").value
  if (outcome !== "" && call.outcome !== outcome) return false
  if (model !== "" && call.model !== model) return false
  if (words.length === 0) return true
  const text = searchable(call)
  return words.every((word) => text.includes(word))
}

const drawModels = () => {
  const select = byId("model")
  const known = new Set([...select.options].map(({ value }) => value))
  for (const { model } of calls.values()) {
    if (known.has(model)) continue
    known.add(model)
    select.append(el("option", { value: model }, model))
  }
}

/** Tab reaches only one call; the arrow keys lead to the others. */
const rove = (number) => {
  rowsByNumber.get(current)?.button.setAttribute("tabindex", "-1")
  current = number
  rowsByNumber.get(number)?.button.setAttribute("tabindex", "0")
}

const draw = () => {
  const moment = now()
  const list = byId("calls")
  const kept = [...calls.values()].filter(passes).sort((a, b) => b.number - a.number)
  shown = kept.map((call) => {
    const row = rowsByNumber.get(call.number) ?? makeRow(call.number)
    rowsByNumber.set(call.number, row)
    if (row.call !== call || call.now !== undefined) row.draw(call, moment)
    return row
  })
  const stay = new Set(shown.map(({ item }) => item))
  for (const item of [...list.children]) if (!stay.has(item)) item.remove()
  shown.forEach(({ item }, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null)
  })
  for (const number of [...rowsByNumber.keys()]) if (!calls.has(number)) rowsByNumber.delete(number)
  if (!shown.some(({ number }) => number === current)) rove(shown[0]?.number)
  placeBars(shown, moment)
  drawSums(kept, totals)
  drawPolicies(policies, moment, [...calls.values()])
  byId("none").hidden = shown.length > 0
  byId("none").textContent = calls.size === 0 ? "No calls yet." : "No call passes the filter."
}

// ---------------------------------------------------------------------------------------------------------------------
// One call
// ---------------------------------------------------------------------------------------------------------------------

const load = async (number) => {
  const turn = ++asked
  const response = await fetch("/calls/" + number)
  if (turn !== asked || opened !== number) return
  if (!response.ok) return close(false)
  drawDetail(await response.json(), now(), hasContent)
}

const open = async (number, isToBeRead) => {
  if (opened !== undefined) rowsByNumber.get(opened)?.button.setAttribute("aria-expanded", "false")
  opened = number
  rowsByNumber.get(number)?.button.setAttribute("aria-expanded", "true")
  await load(number)
  if (opened !== number) return
  const isHidden = byId("detail").hidden
  byId("detail").hidden = false
  if (isToBeRead) {
    byId("detail").scrollTop = 0
    byId("detail-title").focus({ preventScroll: !isHidden })
  }
}

const close = (returns) => {
  const row = rowsByNumber.get(opened)
  row?.button.setAttribute("aria-expanded", "false")
  opened = undefined
  byId("detail").hidden = true
  if (returns) (row?.item.isConnected ? row.button : rowsByNumber.get(current)?.button)?.focus()
}

byId("close").addEventListener("click", () => close(true))

// ---------------------------------------------------------------------------------------------------------------------
// Keys
// ---------------------------------------------------------------------------------------------------------------------

const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }

byId("calls").addEventListener("keydown", (event) => {
  const by = steps[event.key]
  if (by === undefined || shown.length === 0) return
  event.preventDefault()
  const at = shown.findIndex(({ number }) => number === current)
  const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)]
  next.button.focus()
  if (opened !== undefined) void open(next.number, false)
})

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && opened !== undefined) {
    event.preventDefault()
    close(true)
  } else if (event.key === "/" && !event.target.closest("input, select, textarea")) {
    event.preventDefault()
    byId("text").focus()
  } else if (event.key === "ArrowDown" && event.target === byId("text")) {
    event.preventDefault()
    rowsByNumber.get(current)?.button.focus()
  }
})

byId("filters").addEventListener("input", draw)
byId("filters").addEventListener("submit", (event) => event.preventDefault())

// ---------------------------------------------------------------------------------------------------------------------
// What happens
// ---------------------------------------------------------------------------------------------------------------------

const connection = (state, text) => {
  byId("connection").className = state
  byId("connection").textContent = text
}

const receive = (update) => {
  skew = update.now - performance.now()
  revision = update.revision
  totals = update.totals
  hasContent = update.hasContent
  policies = update.policies ?? policies
  for (const call of update.calls) calls.set(call.number, call)
  for (const number of calls.keys()) if (number < update.first) calls.delete(number)
  drawModels()
  draw()
  if (opened !== undefined && update.calls.some(({ number }) => number === opened)) void load(opened)
}

const source = new EventSource("/events")
source.addEventListener("open", () => {
  // Everything that is kept comes again.
  calls.clear()
  connection("live", "Live")
})
source.addEventListener("error", () => connection("lost", "The program does not answer"))
source.addEventListener("message", (event) => receive(JSON.parse(event.data)))

// Parts under way grow, and times to come run out.
setInterval(() => {
  const isMoving = shown.some(({ call }) => call.now !== undefined) ||
    policies.circuits.some(({ until }) => until > now()) || policies.limits.some(({ pausedUntil }) => pausedUntil > now())
  if (isMoving && !document.hidden) draw()
}, 250)
`

/** The script of the page. */
export const script = `"use strict"\n${format}${rows}${policyLines}${callDetail}${main}`
