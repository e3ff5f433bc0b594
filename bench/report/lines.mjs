import { escape } from "./plot.mjs"

const width = 380
const height = 240
const left = 56
const bottom = 28
const top = 30
const right = 16

/** A round number not below a value, for the end of an axis. */
const ceiling = (value) => {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value)
}

const panel = ({ series, title }, column, row) => {
  const points = series.flatMap(({ points }) => points)
  const mostX = Math.max(...points.map(([x]) => x))
  const mostY = ceiling(Math.max(...points.map(([, y]) => y)))
  const x = (value) => (left + (value / mostX) * (width - left - right)).toFixed(1)
  const y = (value) => (height - bottom - (value / mostY) * (height - top - bottom)).toFixed(1)
  const steps = [0, 0.25, 0.5, 0.75, 1]
  return `<g transform="translate(${column * width} ${row * (height + 12)})">
<text x="${left}" y="16" font-weight="bold">${escape(title)}</text>
${
    steps.map((step) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(step * mostY)}" y2="${y(step * mostY)}" stroke="#e3e8ee"/>
<text x="${left - 6}" y="${Number(y(step * mostY)) + 4}" text-anchor="end">${
        (step * mostY).toLocaleString("en-US", { maximumSignificantDigits: 3 })
      }</text>`
    ).join("\n")
  }
${
    [...new Set(points.map(([x]) => x))].map((value) =>
      `<text x="${x(value)}" y="${height - 10}" text-anchor="middle">${
        value >= 1000 ? `${value / 1000}k` : value
      }</text>`
    ).join("\n")
  }
${
    series.map(({ ours, points, title }, i) => {
      const color = ours ? "#2f6fdb" : "#9aa5b1"
      return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${
        points.map(([px, py]) => `${x(px)},${y(py)}`).join(" ")
      }"/>
${points.map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3" fill="${color}"/>`).join("")}
<text x="${left + 8}" y="${top + 14 + i * 16}" fill="${color}">${escape(title)}</text>`
    }).join("\n")
  }
</g>`
}

/** Panels of lines, two in a row, each from 0: what grows in proportion is a straight line through the corner. */
export const linesOf = (panels) => {
  const total = Math.ceil(panels.length / 2) * (height + 12)
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * width}" height="${total}" viewBox="0 0 ${
    2 * width
  } ${total}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
${panels.map((one, i) => panel(one, i % 2, Math.floor(i / 2))).join("\n")}
</svg>
`
}
