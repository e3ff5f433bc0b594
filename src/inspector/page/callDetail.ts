/** The page's script: one call. */
export const callDetail = String.raw`
const facts = (entries) =>
  el(
    "dl",
    { class: "facts" },
    ...entries.filter(([, value]) => value !== undefined && value !== "" && value !== 0)
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value))))
  )

const factsOf = (call, now) => {
  const { bill } = call
  return facts([
    ["Outcome", outcomes[call.outcome].name + (call.finishReason === undefined ? "" : " (" + call.finishReason + ")")],
    ["Time", exactTime(durationOf(call, now))],
    ["Cost", money(bill.cost)],
    ["Input tokens", bill.inputTokens && count(bill.inputTokens)],
    ["of a prompt cache", bill.cachedInputTokens && count(bill.cachedInputTokens)],
    ["Output tokens", bill.outputTokens && count(bill.outputTokens)],
    ["of reasoning", bill.reasoningTokens && count(bill.reasoningTokens)],
    ["Retries", call.retries],
    ["Other targets asked", call.fallbacks],
    ["Second requests", call.hedges],
    ["Corrections", call.corrections],
    ["Answers that did not fit", call.rejections],
    ["Client's provider", call.provider],
    ["Answered by", call.answeredBy && call.answeredBy.provider + "/" + call.answeredBy.model],
    ["Call", call.id],
    ["Shares the run of", call.leader],
    ...Object.entries(call.tags ?? {})
  ])
}

const partsTable = (call, now) =>
  el(
    "table",
    {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "What"), el("th", { scope: "col", class: "number" }, "After"),
      el("th", { scope: "col", class: "number" }, "Time"))),
    el("tbody", {}, ...partsOf(call, now).map((part) =>
      el(
        "tr",
        {},
        el("td", {}, el("i", { class: "part " + part.kind + (part.failed === undefined ? "" : " failed") }),
          partName(part), part.failed === undefined ? undefined : el("small", { class: "why" }, "  " + part.failed)),
        el("td", { class: "number" }, exactTime(part.start - call.start)),
        el("td", { class: "number" }, exactTime(part.end - part.start) + (part.isOpen ? " so far" : ""))
      )))
  )

const fieldText = ([name, value]) => name + "=" + (typeof value === "string" ? value : JSON.stringify(value))

const eventsTable = ({ call, events, omittedEvents }) => [
  el(
    "table",
    { class: "events" },
    el("tbody", {}, ...events.map(({ at, fields, level, name }) =>
      el(
        "tr",
        { class: level },
        el("td", {}, exactTime(at - call.start)),
        el("td", {}, el("b", {}, name.replace("llm_", "").replaceAll("_", " ")), " ",
          el("small", {}, Object.entries(fields).map(fieldText).join("  ")))
      )))
  ),
  omittedEvents === 0 ? undefined : el("p", { class: "hint" }, things(omittedEvents, "event is", "events are") + " left out")
]

/** A part of a message: its text, or a description. */
const messagePart = (part) => {
  const { content, response, type, ...others } = part
  const text = content ?? response
  const rest = Object.keys(others).length === 0 ? "" : JSON.stringify(others)
  const head = type === "text" ? "" : "[" + type + (rest === "" ? "" : " " + rest) + "]"
  return el("pre", {}, [head, text].filter((line) => line !== undefined && line !== "").join(" ") || " ")
}

const messages = (title, known, hint) => [
  el("h3", {}, title),
  ...(known === undefined
    ? [el("p", { class: "hint" }, hint)]
    : known.messages.map(({ parts, role }) =>
      el("div", { class: "message" }, el("h4", {}, role), ...parts.map(messagePart)))),
  known?.isCut ? el("p", { class: "hint" }, "Cut to the length that is kept.") : undefined
]

const drawDetail = (detail, now, hasContent) => {
  const { answer, call, request } = detail
  const bar = el("div", { class: "bar", role: "img" })
  drawParts(bar, call, now)
  bar.style.width = "100%"
  byId("detail-title").replaceChildren(call.model, el("small", {}, "call " + call.id + ", " + clock(call.begun)))
  const hint = hasContent
    ? "None was reported."
    : "Not kept. Inspector.layer({ content: true }) keeps prompts and answers."
  byId("detail-body").replaceChildren(...[
    el("div", { class: "track" }, bar),
    call.error && el("p", { class: "problem" }, call.error.reason + ": " + call.error.message),
    factsOf(call, now),
    el("h3", {}, "Time"),
    partsTable(call, now),
    el("h3", {}, "Events"),
    ...eventsTable(detail),
    ...messages("Request", request, hint),
    ...messages("Answer", answer, hint)
  ].filter((child) => child !== undefined))
}
`
