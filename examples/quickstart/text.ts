/** The widest line. */
const columns = 80

/** Text in lines of at most 80 columns, which go on below each other after the prefix. A longer word is cut. */
export const wrap = (text: string, prefix = ""): string => {
  const indent = " ".repeat(prefix.length)
  const lines: Array<string> = []
  let line = prefix
  let isEmpty = true
  for (const word of text.split(/\s+/)) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line = `${line}${isEmpty ? "" : " "}${word}`
    if (line.length > columns) line = `${line.slice(0, columns - 1)}…`
    isEmpty = false
  }
  return [...lines, line].join("\n")
}
