// In place of declarations: of two limits that end at once, that of the run began before that of its caller in Effect 4.

const atDeadline = "TimedOut"
