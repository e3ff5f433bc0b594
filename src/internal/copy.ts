/**
 * The same value with some fields changed, of the same class. Nothing is checked again: the types say it all, and a
 * `Schema.Class` would check each field for a hundred times the cost.
 */
export const copy = <A extends object>(value: A, fields: Partial<NoInfer<A>>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(value)), value, fields)
