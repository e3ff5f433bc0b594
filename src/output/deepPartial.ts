/**
 * What may have come of a value that is not whole: fields of objects may be missing at any depth, and elements of lists
 * are whole. A literal, a number and the like are there, whole, or not.
 */
export type DeepPartial<T> = T extends ReadonlyArray<infer Element>
  ? number extends T["length"] ? ReadonlyArray<Element> : Partial<T>
  : T extends object ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> }
  : T
