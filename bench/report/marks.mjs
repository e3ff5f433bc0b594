import { readFileSync, writeFileSync } from "node:fs"

/** Puts text between the marks `<!-- name:start -->` and `<!-- name:end -->` of a page. */
export const replaceBetween = (page, name, text) => {
  const start = `<!-- ${name}:start -->`
  const end = `<!-- ${name}:end -->`
  const before = readFileSync(page, "utf8")
  const from = before.indexOf(start)
  const to = before.indexOf(end)
  if (from === -1 || to < from) throw new Error(`${page.pathname} has no ${start} ... ${end}`)
  writeFileSync(page, `${before.slice(0, from + start.length)}\n${text}\n${before.slice(to)}`)
}
