import type * as LlmBatch from "effect-llm/LlmBatch"
import { requestsOf } from "./work.js"

/** The work of a process that hands requests over in batches. It is sent as JSON. */
export interface BatchWork {
  /** The address of the simulated service. */
  readonly service: string
  readonly provider: "openai" | "anthropic" | "gemini"
  /** Where jobs are kept: in a file, or in Postgres as one process of several. */
  readonly store:
    | { readonly filename: string }
    | { readonly postgres: number; readonly port: number }
  /** The job to run. Without one the process works for those of others. */
  readonly job?: { readonly id: string; readonly size: number; readonly chunk: number }
}

/** The job that is handed over. */
export const jobOf = ({ chunk, id, size }: { readonly id: string; readonly size: number; readonly chunk: number }) =>
  ({ id, requests: requestsOf(size), chunk, via: "provider", pollEvery: "100 millis" }) satisfies LlmBatch.CallJob
