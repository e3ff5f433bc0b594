// In place of declarations: the TestClock of Effect 4 does not tell who sleeps.

/** Lets everything else go on until it waits. */
export const sleepingUntil = (_moment: number): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(turn, { times: 200 }))
