/** Plots as SVG, as wide as a telephone at least. Their colours are variables of the page, so that it can be light or dark. */

const width = 360

export const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;" })[letter] ?? letter)

const svg = (title: string, height: number, content: ReadonlyArray<string>): string =>
  `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">${content.join("")}</svg>`

const at = (number: number): string => number.toFixed(1)

const text = (x: number, y: number, content: string, anchor: "start" | "middle" | "end" = "start"): string =>
  `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}">${escape(content)}</text>`

const line = (x1: number, y1: number, x2: number, y2: number, name = "grid"): string =>
  `<line class="${name}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`

/** Round numbers from 0 to a maximum: at most six. */
const ticks = (most: number): ReadonlyArray<number> => {
  const rough = Math.max(most, 1e-9) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step)
}

/** A bar for each row, with its label above. */
export const bars = (
  title: string,
  rows: ReadonlyArray<{ readonly label: string; readonly value: number; readonly shown: string }>
): string => {
  const most = Math.max(...rows.map(({ value }) => value), 1e-12)
  return svg(
    title,
    rows.length * 34 + 4,
    rows.flatMap(({ label, shown, value }, i) => [
      text(0, i * 34 + 12, label),
      text(width, i * 34 + 12, shown, "end"),
      `<rect class="track" x="0" y="${i * 34 + 18}" width="${width}" height="8" rx="2"/>`,
      `<rect class="bar" x="0" y="${i * 34 + 18}" width="${at(Math.max(1, value / most * width))}" height="8" rx="2"/>`
    ])
  )
}

/** A sum that grows with the days, and points beside it. */
export const growth = (
  title: string,
  { points, steps }: {
    /** Days as YYYY-MM-DD, in order, with the sum from then on. */
    readonly steps: ReadonlyArray<{ readonly day: string; readonly sum: number }>
    /** Points are hollow where they are off the line. */
    readonly points: ReadonlyArray<{ readonly day: string; readonly value: number; readonly isOn: boolean }>
  }
): string => {
  const [height, left, bottom] = [210, 44, 190]
  const times = [...steps, ...points].map(({ day }) => Date.parse(day))
  const [first, last] = [Math.min(...times), Math.max(...times)]
  const scale = ticks(Math.max(...steps.map(({ sum }) => sum), ...points.map(({ value }) => value), 1) * 1.05)
  const top = Math.max(...scale, ...steps.map(({ sum }) => sum), ...points.map(({ value }) => value))
  const x = (day: string) => left + 6 + (Date.parse(day) - first) / Math.max(last - first, 1) * (width - left - 16)
  const y = (value: number) => bottom - value / top * (bottom - 12)
  const path = steps.reduce(
    ({ drawn, sum }, step) => ({
      drawn: `${drawn}L${at(x(step.day))} ${at(y(sum))}V${at(y(step.sum))}`,
      sum: step.sum
    }),
    { drawn: `M${at(left)} ${at(y(0))}`, sum: 0 }
  ).drawn
  const firstsOfMonths = steps.filter(({ day }, i) => day.slice(0, 7) !== steps[i - 1]?.day.slice(0, 7))
  return svg(title, height, [
    ...scale.flatMap((value) => [
      line(left, y(value), width, y(value)),
      text(left - 6, y(value) + 4, value >= 1000 ? `${value / 1000}k` : String(value), "end")
    ]),
    ...firstsOfMonths.map(({ day }) => {
      const month = new Date(`${day.slice(0, 7)}-15`).toLocaleString("en", { month: "short", timeZone: "UTC" })
      return text(x(day), bottom + 16, month, "middle")
    }),
    `<path class="line" d="${path}H${width}"/>`,
    ...points.map(({ day, isOn, value }) =>
      `<circle class="${isOn ? "on" : "off"}" cx="${at(x(day))}" cy="${at(y(value))}" r="5"/>`
    )
  ])
}

/** A strip for each row, with a mark for each span of time; and lines across all of them. */
export const strips = (
  title: string,
  { breaks, rows }: {
    readonly rows: ReadonlyArray<{
      readonly label: string
      readonly spans: ReadonlyArray<{ readonly from: number; readonly to: number; readonly failed: boolean }>
    }>
    /** Moments in milliseconds, as those of the spans. */
    readonly breaks: ReadonlyArray<number>
  }
): string => {
  const end = Math.max(...rows.flatMap(({ spans }) => spans.map(({ to }) => to)), 1)
  const x = (time: number) => time / end * (width - 16) + 8
  const bottom = rows.length * 44
  return svg(title, bottom + 24, [
    ...ticks(end / 1000).flatMap((seconds) => [
      line(x(seconds * 1000), 0, x(seconds * 1000), bottom),
      text(x(seconds * 1000), bottom + 16, `${Number(seconds.toFixed(2))} s`, "middle")
    ]),
    ...rows.flatMap(({ label, spans }, row) => [
      text(0, row * 44 + 12, label),
      // Spans that overlap add up to a darker mark.
      ...spans.map(({ failed, from, to }) =>
        `<rect class="${failed ? "failed" : "span"}" x="${at(x(from))}" y="${row * 44 + (failed ? 30 : 18)}" width="${
          at(Math.max(1, x(to) - x(from)))
        }" height="${failed ? 8 : 10}"/>`
      )
    ]),
    ...breaks.map((time) => line(x(time), 0, x(time), bottom, "break"))
  ])
}
