/**
 * An unfinished value: fields of objects may be missing at any depth, elements of lists are complete, and a literal, a
 * number and the like is either complete or absent.
 */
export type DeepPartial<T> = T extends ReadonlyArray<infer Element>
  ? number extends T["length"] ? ReadonlyArray<Element> : Partial<T>
  : T extends object ? { readonly [Key in keyof T]?: DeepPartial<T[Key]> }
  : T
