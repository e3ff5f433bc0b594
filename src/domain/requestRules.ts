/** A condition that a value of a request has to meet. The schema of a request and the reading of plain ones share it. */
export interface Rule<in A> {
  readonly is: (value: A) => boolean
  /** The expectation, as errors state it. */
  readonly description: string
}

const between = (minimum: number, maximum: number): Rule<number> => ({
  is: (n) => n >= minimum && n <= maximum,
  description: `a number between ${minimum} and ${maximum}`
})

const positiveInteger: Rule<number> = { is: (n) => Number.isSafeInteger(n) && n > 0, description: "a positive integer" }

/** Whether a text is empty, or nothing but white space. */
export const isBlank = (text: string): boolean => text.trim() === ""

const notBlank = (description: string): Rule<string> => ({ is: (text) => !isBlank(text), description })

export const notEmpty: Rule<string> = { is: (text) => text !== "", description: "text that is not empty" }

/** A name of up to `maximum` letters, digits, `_` and `-`. */
export const name = (maximum: number): Rule<string> => {
  const allowed = new RegExp(`^[\\w-]{1,${maximum}}$`)
  return { is: (text) => allowed.test(text), description: `1 to ${maximum} of the characters A-Z a-z 0-9 _ -` }
}

/** The fields that are texts. */
export const texts = {
  model: notBlank("the name of a model"),
  system: notBlank("instructions that are not empty"),
  user: notEmpty
} satisfies { readonly [field: string]: Rule<string> }

/** The fields that are numbers. */
export const numbers = {
  temperature: between(0, 2),
  maxTokens: { is: (n) => Number.isSafeInteger(n) && n >= 0, description: "an integer of at least 0" },
  topP: between(0, 1),
  topK: positiveInteger,
  seed: { is: Number.isSafeInteger, description: "an integer" }
} satisfies { readonly [field: string]: Rule<number> }
