import { clients } from "../clients/index.mjs"
import { summarize } from "./summary.mjs"

export const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")

const panels = ["seq", "thru", "burst", "rss"]
const width = 760
const barHeight = 16
const labelWidth = 220
const barWidth = width - labelWidth - 90

/** A logarithmic scale from 1, the floor, to the largest ratio. */
const scale = (most) => (value) => (Math.log(Math.max(value, 1)) / Math.log(most)) * barWidth

const bars = ({ cells, title }, top) => {
  const shown = clients.flatMap((client) => {
    const value = cells.find((cell) => cell.client === client.name)?.value
    return value === undefined ? [] : [{ ...client, ...value }]
  })
  const x = scale(Math.max(...shown.map(({ most }) => most), 2))
  const lines = shown.map(({ least, median, most, ours, title }, i) => {
    const y = top + 28 + i * (barHeight + 6)
    const color = ours === undefined ? "#9aa5b1" : "#2f6fdb"
    return `<text x="${labelWidth - 8}" y="${y + 12}" text-anchor="end"${
      ours === undefined ? "" : " font-weight=\"bold\""
    }>${escape(title)}</text>
<rect x="${labelWidth}" y="${y}" width="${Math.max(x(median), 1).toFixed(1)}" height="${barHeight}" fill="${color}"/>
<line x1="${(labelWidth + x(least)).toFixed(1)}" x2="${(labelWidth + x(most)).toFixed(1)}" y1="${y + 8}" y2="${
      y + 8
    }" stroke="#1b2733" stroke-width="2"/>
<text x="${(labelWidth + x(most) + 6).toFixed(1)}" y="${y + 12}">${median.toFixed(median >= 10 ? 0 : 1)}</text>`
  })
  return {
    height: 28 + shown.length * (barHeight + 6) + 16,
    text: `<text x="8" y="${top + 16}" font-weight="bold">${escape(title)}, times the floor</text>\n${lines.join("\n")}`
  }
}

/** The ratios to the floor, as bars with their range. Undefined where there are none. */
export const plotOf = (report) => {
  const { rows } = summarize(report)
  let top = 8
  const parts = []
  for (const name of panels) {
    const row = rows.find((row) => row.name === name)
    if (row === undefined) continue
    const { height, text } = bars(row, top)
    parts.push(text)
    top += height
  }
  if (parts.length === 0) return undefined
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join("\n")}
<text x="8" y="${top - 2}" fill="#6b7785">Logarithmic; the lines are the range of the rounds.</text>
</svg>
`
}
