// A `Schema.Class` checks every field when an instance is made, for a hundred times the cost of making it. These make
// and change instances whose fields the types guarantee.

/** An instance of a class with these fields, not checked again. The constructor does not run. */
export const instance = <A extends object>(Class: { readonly prototype: A }, fields: Partial<NoInfer<A>>): A =>
  Object.assign(Object.create(Class.prototype), fields)

/** The same value with some fields changed, not checked again. */
export const copy = <A extends object>(value: A, fields: Partial<NoInfer<A>>): A =>
  Object.assign(Object.create(Object.getPrototypeOf(value)), value, fields)
