/** The negative control: loses one delta of each stream, and must be refused. */
import * as Floor from "./undici.mjs"

export const open = (options) => {
  const client = Floor.open(options)
  return {
    ...client,
    stream: (prompt, onText) => {
      let count = 0
      return client.stream(prompt, (text) => {
        if (++count !== 3) onText(text)
      })
    }
  }
}
