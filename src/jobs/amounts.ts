const whole = new Intl.NumberFormat("en-US")

/** A count for people to read: `1,000`. */
export const count = (amount: number): string => whole.format(amount)

/** A number of dollars, with as many digits as it needs to be more than 0. */
export const dollars = (amount: number): string =>
  amount === 0
    ? "$0"
    : amount >= 1
    ? `$${amount.toFixed(2)}`
    : `$${amount.toFixed(Math.min(12, 2 - Math.floor(Math.log10(amount)))).replace(/0+$/, "")}`

/** A time in seconds, for people to read: `12 s`, `3 min 5 s`, `2 h 10 min`. */
export const duration = (seconds: number): string => {
  const whole = Math.ceil(seconds)
  const minutes = Math.floor(whole / 60)
  return whole < 60
    ? `${whole} s`
    : minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
