/** The page's script: sums, limits, budgets and circuits. */
export const policyLines = String.raw`
const sum = (calls, of) =>
  calls.reduce((total, call) => of(call) === undefined ? total : (total ?? 0) + of(call), undefined)

const drawSums = (calls, totals) => {
  const of = (outcome) => calls.filter((call) => call.outcome === outcome).length
  const failed = of("failed")
  const saved = of("cached") + of("shared")
  const all = totals.calls > calls.length ? " of " + count(totals.calls) : ""
  const sums = [
    ["Calls", count(calls.length) + all],
    ["Running", count(of("running"))],
    ["Failed", count(failed), failed > 0],
    ["Saved", count(saved)],
    ["Retries", count(sum(calls, (call) => call.retries) ?? 0)],
    ["Tokens in", count(sum(calls, (call) => call.bill.inputTokens) ?? 0)],
    ["Tokens out", count(sum(calls, (call) => call.bill.outputTokens) ?? 0)],
    ["Cost", money(sum(calls, (call) => call.bill.cost)) || "–"]
  ]
  byId("sums").replaceChildren(...sums.map(([name, value, isAlarm]) =>
    el("div", { class: isAlarm ? "alarm" : undefined }, el("dt", {}, name), el("dd", {}, value))
  ))
}

/** A line about a policy: its kind, its name, and the text, in parts. */
const line = (className, kind, name, ...parts) =>
  el(
    "li",
    { class: "policy " + className },
    el("span", {}, kind),
    el("h3", { title: name }, name),
    el("p", {}, ...parts.filter((part) => part !== undefined && part !== "").flatMap((part, index) =>
      index === 0 ? [part] : [" · ", part]))
  )

const left = (until, now) => until === undefined || until <= now ? undefined : shortTime(until - now)

const circuitLine = ({ model, openings, provider, state, until }, now) => {
  const probe = state === "open" ? left(until, now) : undefined
  return line(
    state === "half open" ? "half" : state,
    "circuit",
    provider + "/" + model,
    el("b", {}, state),
    probe && "a probe in " + probe,
    "opened " + things(openings, "time", "times")
  )
}

const budgetLine = ({ cost, costLeft, scope, tokens, tokensLeft }) =>
  line(
    "",
    "budget",
    scope,
    "spent " + count(tokens) + " tokens" + (cost === undefined ? "" : ", " + money(cost)),
    tokensLeft === undefined ? undefined : count(tokensLeft) + " tokens left",
    costLeft === undefined ? undefined : money(costLeft) + " left"
  )

const statedText = (name, stated, now) => {
  if (stated === undefined) return undefined
  const reset = left(stated.until, now)
  return [stated.remaining, stated.limit].filter((part) => part !== undefined).map(count).join(" of ") + " " + name +
    " left at the provider" + (reset === undefined ? "" : ", all again in " + reset)
}

/** The current content of a bucket, which refills evenly. */
const heldNow = ({ at, limit, remaining, until }, now) =>
  until <= now ? limit : Math.floor(limit - (limit - remaining) * (until - now) / (until - at))

const meter = (value, most, text) =>
  el("span", { class: "fill" }, el("meter", { min: 0, max: most, value, low: most / 5, optimum: most, "aria-label": text }), text)

const ownTexts = (own, now) => own === undefined ? [] : [
  own.concurrency === undefined ? undefined : count(own.running) + " of " + count(own.concurrency) + " at a time",
  ...own.buckets.map((bucket) => {
    const held = Math.max(0, heldNow(bucket, now))
    return meter(held, bucket.limit, count(held) + " of " + count(bucket.limit) + " " + bucket.name + " left here")
  })
]

const limitLine = (limit, now, calls) => {
  const target = limit.provider + "/" + limit.model
  const waiting = calls.filter((call) => call.now?.kind === "queue" && call.now.target === target).length
  const paused = left(limit.pausedUntil, now)
  return line(
    "",
    "limit",
    target,
    things(waiting, "call waits", "calls wait"),
    limit.waits === 0 ? undefined : count(limit.waits) + " waited, " + shortTime(limit.waited / limit.waits) + " each",
    limit.waits === 0 ? undefined : shortTime(limit.longest) + " at most",
    paused && el("b", {}, "refused for another " + paused),
    ...ownTexts(limit.own, now),
    statedText("requests", limit.requests, now),
    statedText("tokens", limit.tokens, now)
  )
}

const storeLine = ({ at, problem, store }, now) =>
  line("broken", "store", store === "budgets" ? "budgets" : "rate limits",
    el("b", {}, "did not answer " + shortTime(now - at) + " ago"), problem)

const drawPolicies = (policies, now, calls) => {
  const lines = [
    ...policies.stores.map((store) => storeLine(store, now)),
    ...policies.circuits.map((circuit) => circuitLine(circuit, now)),
    ...policies.budgets.map(budgetLine),
    ...policies.limits.map((limit) => limitLine(limit, now, calls))
  ]
  byId("policies").hidden = lines.length === 0
  byId("policies").replaceChildren(...lines)
}
`
