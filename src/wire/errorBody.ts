import type * as Duration from "effect/Duration"
import { isNotUndefined } from "effect/Predicate"
import type { ErrorRules } from "./errorRules.js"
import * as Json from "./json.js"
import { type HeaderFields, parseDuration } from "./retryAfter.js"

/** The contents of an error body, in whatever shape it came. */
export interface ErrorBody {
  /** Whether it reports an error. The body of an answer with status 200 usually does not. */
  readonly isError: boolean
  /** The provider's own words, not scrubbed yet. */
  readonly message: string | undefined
  /** Whether the words are plain text or a page's title: these are more often a proxy's than the provider's. */
  readonly isPlain: boolean
  /** Whether the whole body is a page. */
  readonly isPage: boolean
  /** All names of the error (codes, types, statuses, reasons), in snake_case. */
  readonly codes: ReadonlySet<string>
  /** The first of them, as the provider writes it. */
  readonly code: string | undefined
  /** The field of the request that is wrong. */
  readonly field: string | undefined
  /** The HTTP status that the body names. */
  readonly status: number | undefined
  /** The wait that the body asks for, as Google's RetryInfo does. */
  readonly retryDelay: Duration.Duration | undefined
  /** Headers in the body, with names in lower case. */
  readonly headers: HeaderFields
  /** The model's own words, if the service rejects them. */
  readonly failedGeneration: string | undefined
}

const empty: ErrorBody = {
  isError: false,
  message: undefined,
  isPlain: false,
  isPage: false,
  codes: new Set(),
  code: undefined,
  field: undefined,
  status: undefined,
  retryDelay: undefined,
  headers: {},
  failedGeneration: undefined
}

// ---------------------------------------------------------------------------------------------------------------------
// Access to JSON of unknown shape
// ---------------------------------------------------------------------------------------------------------------------

type Path = ReadonlyArray<string | number>

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, key) => typeof key === "number" ? Json.array(inner)[key] : Json.object(inner)[key],
    value
  )

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== ""

const list = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value.slice(0, 20) : value === undefined ? [] : [value]

