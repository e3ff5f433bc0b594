import ts from "typescript"

/** Types with other names or arguments. */

/** Names within namespaces of types: `Effect.Effect.Success<A>`, `Schema.Schema.Any`, `Data.Case.Constructor`. */
const nested = {
  "effect/Effect#Effect.Success": ["effect/Effect", "Success"],
  "effect/Effect#Effect.Error": ["effect/Effect", "Error"],
  "effect/Effect#Effect.Context": ["effect/Effect", "Services"],
  "effect/Layer#Layer.Success": ["effect/Layer", "Success"],
  "effect/Layer#Layer.Error": ["effect/Layer", "Error"],
  "effect/Layer#Layer.Context": ["effect/Layer", "Services"],
  "effect/Stream#Stream.Success": ["effect/Stream", "Success"],
  "effect/Stream#Stream.Error": ["effect/Stream", "Error"],
  "effect/Stream#Stream.Context": ["effect/Stream", "Services"],
  "effect/Schema#Schema.All": ["effect/Schema", "Top"],
  "effect/Schema#Schema.Any": ["effect/Schema", "Top"],
  "effect/Schema#Schema.AnyNoContext": ["effect/Schema", "Codec", "<unknown, unknown>"],
  "effect/Schema#Schema.Type": ["effect/Schema", "Schema.Type"],
  "effect/Schema#Schema.Encoded": ["effect/Schema", "Codec.Encoded"],
  "effect/Schema#Schema.Context": ["effect/Schema", "Codec.DecodingServices"],
  "effect/Schema#Struct.Constructor": ["effect/Schema", "Struct.MakeIn"]
}

export const nestedType = (node, api) => {
  const [left, right] = ts.isQualifiedName(node) ? [node.left, node.right] : [node.expression, node.name]
  if (!ts.isQualifiedName(left) && !ts.isPropertyAccessExpression(left)) return undefined
  const member = api.memberOf(left)
  const to = member === undefined ? undefined : nested[`${member.module}#${member.name}.${right.text}`]
  if (to === undefined) return undefined
  const [module, name, args = ""] = to
  const [first, ...rest] = name.split(".")
  return [api.use(node, module, first, { type: true }), ...rest].join(".") + args
}

/** `Data.Case.Constructor<A, "_tag">`: a function that takes all but the tag. */
export const caseConstructor = (node, api) => {
  if (!ts.isQualifiedName(node.typeName) || !ts.isQualifiedName(node.typeName.left)) return undefined
  const member = api.memberOf(node.typeName.left)
  if (member?.module !== "effect/Data" || member.name !== "Case") return undefined
  const [type, tag] = node.typeArguments.map(api.render)
  return `(args: ${
    api.use(node, "effect/Types", "VoidIfEmpty", { type: true })
  }<{ readonly [K in keyof ${type} as K extends ${tag} ? never : K]: ${type}[K] }>) => ${type}`
}

/** The tag of a log level, which is a text itself. */
export const levelTag = (node, api) => {
  if (!ts.isTypeReferenceNode(node.objectType)) return undefined
  const member = api.memberOf(node.objectType.typeName)
  return member?.module === "effect/LogLevel" ? api.render(node.objectType) : undefined
}

/** `Schema.Schema<A, I, R>`: the services of decoding and encoding are two. */
export const codecType = (node, api) => {
  const member = api.memberOf(node.typeName)
  if (member?.module !== "effect/Schema" || member.name !== "Schema") return undefined
  const args = node.typeArguments?.map(api.render) ?? []
  const services = args.length === 3 ? [args[2]] : []
  return `${api.use(node, "effect/Schema", "Codec", { type: true })}<${[...args, ...services].join(", ")}>`
}

/** The name of an interface or type in `extends`, as `interface X extends Schema.Schema<A, I, R>`. */
export const codecHeritage = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const member = api.memberOf(node.expression)
  if (member?.module !== "effect/Schema" || member.name !== "Schema") return undefined
  const args = node.typeArguments?.map(api.render) ?? []
  const services = args.length === 3 ? [args[2]] : []
  return `${api.use(node, "effect/Schema", "Codec", { type: true })}<${[...args, ...services].join(", ")}>`
}
