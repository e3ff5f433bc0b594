import ts from "typescript"

/** What changes its form elsewhere than in a call of one member: types, properties, classes, literals. */

/** Names of properties, by the declaration that has them. */
export const properties = {
  "effect/Clock#Clock.unsafeCurrentTimeMillis": "currentTimeMillisUnsafe",
  "effect/Clock#Clock.unsafeCurrentTimeNanos": "currentTimeNanosUnsafe",
  "effect/Effect#Latch.unsafeClose": "closeUnsafe",
  "effect/Effect#Latch.unsafeOpen": "openUnsafe",
  "effect/Either#Left.left": "failure",
  "effect/Either#Right.right": "success",
  "effect/Fiber#Fiber.await": (node, { render, use }) =>
    `${use(node, "effect/Fiber", "await")}(${render(node.expression)})`,
  "effect/Fiber#RuntimeFiber.currentContext": "context",
  "effect/Fiber#RuntimeFiber.unsafeInterruptAsFork": "interruptUnsafe",
  "effect/Fiber#RuntimeFiber.unsafePoll": "pollUnsafe",
  "effect/LogLevel#All.label": (node, { render }) => `${render(node.expression)}.toUpperCase()`,
  "effect/LogLevel#All._tag": (node, { render }) => render(node.expression),
  "effect/Metric#Metric.unsafeUpdate": "updateUnsafe",
  "@effect/vitest#Methods.scopedLive": "live",
  "@effect/vitest#MethodsNonLive.scoped": "effect",
  "effect/Scope#Scope.strategy": "strategy",
  "effect/Schema#Annotable.annotations": "annotate",
  "effect/Schema#BrandSchema.annotations": "annotate",
  "effect/Schema#Record$.annotations": "annotate",
  "effect/Schema#Struct.annotations": "annotate",
  "effect/Schema#TypeLiteral.annotations": "annotate",
  "effect/Schema#optional.annotations": "annotateKey",
  "effect/Schema#propertySignature.annotations": "annotateKey"
}

/** Types with other arguments, or another name as a type than as a value. */
export const types = {
  "effect/Chunk#Chunk": (node, { render }) => `ReadonlyArray<${node.typeArguments.map(render).join(", ")}>`,
  "@effect/platform/HttpApp#Default": (node, { render, use }) => {
    const [error = "never", services] = node.typeArguments?.map(render) ?? []
    const request = `${use(node, "effect/http/HttpServerRequest", "HttpServerRequest")}`
    return `${use(node, "effect/Effect", "Effect")}<${
      use(node, "effect/http/HttpServerResponse", "HttpServerResponse")
    }, ${error}, ${services === undefined ? request : `${request} | ${services}`}>`
  },
  "@effect/platform/HttpServer#Address": (node, { use }) =>
    `${use(node, "effect/http/HttpServer", "HttpServer")}["Service"]["address"]`
}

const tagsOfEither = { Left: "Failure", Right: "Success" }

/** `"Left"` where it is compared with the tag of an `Either`, by itself or as one of two. */
const eitherTag = (node, api) => {
  const to = tagsOfEither[node.text]
  if (to === undefined) return undefined
  let side = node
  while (ts.isConditionalExpression(side.parent)) side = side.parent
  const { parent } = side
  const compared = ts.isBinaryExpression(parent)
    ? parent.left === side ? parent.right : parent.left
    : ts.isCaseClause(parent)
    ? parent.parent.parent.expression
    : ts.isCallExpression(parent)
    ? parent.arguments.find((argument) => argument !== side)
    : undefined
  if (compared === undefined || !ts.isPropertyAccessExpression(compared)) return undefined
  return api.propertyOf(compared.name)?.module === "effect/Either" ? `"${to}"` : undefined
}

const handlersOfEither = { onLeft: "onFailure", onRight: "onSuccess" }

/** `onLeft` in what is given to `Either.match`. */
const eitherHandler = (node, api) => {
  const to = handlersOfEither[node.name.text]
  if (to === undefined) return undefined
  const symbol = api.checker.getContextualType(node.parent)?.getProperty(node.name.text)
  const owner = symbol?.declarations?.[0]?.getSourceFile().fileName
  if (owner === undefined || !owner.includes("/effect/dist/dts/")) return undefined
  if (ts.isShorthandPropertyAssignment(node)) return `${to}: ${node.name.text}`
  if (ts.isMethodDeclaration(node)) {
    return `${to}${api.sourceFile.text.slice(node.name.end, node.end)}`
  }
  return `${to}: ${api.render(node.initializer)}`
}

