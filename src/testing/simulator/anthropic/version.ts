/** The version in a model's name, as a number: 406 for `claude-opus-4-6`, 400 for `claude-sonnet-4-20250514`. */
export const versionOf = (model: string): number | undefined => {
  const [, major, minor] = /^claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?:-|$)/.exec(model) ?? []
  return major === undefined ? undefined : 100 * Number(major) + Number(minor ?? 0)
}
