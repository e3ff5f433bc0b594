import { FileSystem, Path } from "@effect/platform"
import { Effect } from "effect"
import { Problem } from "../quickstart/problem.js"

export interface Document {
  readonly name: string
  readonly text: string
}

/** A part of a document that is asked about at once, with its place: numbers of lines, from 1. */
export interface Passage {
  readonly document: string
  readonly from: number
  readonly to: number
  readonly text: string
}

/** The texts of a folder, by name. */
export const read = (folder: string) =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = yield* fs.readDirectory(folder).pipe(
      Effect.mapError(() => new Problem({ message: `There is no folder ${folder}.` }))
    )
    const texts = names.filter((name) => /\.(md|txt)$/.test(name)).sort()
    if (texts.length === 0) return yield* new Problem({ message: `The folder ${folder} has no .md and no .txt files.` })
    return yield* Effect.forEach(texts, (name): Effect.Effect<Document, Problem> =>
      fs.readFileString(path.join(folder, name)).pipe(
        Effect.mapBoth({
          onFailure: () =>
            new Problem({ message: `${path.join(folder, name)} cannot be read.` }),
          onSuccess: (text) => ({ name, text })
        })
      ))
  })

/** A passage ends before the paragraph with which it would have more characters than these. */
const longest = 900

/** The paragraphs of a text. */
const paragraphs = (text: string): ReadonlyArray<Omit<Passage, "document">> =>
  Array.from(text.matchAll(/(?:.*\S.*(?:\n|$))+/g), ({ 0: paragraph, index }) => {
    const from = text.slice(0, index).split("\n").length
    const lines = paragraph.trimEnd().split("\n")
    return { from, to: from + lines.length - 1, text: lines.join("\n") }
  })

const isHeading = (text: string): boolean => text.startsWith("#")

/** Cuts a document into passages: before headings, and between paragraphs where a section is long. */
export const cut = ({ name, text }: Document): ReadonlyArray<Passage> => {
  const passages: Array<Passage> = []
  let hasBody = false
  for (const next of paragraphs(text)) {
    const current = passages.at(-1)
    const ends = hasBody && (isHeading(next.text) || (current?.text.length ?? 0) + next.text.length > longest)
    if (current === undefined || ends) {
      passages.push({ document: name, ...next })
      hasBody = !isHeading(next.text)
    } else {
      passages[passages.length - 1] = { ...current, to: next.to, text: `${current.text}\n\n${next.text}` }
      hasBody ||= !isHeading(next.text)
    }
  }
  return passages
}

/** The place of a passage, for people. */
export const placeOf = ({ document, from, to }: Passage): string => `${document}, lines ${from}–${to}`
