import type * as LlmBatch from "effect-llm/LlmBatch"

/** The work of a process. It is sent as JSON. */
export interface Work {
  /** The address of the simulated service. */
  readonly service: string
  readonly concurrency: number
  /** Where jobs are kept: in a file, or in Postgres as one process of several. */
  readonly store:
    | { readonly filename: string }
    | { readonly postgres: number; readonly port: number }
  /** The job to run. Without one the process answers those of others. */
  readonly job?: { readonly id: string; readonly size: number; readonly chunk: number }
}

/** A message of a process. */
export type Report =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Started" }
  | { readonly _tag: "Done"; readonly summary: LlmBatch.Progress }
  | { readonly _tag: "Failed"; readonly problem: string }

export const model = "gpt-4o-mini"

/** Prices with which binary fractions would be off soon. */
export const prices = { openai: { [model]: { input: 0.15, output: 0.6, cachedInput: 0.075 } } }

/** The requests of a job. Each has an index that its answer repeats. */
export const requestsOf = (size: number) =>
  Array.from({ length: size }, (_, i) => ({ model, prompt: `Echo: item ${i} of the job`, maxTokens: 50 }))

/** The index of the item in a text. */
export const indexIn = (text: string): number => Number(/item (\d+) of the job/.exec(text)?.[1] ?? NaN)