/** `class X extends Context.Tag("id")<X, Service>() {}` → `Context.Service<X, Service>()("id")`. */
const tagClass = (node, api) => {
  const { expression } = node
  if (!ts.isCallExpression(expression) || !ts.isCallExpression(expression.expression)) return undefined
  const member = api.memberOf(expression.expression.expression)
  if (member?.module !== "effect/Context" || member.name !== "Tag") return undefined
  const types = expression.typeArguments.map(api.render).join(", ")
  return `${api.use(node, "effect/Context", "Service")}<${types}>()(${api.args(expression.expression).join(", ")})`
}

/** `class X extends Context.Reference<X>()("id", { defaultValue })` → a constant, which is all that it is. */
const referenceClass = (node, api) => {
  const heritage = node.heritageClauses?.[0]?.types[0]?.expression
  if (heritage === undefined || !ts.isCallExpression(heritage) || !ts.isCallExpression(heritage.expression)) {
    return undefined
  }
  const member = api.memberOf(heritage.expression.expression)
  if (member?.module !== "effect/Context" || member.name !== "Reference") return undefined
  const exported = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ? "export " : ""
  const types = heritage.typeArguments === undefined ? "" : `<${heritage.typeArguments.map(api.render).join(", ")}>`
  return `${exported}const ${node.name.text} = ${api.use(node, "effect/Context", "Reference")}${types}(${
    api.args(heritage).join(", ")
  })`
}

/** The name of an error, in front of its message, is its tag; that of a schema in Effect 4 would be its identifier. */
const taggedErrorClass = (node, api) => {
  const heritage = node.heritageClauses?.[0]?.types[0]?.expression
  if (heritage === undefined || !ts.isCallExpression(heritage) || !ts.isCallExpression(heritage.expression)) {
    return undefined
  }
  const member = api.memberOf(heritage.expression.expression)
  if (member?.module !== "effect/Schema" || member.name !== "TaggedError") return undefined
  const [tag] = api.args(heritage)
  return `${api.inner(node).slice(0, -1)}
  static {
    this.prototype.name = ${tag}
  }
}`
}

/** `Context.Tag<Id, Service>` as a type. */
const tagType = (node, api) => {
  const member = ts.isQualifiedName(node.typeName) ? api.memberOf(node.typeName) : undefined
  if (member?.module !== "effect/Context" || member.name !== "Tag") return undefined
  return `${api.use(node, "effect/Context", "Key", { type: true })}<${node.typeArguments.map(api.render).join(", ")}>`
}

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

const nestedType = (node, api) => {
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
const caseConstructor = (node, api) => {
  if (!ts.isQualifiedName(node.typeName) || !ts.isQualifiedName(node.typeName.left)) return undefined
  const member = api.memberOf(node.typeName.left)
  if (member?.module !== "effect/Data" || member.name !== "Case") return undefined
  const [type, tag] = node.typeArguments.map(api.render)
  return `(args: ${
    api.use(node, "effect/Types", "VoidIfEmpty", { type: true })
  }<{ readonly [K in keyof ${type} as K extends ${tag} ? never : K]: ${type}[K] }>) => ${type}`
}

/** `Tag["Type"]` and `Tag.Type`, the service of a tag, have the name `Service`. */
const serviceOfTag = (node, api) => {
  if (!ts.isLiteralTypeNode(node.indexType) || node.indexType.literal.text !== "Type") return undefined
  const type = api.checker.getTypeAtLocation(node.objectType)
  const declaration = type.getProperty("Type")?.declarations?.[0]
  if (declaration === undefined || !declaration.getSourceFile().fileName.includes("/effect/dist/dts/Context.d.ts")) {
    return undefined
  }
  return `${api.render(node.objectType)}["Service"]`
}

/** The tag of a log level, which is a text itself. */
const levelTag = (node, api) => {
  if (!ts.isTypeReferenceNode(node.objectType)) return undefined
  const member = api.memberOf(node.objectType.typeName)
  return member?.module === "effect/LogLevel" ? api.render(node.objectType) : undefined
}

/** `fiber.id()`: a number, which is there. */
const fiberId = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const property = api.propertyOf(node.expression.name)
  return property?.key === "effect/Fiber#RuntimeFiber.id" ? `${api.render(node.expression.expression)}.id` : undefined
}

