/** The forms of the rules for members: each writes the new text of a call. */

export const call = (write) => (node, api) => {
  if (!api.ts.isCallExpression(node)) return undefined
  return write(api.args(node), node, api)
}

/** `self` first or, where it is left out, a function of it: both forms of a dual. */
export const dual = (arity, write) =>
  call((args, node, api) =>
    args.length >= arity
      ? write(args[0], args.slice(1), api, node)
      : `((self) => ${write("self", args, api, node)})`
  )

/** A service of the fiber, that is provided. */
export const provided = (module, name) => (node, api) => {
  if (!api.ts.isCallExpression(node)) return undefined
  const args = api.args(node)
  const service = api.use(node, module, name)
  const provide = api.use(node, "effect/Effect", "provideService")
  return args.length === 1 ? `${provide}(${service}, ${args[0]})` : `${provide}(${args[0]}, ${service}, ${args[1]})`
}

export const E = (api, node, name) => api.use(node, "effect/Effect", name)
export const S = (api, node, name) => api.use(node, "effect/Stream", name)
export const L = (api, node, name) => api.use(node, "effect/Layer", name)

/** The text of the property of an object literal that is an argument. */
export const option = (api, node, argument, name) => {
  const object = node.arguments[argument]
  if (object === undefined || !api.ts.isObjectLiteralExpression(object)) return undefined
  for (const property of object.properties) {
    if (property.name?.text !== name) continue
    if (api.ts.isPropertyAssignment(property)) return api.render(property.initializer)
    if (api.ts.isShorthandPropertyAssignment(property)) return property.name.text
  }
  return undefined
}

export const O = (api, node, name) => api.use(node, "effect/Option", name)

export const flow = (api, node) => api.use(node, "effect/Function", "flow")

export const dies = (home) => call(([message], node, api) => `${api.use(node, home, "die")}(new Error(${message}))`)
