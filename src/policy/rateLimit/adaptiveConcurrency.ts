/** How a limit of concurrency adapts. */
export interface Settings {
  /** The limit at first. */
  readonly initial: number
  /** The highest limit. */
  readonly maximum: number
  /** The factor of a cut when the provider is overloaded; with 1 the limit never changes. */
  readonly decrease: number
}

/** `cuts` counts the cuts: a request that began before the last one belongs to the same overload. */
export interface State {
  /** At least 1. Its whole part counts. */
  readonly limit: number
  readonly cuts: number
}

/** The state at first. */
export const initial = (settings: Settings): State => ({ limit: settings.initial, cuts: 0 })

/**
 * Records an overload, met by a request that began after this number of cuts. Requests that began together cut once.
 */
export const cut = (settings: Settings, state: State, cuts: number): State =>
  cuts < state.cuts || settings.decrease === 1
    ? state
    : { limit: Math.max(1, Math.floor(state.limit) * settings.decrease), cuts: state.cuts + 1 }

/**
 * Records an answer while this number of requests were under way: a limit in use grows by 1 for as many answers as it
 * is large.
 */
export const grow = (settings: Settings, state: State, running: number): State =>
  settings.decrease === 1 || state.limit >= settings.maximum || running * 2 < state.limit
    ? state
    : { ...state, limit: Math.min(settings.maximum, state.limit + 1 / state.limit) }
