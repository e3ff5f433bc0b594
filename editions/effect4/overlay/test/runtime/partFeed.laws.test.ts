// In place of declarations: Effect 4's own timeouts end an effect on time in an uninterruptible region, too.

const effectsInRegion = ["10000 a draw fails with TimedOut", "10000 gives undefined"]
