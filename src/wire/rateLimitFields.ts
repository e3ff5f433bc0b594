import { type HeaderFields, parseNumber } from "./retryAfter.js"

// The fields of the IETF's draft on rate limits (draft-ietf-httpapi-ratelimit-headers), in the three forms that its versions
// have given them:
//   ratelimit-limit: 100, 100;w=60 | ratelimit-remaining: 50 | ratelimit-reset: 30 | ratelimit-policy: 100;w=60
//   ratelimit: limit=100, remaining=50, reset=30 | ratelimit-policy: 100;w=60
//   ratelimit: "default";r=50;t=30 | ratelimit-policy: "default";q=100;w=60;qu="requests"

/** One limit, as far as its fields state it. */
export interface StructuredLimit {
  readonly kind: "requests" | "tokens"
  readonly limit: number | undefined
  readonly remaining: number | undefined
  readonly resetSeconds: number | undefined
  readonly windowSeconds: number | undefined
}

interface Item {
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
}

/** More than any service states. */
const maxItems = 16
const maxLength = 4096

const unquoted = (text: string): string => text.trim().replace(/^"(.*)"$/, "$1")

/** The items of a list, each with its parameters: `a;b=c, d`. */
const itemsOf = (text: string | undefined): ReadonlyArray<Item> =>
  (text?.slice(0, maxLength).match(/(?:"[^"]*"|[^",])+/g) ?? []).slice(0, maxItems).map((item) => {
    const [value = "", ...parameters] = item.split(";")
    return {
      value: unquoted(value),
      parameters: new Map(parameters.map((parameter): [string, string] => {
        const [name = "", value = ""] = parameter.split("=", 2)
        return [name.trim().toLowerCase(), unquoted(value)]
      }))
    }
  })

const count = (text: string | undefined): number | undefined => {
  const number = text === undefined ? undefined : parseNumber(text)
  return Number.isFinite(number) ? number : undefined
}

interface Policy {
  /** Its name, or the number in its place. */
  readonly name: string
  readonly quota: number | undefined
  readonly window: number | undefined
  readonly unit: string
}

const policiesOf = (text: string | undefined): ReadonlyArray<Policy> =>
  itemsOf(text).map(({ parameters, value }) => ({
    name: value,
    quota: count(parameters.get("q")) ?? count(value),
    window: count(parameters.get("w")),
    unit: parameters.get("qu") ?? "requests"
  }))

/** The unit that a policy counts; undefined for bytes and connections. */
const kindOf = (unit: string, name: string): StructuredLimit["kind"] | undefined =>
  /token/i.test(unit) || /token/i.test(name) ? "tokens" : unit === "requests" ? "requests" : undefined

/** The limits in the fields of the draft, which begin with `ratelimit`. */
export const structuredLimits = (headers: HeaderFields): ReadonlyArray<StructuredLimit> => {
  const { ratelimit, "ratelimit-limit": limits, "ratelimit-remaining": remaining, "ratelimit-reset": reset } = headers
  if (ratelimit === undefined && limits === undefined && remaining === undefined) return []
  const policies = policiesOf(headers["ratelimit-policy"])

  /** The only limit of the older forms, and the window of the policy that states the same. */
  const single = (
    quota: number | undefined,
    left: number | undefined,
    seconds: number | undefined,
    window?: number
  ) => {
    const policy = policies.find((policy) => policy.quota === quota) ??
      (policies.length === 1 ? policies[0] : undefined)
    return quota === undefined && left === undefined ? [] : [{
      kind: "requests" as const,
      limit: quota,
      remaining: left,
      resetSeconds: seconds,
      windowSeconds: window ?? policy?.window
    }]
  }

  const items = itemsOf(ratelimit)
  const members = new Map(items.map(({ value }): [string, string] => {
    const [name = "", number = ""] = value.split("=", 2)
    return [name.trim().toLowerCase(), number]
  }))
  if (members.has("remaining") || members.has("limit")) {
    return single(count(members.get("limit")), count(members.get("remaining")), count(members.get("reset")))
  }
  if (items.length === 0) {
    const stated = itemsOf(limits)
    const quota = count(stated[0]?.value)
    const own = stated.find(({ parameters, value }) => parameters.has("w") && count(value) === quota)
    return single(quota, count(remaining), count(reset), count(own?.parameters.get("w")))
  }
  return items.flatMap(({ parameters, value: name }) => {
    const policy = policies.find((policy) => policy.name === name)
    const kind = kindOf(policy?.unit ?? "requests", name)
    const left = count(parameters.get("r"))
    return kind === undefined || left === undefined ? [] : [{
      kind,
      limit: policy?.quota,
      remaining: left,
      resetSeconds: count(parameters.get("t")),
      windowSeconds: policy?.window
    }]
  })
}
