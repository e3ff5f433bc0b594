import addFormats from "ajv-formats"
import { Ajv2020 } from "ajv/dist/2020.js"

// `strict` refuses keywords that there are not, and those that do nothing where they stand.
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictTuples: false,
  strictRequired: true,
  allowUnionTypes: true
})
addFormats.default(ajv)

/** A judge of values, by draft 2020-12. Throws where the schema is none. */
export const judge = (schema: object): (value: unknown) => string | undefined => {
  const validate = ajv.compile(schema)
  return (value) => validate(value) ? undefined : ajv.errorsText(validate.errors)
}
