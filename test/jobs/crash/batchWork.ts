/** The work of a process that hands requests over in batches. It is sent as JSON. */
export interface BatchWork {
  /** The address of the simulated service. */
  readonly service: string
  readonly provider: "openai" | "anthropic"
  readonly filename: string
  readonly job: { readonly id: string; readonly size: number; readonly chunk: number }
}
