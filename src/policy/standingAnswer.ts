import * as Duration from "effect/Duration"

/** How long to wait for a better answer than the one that is there, which has to be given before its attempt is over. */
export const patience = (left: Duration.Duration): Duration.Duration => Duration.times(left, 0.9)