/** Properties that Effect 4 does not have: the type id of a clock, and an option of spans. */
const isDropped = (property, api) => {
  const { name } = property
  if (name === undefined) return false
  if (ts.isComputedPropertyName(name)) {
    const member = api.memberOf(name.expression)
    return member?.module === "effect/Clock" && member.name === "ClockTypeId"
  }
  if (name.text === "context" && ts.isCallExpression(property.parent.parent)) {
    const member = api.memberOf(property.parent.parent.expression)
    return member?.module === "effect/Tracer" && member.name === "make"
  }
  return name.text === "captureStackTrace"
}

const withoutDropped = (node, api) =>
  node.properties.some((property) => isDropped(property, api))
    ? `{ ${node.properties.filter((property) => !isDropped(property, api)).map(api.render).join(", ")} }`
    : undefined

/** The members of a clock, which tells monotone time, too, in Effect 4. */
const clockNames = {
  unsafeCurrentTimeMillis: "currentTimeMillisUnsafe",
  unsafeCurrentTimeNanos: "currentTimeNanosUnsafe"
}

const clockMember = (node, api) => {
  const to = clockNames[node.name.text]
  if (to === undefined || !ts.isObjectLiteralExpression(node.parent)) return undefined
  const rest = ts.isShorthandPropertyAssignment(node)
    ? `: ${node.name.text}`
    : ts.isPropertyAssignment(node)
    ? `: ${api.render(node.initializer)}`
    : api.inner(node).slice(node.name.text.length)
  const monotone = node.name.text !== "unsafeCurrentTimeNanos" ? "" : `,\nmonotonicTimeNanosUnsafe${rest}`
  return `${to}${rest}${monotone}`
}

const clockEffect = (node, api) =>
  node.name.text === "currentTimeNanos" && ts.isPropertyAssignment(node) &&
    node.parent.properties.some(({ name }) => name?.text === "unsafeCurrentTimeNanos")
    ? `${api.inner(node)},\nmonotonicTimeNanos: ${api.render(node.initializer)}`
    : undefined

/** `disableValidation` of a constructor is `disableChecks`. */
const validation = (node, api) =>
  node.name.text === "disableValidation" && ts.isPropertyAssignment(node)
    ? `disableChecks: ${api.render(node.initializer)}`
    : undefined

/** The message of an issue that a filter returns is its `issue`. */
const filterIssue = (node, api) => {
  if (node.name.text !== "message" || !ts.isPropertyAssignment(node)) return undefined
  const siblings = node.parent.properties.map(({ name }) => name?.text)
  if (siblings.length !== 2 || !siblings.includes("path")) return undefined
  const contextual = api.checker.getContextualType(node.parent)
  const types = contextual === undefined ? [] : contextual.isUnion() ? contextual.types : [contextual]
  return types.some((type) =>
      type.getProperty("message")?.declarations?.[0]?.getSourceFile().fileName.endsWith("/effect/dist/dts/Schema.d.ts")
    )
    ? `issue: ${api.render(node.initializer)}`
    : undefined
}

/** Whether a type is one of a module of Effect: `isOf(type, "effect/Either")`. A union, if all of its members are. */
const isOf = (type, module, api) =>
  type.isUnion()
    ? type.types.every((member) => isOf(member, module, api))
    : api.moduleOfType(type) === module && type.flags !== ts.TypeFlags.Any

const mayBeEffect = (type, api) =>
  type.isUnion()
    ? type.types.some((member) => mayBeEffect(member, api))
    : type.symbol?.name === "Effect" && api.moduleOfType(type) === "effect/Effect"

/** What was an effect itself, and has a function that makes one of it. */
const effects = {
  "effect/Either": ["effect/Effect", "fromResult"],
  "effect/Option": ["effect/Effect", "fromOption"],
  "effect/Fiber": ["effect/Fiber", "join"],
  "effect/Deferred": ["effect/Deferred", "await"],
  "effect/Ref": ["effect/Ref", "get"]
}

/** Wraps a value that stands where an effect is wanted. */
const asEffect = (node, api) => {
  if (api.wrapping.has(node) || ts.isIdentifier(node) && !api.isReference(node)) return undefined
  const yielded = ts.isYieldExpression(node.parent) && node.parent.asteriskToken !== undefined
  if (yielded && isOwnGenerator(node, api)) return undefined
  const contextual = yielded ? undefined : api.checker.getContextualType(node)
  if (!yielded && (contextual === undefined || !mayBeEffect(contextual, api))) return undefined
  if (ts.isConditionalExpression(node) || ts.isParenthesizedExpression(node)) return undefined
  const type = api.checker.getTypeAtLocation(node)
  if (!yielded && isEitherIn(contextual, api)) return undefined
  for (const [module, [home, wrap]] of Object.entries(effects)) {
    if (!isOf(type, module, api)) continue
    api.wrapping.add(node)
    return `${api.use(node, home, wrap)}(${api.render(node)})`
  }
  return undefined
}

