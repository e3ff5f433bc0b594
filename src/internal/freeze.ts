const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Freezes the plain objects and arrays of a value, at any depth, and returns it. Instances of classes (Durations,
 * bytes, dates, Effect's own data, which keeps its hash in itself) are left as they are, with everything in them. So
 * are frozen objects, so that freezing twice costs only a check.
 */
export const freezePlain = <A>(value: A): A => {
  const left: Array<unknown> = [value]
  while (left.length > 0) {
    const next = left.pop()
    if (!isPlain(next) || Object.isFrozen(next)) continue
    Object.freeze(next)
    for (const child of Object.values(next)) {
      if (typeof child === "object" && child !== null) left.push(child)
    }
  }
  return value
}
