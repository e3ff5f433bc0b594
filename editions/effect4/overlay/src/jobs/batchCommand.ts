// In place of declarations: the services of Node have another name, and less has to be installed.

const packages = "  npm install effect@4 @effect/platform-node@4"

const load = () =>
  Promise.all([
    import("./command/app.js"),
    import("@effect/platform-node/NodeServices"),
    import("@effect/platform-node/NodeRuntime")
  ])