/** Whether a generator is that of `Either.gen` or `Option.gen`, which yields what it is named after. */
const isOwnGenerator = (node, api) => {
  const body = ts.findAncestor(node, (at) => ts.isFunctionExpression(at) && at.asteriskToken !== undefined)
  const member = body !== undefined && ts.isCallExpression(body.parent)
    ? api.memberOf(body.parent.expression)
    : undefined
  return member?.name === "gen" && (member.module === "effect/Either" || member.module === "effect/Option")
}

const isEitherIn = (type, api) =>
  type.isUnion() ? type.types.some((member) => isEitherIn(member, api)) : api.moduleOfType(type) === "effect/Either"

/** A fiber that has not ended polls as `undefined`, and no longer as `null`. */
const polled = (node, api) => {
  const { left, operatorToken, right } = node
  if (right.kind !== ts.SyntaxKind.NullKeyword) return undefined
  if (ts.isPropertyAccessExpression(left) || !ts.isIdentifier(left) && !ts.isCallExpression(left)) return undefined
  const symbol = api.resolved(left)
  const type = symbol?.valueDeclaration === undefined
    ? api.checker.getTypeAtLocation(left)
    : api.checker.getTypeOfSymbolAtLocation(symbol, symbol.valueDeclaration)
  const members = type.isUnion() ? type.types : [type]
  return members.some((member) => api.moduleOfType(member) === "effect/Exit")
    ? `${api.render(left)} ${operatorToken.getText(api.sourceFile)} undefined`
    : undefined
}

/** `null` where it is compared with the exit of a poll, as in `assert.strictEqual(fiber.unsafePoll(), null)`. */
const polledNull = (node, api) => {
  const { parent } = node
  if (!ts.isCallExpression(parent)) return undefined
  return parent.arguments.some((argument) => argument !== node && holdsExit(argument, api)) ? "undefined" : undefined
}

/** `assert.isNull(fiber.unsafePoll())`. */
const pollAssertion = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const to = { isNull: "isUndefined", isNotNull: "isDefined" }[node.expression.name.text]
  const [argument, ...others] = node.arguments
  if (to === undefined || argument === undefined || !holdsExit(argument, api)) return undefined
  return `${api.render(node.expression.expression)}.${to}(${[argument, ...others].map(api.render).join(", ")})`
}

const holdsExit = (expression, api) => {
  const symbol = ts.isIdentifier(expression) ? api.resolved(expression) : undefined
  const type = symbol?.valueDeclaration === undefined
    ? api.checker.getTypeAtLocation(expression)
    : api.checker.getTypeOfSymbolAtLocation(symbol, symbol.valueDeclaration)
  return (type.isUnion() ? type.types : [type]).some((member) => api.moduleOfType(member) === "effect/Exit")
}

/** What a span was made with is its annotations. */
const spanContext = (node, api) => {
  if (node.name.text !== "context") return undefined
  const property = api.checker.getContextualType(node.parent)?.getProperty("context")
  if (!property?.declarations?.[0]?.getSourceFile().fileName.endsWith("/effect/dist/dts/Tracer.d.ts")) return undefined
  return `annotations: ${ts.isShorthandPropertyAssignment(node) ? "context" : api.render(node.initializer)}`
}

/** `"Warning"` where it is a level: that of Effect 4 has another name. */
const warningLevel = (node, api) => {
  if (node.text !== "Warning") return undefined
  const type = api.checker.getContextualType(node)
  const levels = type?.isUnion() === true ? type.types.map(({ value }) => value) : []
  return levels.includes("Fatal") && levels.includes("Trace") ? "\"Warn\"" : undefined
}

/** The tag of an error of a schema. */
const schemaErrorTag = (node) => node.text === "ParseError" ? "\"SchemaError\"" : undefined

/** The function of a tracer that makes spans takes one object. */
const spanMaker = (node, api) => {
  if (node.name.text !== "span" || !ts.isPropertyAssignment(node) || !ts.isArrowFunction(node.initializer)) {
    return undefined
  }
  const call = node.parent.parent
  const member = ts.isCallExpression(call) ? api.memberOf(call.expression) : undefined
  if (member?.module !== "effect/Tracer" || member.name !== "make") return undefined
  const names = ["name", "parent", "annotations", "links", "startTime", "kind"]
  const given = node.initializer.parameters.map(({ name }, at) => `${names[at]}: ${name.getText(api.sourceFile)}`)
  return `span: ({ ${given.join(", ")} }) => ${api.render(node.initializer.body)}`
}

