// In place of declarations: of two clocks that reach the deadline together, that of the attempt comes first in Effect 4.

const pastDeadline = "TimedOut"
