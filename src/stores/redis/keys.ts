/** A name within the braces that say to a cluster which keys belong together. */
const escaped = (name: string): string => name.replace(/[%{}:]/g, encodeURIComponent)

/**
 * The key of something that belongs to an account. The version is that of the format: another one has keys of its own.
 */
export const keyOf = (prefix: string, kind: string, names: ReadonlyArray<string>): string =>
  `${prefix}${kind}:1:{${names.map(escaped).join(":")}}`