/** The type of a reference, which is no requirement: it has a value of its own. */
const referenceType = (node, api) => {
  const declaration = api.resolved(node.typeName)?.declarations?.find(ts.isClassDeclaration)
  const heritage = declaration?.heritageClauses?.[0]?.types[0]?.expression
  const text = heritage === undefined ? "" : heritage.getText(declaration.getSourceFile())
  return text.startsWith("Context.Reference<") ? "never" : undefined
}

/** `Schema.Schema<A, I, R>`: the services of decoding and encoding are two. */
const codecType = (node, api) => {
  const member = api.memberOf(node.typeName)
  if (member?.module !== "effect/Schema" || member.name !== "Schema") return undefined
  const args = node.typeArguments?.map(api.render) ?? []
  const services = args.length === 3 ? [args[2]] : []
  return `${api.use(node, "effect/Schema", "Codec", { type: true })}<${[...args, ...services].join(", ")}>`
}

/** `_tag`, `error` and `defect` of a cause, which is a list of reasons. */
const causeProperty = (node, api) => {
  const { name } = node
  if (!["_tag", "error", "defect"].includes(name.text)) return undefined
  if (api.propertyOf(name)?.module !== "effect/Cause") return undefined
  const optional = name.text === "_tag" ? "?." : "."
  return `${api.render(node.expression)}.reasons[0]${optional}${name.text}`
}

/** The name of an interface or type in `extends`, as `interface X extends Schema.Schema<A, I, R>`. */
const codecHeritage = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const member = api.memberOf(node.expression)
  if (member?.module !== "effect/Schema" || member.name !== "Schema") return undefined
  const args = node.typeArguments?.map(api.render) ?? []
  const services = args.length === 3 ? [args[2]] : []
  return `${api.use(node, "effect/Schema", "Codec", { type: true })}<${[...args, ...services].join(", ")}>`
}

/** `it.effect.prop(…)`: the arbitraries of fast-check are checked by a function of the edition's own. */
const propertyTest = (node, api) => {
  if (!ts.isPropertyAccessExpression(node.expression)) return undefined
  const property = api.propertyOf(node.expression.name)
  if (property?.module !== "@effect/vitest" || property.name !== "prop") return undefined
  const name = property.owner === "Tester" ? "effectProp" : "prop"
  return `${api.own("test/support/properties.ts", name)}(${api.args(node).join(", ")})`
}

const property = (...rules) => (node, api) => {
  if (!ts.isIdentifier(node.name)) return undefined
  for (const rule of rules) {
    const text = rule(node, api)
    if (text !== undefined) return text
  }
  return undefined
}

/** Rules for each expression, before those of its kind. */
export const expressions = [asEffect]

/** Rules by the kind of a node, in their order. */
export const nodes = {
  [ts.SyntaxKind.StringLiteral]: [eitherTag, warningLevel, schemaErrorTag],
  [ts.SyntaxKind.NullKeyword]: [polledNull],
  [ts.SyntaxKind.ObjectLiteralExpression]: [withoutDropped],
  [ts.SyntaxKind.PropertyAssignment]: [
    property(eitherHandler, spanMaker, spanContext, validation, filterIssue, clockMember, clockEffect)
  ],
  [ts.SyntaxKind.ShorthandPropertyAssignment]: [property(eitherHandler, spanContext, clockMember)],
  [ts.SyntaxKind.MethodDeclaration]: [property(eitherHandler, clockMember)],
  [ts.SyntaxKind.ExpressionWithTypeArguments]: [tagClass, codecHeritage],
  [ts.SyntaxKind.ClassDeclaration]: [referenceClass, taggedErrorClass],
  [ts.SyntaxKind.TypeReference]: [caseConstructor, tagType, referenceType, codecType],
  [ts.SyntaxKind.QualifiedName]: [nestedType],
  [ts.SyntaxKind.IndexedAccessType]: [serviceOfTag, levelTag],
  [ts.SyntaxKind.BinaryExpression]: [polled],
  [ts.SyntaxKind.CallExpression]: [fiberId, pollAssertion, propertyTest],
  [ts.SyntaxKind.PropertyAccessExpression]: [nestedType, causeProperty]
}
