/** A name within braces, by which a cluster keeps keys together. */
const escaped = (name: string): string => name.replace(/[%{}:]/g, encodeURIComponent)

/** A key of an account. The version is that of the format: another version has its own keys. */
export const keyOf = (prefix: string, kind: string, names: ReadonlyArray<string>): string =>
  `${prefix}${kind}:1:{${names.map(escaped).join(":")}}`
