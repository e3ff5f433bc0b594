/** How a limit of concurrency finds its place by itself. */
export interface Settings {
  /** Where it begins. */
  readonly initial: number
  /** The most it comes to. */
  readonly maximum: number
  /** What it is multiplied by when the provider is overloaded; 1: it stays where it is. */
  readonly decrease: number
}

/** `cuts` counts how often it was cut: what began before the last cut belongs to the same overload. */
export interface State {
  /** At least 1. Its whole part counts. */
  readonly limit: number
  readonly cuts: number
}

/** Where it begins. */
export const initial = (settings: Settings): State => ({ limit: settings.initial, cuts: 0 })

/** A request that began after so many cuts met an overloaded provider. Many that began together cut once. */
export const cut = (settings: Settings, state: State, cuts: number): State =>
  cuts < state.cuts || settings.decrease === 1
    ? state
    : { limit: Math.max(1, Math.floor(state.limit) * settings.decrease), cuts: state.cuts + 1 }

/** A request was answered while so many were under way: one more, for as many answers as the limit is, if it is in use. */
export const grow = (settings: Settings, state: State, running: number): State =>
  settings.decrease === 1 || state.limit >= settings.maximum || running * 2 < state.limit
    ? state
    : { ...state, limit: Math.min(settings.maximum, state.limit + 1 / state.limit) }
