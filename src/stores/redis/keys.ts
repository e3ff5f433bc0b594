/** A name within braces, by which a cluster keeps keys together. */
const escaped = (name: string): string => name.replace(/[%{}:]/g, encodeURIComponent)

/** Makes the keys of an account, one for each list of names. The version is that of the format: another has its own keys. */
export const keysOf = (prefix: string, kind: string, account: string): (...names: ReadonlyArray<string>) => string => {
  const start = `${prefix}${kind}:1:{${escaped(account)}`
  return (...names) => `${start}${names.map((name) => `:${escaped(name)}`).join("")}}`
}
