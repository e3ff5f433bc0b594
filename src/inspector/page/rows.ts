/** The page's script: the list of calls. */
export const rows = String.raw`
/** The parts of a bar, each as wide as its time. */
const drawParts = (bar, call, now) => {
  const parts = partsOf(call, now)
  while (bar.childElementCount > parts.length) bar.lastElementChild.remove()
  parts.forEach((part, index) => {
    const shown = bar.children[index] ?? bar.appendChild(el("i"))
    shown.className = "part " + part.kind + (part.failed === undefined ? "" : " failed")
    shown.style.flexGrow = String(Math.max(part.end - part.start, 0.001))
  })
  bar.setAttribute("aria-label", described(call, now))
}

/** The line below the name of a call. */
const subtitleOf = (call) =>
  call.error !== undefined
    ? call.error.reason + ": " + call.error.message
    : [
      clock(call.begun),
      call.answeredBy?.provider ?? call.provider,
      call.prompt
    ].filter((text) => text !== undefined && text !== "").join(" · ")

const makeRow = (number) => {
  const sign = el("span", { class: "sign", role: "img" })
  const name = el("b")
  const subtitle = el("small")
  const bar = el("span", { class: "bar", role: "img" })
  const time = el("span", { class: "time" })
  const tokens = el("span", { class: "tokens" })
  const cost = el("span", { class: "cost" })
  const button = el(
    "button",
    { class: "row", type: "button", tabindex: -1, "aria-expanded": "false", "aria-controls": "detail" },
    sign,
    el("span", { class: "name" }, name, subtitle),
    el("span", { class: "track" }, bar),
    time,
    tokens,
    cost
  )
  const item = el("li", {}, button)
  button.addEventListener("click", () => open(number, true))
  button.addEventListener("focus", () => rove(number))
  const row = { number, item, button, bar, call: undefined }
  row.draw = (call, now) => {
    const isNew = row.call !== call
    row.call = call
    drawParts(bar, call, now)
    time.textContent = shortTime(durationOf(call, now))
    if (!isNew) return
    const outcome = outcomes[call.outcome]
    item.className = call.outcome
    sign.textContent = outcome.sign
    sign.setAttribute("aria-label", outcome.name)
    name.textContent = call.model
    subtitle.textContent = subtitleOf(call)
    tokens.textContent = tokensOf(call.bill)
    cost.textContent = money(call.bill.cost)
  }
  return row
}

/** A round time that is at least as long. */
const roundUp = (millis) => {
  const power = 10 ** Math.floor(Math.log10(Math.max(millis, 1)))
  return [1, 2, 4, 8, 10].map((step) => step * power).find((step) => step >= millis)
}

const drawTicks = (scale) => {
  byId("ticks").replaceChildren(...[0, 1, 2, 3, 4].map((part) => {
    const tick = el("span", {}, part === 0 ? "0" : shortTime(scale * part / 4).replace(".00", ""))
    tick.style.left = part * 25 + "%"
    return tick
  }))
}

/** Puts the bars on one scale: from the start of each call, or from the start of the first one. */
const placeBars = (shown, now) => {
  const isClock = byId("axis").value === "clock"
  const zero = shown.reduce((first, { call }) => Math.min(first, call.start), Infinity)
  const from = (call) => isClock ? call.start - zero : 0
  const longest = shown.reduce((most, { call }) => Math.max(most, from(call) + durationOf(call, now)), 1)
  const scale = roundUp(longest)
  drawTicks(scale)
  for (const { bar, call } of shown) {
    bar.style.left = from(call) / scale * 100 + "%"
    bar.style.width = durationOf(call, now) / scale * 100 + "%"
  }
}
`
