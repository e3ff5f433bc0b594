import * as Effect from "effect/Effect"
import { transcript } from "./transcript.js"

/** Prints the transcript, a line of JSON for each of its lines. */
void Effect.runPromise(transcript).then((lines) => {
  process.stdout.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
})
