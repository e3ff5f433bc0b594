// In place of declarations: a console of Effect 4 is one of the platform.

const consoleTo = (note: (...values: ReadonlyArray<unknown>) => void): Console.Console =>
  new Proxy(console, { get: () => note })
