// In place of declarations: the nanoseconds of a clock of Effect 4 follow the wall clock; its monotone ones are others.

export const unsafeNow = (clock: Clock.Clock): number => Math.round(Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