const snakeCase = (name: string): string =>
  name
    .replace(/([a-z\d])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replace(/[^A-Za-z\d]+/g, "_")
    .toLowerCase()

/** The length up to which a text is searched. */
const maxText = 65_536

/** A message may begin with `<`, and quote one tag or another: only whole pages are left out. */
const holdsPage = (text: string): boolean => /<(?:!doctype|\?xml|html|head|body|title)\b/i.test(text.slice(0, 1000))

/** A body that is no JSON. */
const isPage = (text: string): boolean => /^\s*<[a-z!?]/i.test(text) || holdsPage(text)

/** The length of a page, or of XML, that is enough for an error. */
const titleOf = (page: string): string | undefined =>
  /<(?:title|message|faultstring)(?: [^<>]{0,200})?>([^<]{0,1000})/i.exec(page.slice(0, maxText))?.[1]

/** The name of an error in XML. */
const codeIn = (page: string): string | undefined => /<code>([\w.-]{1,100})<\/code>/i.exec(page.slice(0, maxText))?.[1]

// ---------------------------------------------------------------------------------------------------------------------
// Parsed bodies
// ---------------------------------------------------------------------------------------------------------------------

/** The places of an error in an answer or event. If it is in none of them, the whole is the error. */
const errorPlaces: ReadonlyArray<Path> = [
  ["error", "error"],
  ["detail", "error"],
  ["error"],
  ["error", 0],
  ["errors", 0],
  ["errors"],
  ["detail"],
  // Apigee.
  ["fault"]
]

/** The places of an error's names; the first one is shown. `error` is the error, `root` is the whole. */
const namePlaces: ReadonlyArray<Path> = [
  ["error", "code"],
  ["error", "type"],
  ["error", "status"],
  ["error", "error_type"],
  ["error", "error_code"],
  // AWS.
  ["error", "__type"],
  ["error", "metadata", "limit_source"]
]

const messagePlaces: ReadonlyArray<Path> = [
  ["error", "message"],
  ["error", "msg"],
  ["error", "message", 0],
  ["error", "message", "message"],
  ["error", "messages", 0],
  ["error", "errors", 0, "message"],
  ["error", "detail"],
  ["error", "description"],
  ["error", "faultstring"],
  ["error", "Message"],
  ["error", "errorMessage"],
  // Baidu.
  ["error", "error_msg"],
  ["error", "error_message"],
  ["root", "error_description"],
  ["root", "message"],
  ["root", "error"],
  ["root", "error", 0],
  ["root", "errors", 0],
  ["root", "detail"],
  ["root", "base_resp", "status_msg"]
]

const statusPlaces: ReadonlyArray<Path> = [
  ["error", "code"],
  ["error", "status"],
  ["error", "status_code"],
  ["root", "status"],
  ["root", "status_code"],
  ["root", "statusCode"],
  // Ollama's client.
  ["root", "StatusCode"]
]

/** The type `error` does not name an error. */
const isName = (value: unknown): value is string => isText(value) && value.length <= 100 && value !== "error"

/** A code that is an HTTP status: as a number, or its digits. */
const asStatus = (value: unknown): number | undefined =>
  (typeof value === "number" || typeof value === "string") && /^[45]\d\d$/.test(`${value}`) ? Number(value) : undefined

/** The path of a field in a program's notation: `messages[0].content`. */
const showPath = (path: ReadonlyArray<unknown>): string =>
  path
    .filter((key, index) => index > 0 || key !== "body")
    .reduce<string>((shown, key) => {
      if (typeof key === "number") return `${shown}[${key}]`
      return typeof key !== "string" ? shown : shown === "" ? key : `${shown}.${key}`
    }, "")

interface Problem {
  readonly field: string
  readonly message: string
}

/** The problems that FastAPI (vLLM, Mistral, LiteLLM) lists, without the `input` beside them, which quotes the request. */
const readProblems = (detail: unknown): ReadonlyArray<Problem> =>
  Array.isArray(detail)
    ? detail.slice(0, 5).flatMap((problem) => {
      const [loc, msg] = [at(problem, ["loc"]), at(problem, ["msg"])]
      const field = Array.isArray(loc) ? showPath(loc) : ""
      return isText(msg) ? [{ field, message: field === "" ? msg : `${field}: ${msg}` }] : []
    })
    : []

/** MiniMax reports each outcome this way, at status 200; 0 is success. */
const readOutcome = (root: Json.JsonObject): string | undefined => {
  const code = at(root, ["base_resp", "status_code"])
  return typeof code === "number" && code !== 0 ? `base_resp_${code}` : undefined
}

/** Whether a body has content of an answer, in any protocol. */
const hasContent = (root: Json.JsonObject): boolean =>
  Json.isObject(root.message) ||
  [root.choices, root.candidates, root.content, root.output, root.embeddings].some((list) =>
    Json.array(list).length > 0
  )

/** Whether a body of any protocol says that it has no answer. Words beside content report success: iFlytek's "Success". */
const admitsFailure = (root: Json.JsonObject): boolean =>
  root.success === false || root.ok === false || [root.type, root.object, root.status].includes("error") ||
  isText(root.error) || readOutcome(root) !== undefined ||
  (!hasContent(root) && [root.message, root.msg, root.error_msg, root.detail].some(isText))

const saysNothing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || value === false || value === 0

/** Whether the field `error` of an answer reports one: some services send it empty with each event, or with empty fields. */
export const isErrorValue = (error: unknown): boolean =>
  typeof error === "object" && error !== null ? !Object.values(error).every(saysNothing) : !saysNothing(error)

/**
 * Whether a parsed answer of status 200 reports an error, in one of the ways that are common: an answer of a protocol
 * has none of these signs.
 */
export const reportsError = (body: unknown): boolean => {
  const root = Array.isArray(body) ? body[0] : body
  return Json.isObject(root) && (isErrorValue(root.error) || admitsFailure(root))
}

/** The names in the `details` of Google's and Anthropic's errors. */
const readDetails = (details: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  details.flatMap((detail) => [
    at(detail, ["reason"]),
    at(detail, ["error_code"]),
    ...list(at(detail, ["violations"]))
      .map((violation) => at(violation, ["quotaId"]))
      .filter((quotaId) => isText(quotaId) && quotaId.includes("PerDay"))
      .map(() => "quota_per_day")
  ])

const readHeaders = (value: unknown): HeaderFields =>
  Object.fromEntries(
    Object.entries(Json.object(value)).flatMap(([name, field]) =>
      typeof field === "string" || typeof field === "number" ? [[name.toLowerCase(), `${field}`]] : []
    )
  )

// A gateway may pass on the error of another gateway, which quotes a service.
const maxDepth = 3

/** An error that a gateway quotes: JSON in place of the message, or OpenRouter's `metadata.raw`. */
const readQuoted = (message: string | undefined, raw: unknown, rules: ErrorRules, depth: number): ErrorBody => {
  if (depth >= maxDepth) return empty
  if (raw !== undefined) return read(raw, rules, depth + 1)
  return message !== undefined && /^\s*[[{]/.test(message) ? readText(message, rules, depth + 1) : empty
}

const readValue = (value: unknown, rules: ErrorRules, depth: number): ErrorBody => {
  if (isText(value)) return { ...empty, message: value, isPlain: true }
  const root: unknown = Array.isArray(value) ? value.find(Json.isObject) : value
  if (!Json.isObject(root)) return empty
  const error = [...errorPlaces.map((path) => at(root, path)), rules.errorOf?.(root)].find(Json.isObject) ?? root
  const both = { root, error }
  const own = rules.read?.(root, error) ?? {}

  const details = list(error.details)
  const problems = readProblems([root.detail, at(error, ["message", "detail"])].find(Array.isArray))
  const message = [...messagePlaces.map((path) => at(both, path)), own.message].find(isText) ??
    (problems.length === 0 ? undefined : problems.map((problem) => problem.message).join("; "))
  const raw = at(error, ["metadata", "raw"]) ?? undefined
  const quoted = readQuoted(message, raw, rules, depth)
  const words = message !== undefined && holdsPage(message) ? titleOf(message) : message
  const names = [
    ...namePlaces.map((path) => at(both, path)),
    ...readDetails(details),
    ...(at(error, ["metadata", "flagged_input"]) === undefined ? [] : ["flagged_input"]),
    // OAuth and others: `{"error":"invalid_token"}`.
    ...(isText(root.error) && /^[\w.-]+$/.test(root.error) ? [root.error] : []),
    ...own.names ?? [],
    readOutcome(root)
  ].filter(isName)

  return {
    isError: error !== root || admitsFailure(root) || problems.length > 0 || own.isError === true,
    message: raw === undefined
      ? quoted.message ?? words
      : [words, quoted.message].filter(isNotUndefined).join(": "),
    isPlain: false,
    isPage: false,
    codes: new Set([...names.map(snakeCase), ...quoted.codes]),
    code: names[0] ?? (typeof error.code === "number" ? String(error.code) : quoted.code),
    field: [
      error.param,
      problems[0]?.field,
      ...details.map((detail) => at(detail, ["fieldViolations", 0, "field"])),
      own.field
    ].find(isText) ?? quoted.field,
    status: [...statusPlaces.map((path) => at(both, path)), own.status].map(asStatus).find(isNotUndefined) ??
      quoted.status,
    retryDelay: details.map((detail) => at(detail, ["retryDelay"])).filter(isText).map(parseDuration)
      .find(isNotUndefined) ?? own.retryAfter ?? quoted.retryDelay,
    headers: {
      ...quoted.headers,
      ...readHeaders(error.headers ?? at(error, ["metadata", "headers"]) ?? root.headers)
    },
    failedGeneration: isText(own.failedGeneration) ? own.failedGeneration : quoted.failedGeneration
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Texts
// ---------------------------------------------------------------------------------------------------------------------

const member = /"(message|error|code|type|status|reason)"\s*:\s*"((?:[^"\\]|\\.)*)/g

/** Reads the strings of truncated or invalid JSON. */
const readBroken = (text: string): ErrorBody => {
  const members = [...text.slice(0, maxText).matchAll(member)].slice(0, 50).map(([, name, written = ""]) => {
    const value = Json.parse(`"${written}"`)
    return { name, value: typeof value === "string" ? value : written }
  })
  const message = members.find(({ name }) => name === "message") ?? members.find(({ name }) => name === "error")
  const names = members.filter(({ name }) => name !== "message" && name !== "error").map(({ value }) => value)
    .filter(isName)
  return {
    ...empty,
    isError: /^[[{\s]*"(?:error"|type"\s*:\s*"error")/.test(text),
    message: message?.value,
    codes: new Set(names.map(snakeCase)),
    code: names[0]
  }
}

const readText = (body: string, rules: ErrorRules, depth: number): ErrorBody => {
  const trimmed = body.trim()
  // A stream that fails at once may report it as an event.
  const text = /^(?:data|event|id|retry)?:/.test(trimmed)
    ? /^data:(.*)$/m.exec(trimmed)?.[1]?.trim() ?? trimmed
    : trimmed
  const value = Json.parse(text)
  if (value !== undefined) return readValue(value, rules, depth)
  if (/^[[{]/.test(text)) return readBroken(text)
  const page = isPage(text)
  const code = page ? codeIn(text) : undefined
  return {
    ...empty,
    message: page ? titleOf(text) : text,
    isPlain: true,
    isPage: page,
    ...(code !== undefined && { code, codes: new Set([snakeCase(code)]) })
  }
}

const read = (body: unknown, rules: ErrorRules, depth: number): ErrorBody =>
  typeof body === "string" ? readText(body, rules, depth) : readValue(body, rules, depth)

/**
 * Reads the body of a failed answer, or an event that reports that a stream failed: text (JSON, truncated JSON, HTML,
 * plain text, or nothing) or a parsed value. It knows the shapes that protocols share, and by `rules` those of one
 * protocol. Never throws.
 */
export const readErrorBody = (body: unknown, rules: ErrorRules = {}): ErrorBody => read(body, rules, 0)
