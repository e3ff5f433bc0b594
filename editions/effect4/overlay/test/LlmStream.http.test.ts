// In place of declarations: the routers and APIs of Effect 4 are layers, and its endpoints take their schemas as options.

const serveRouter = (
  routes: ReadonlyArray<
    readonly [path: HttpRouter.PathInput, app: HttpRouter.Route<never, HttpServerRequest.HttpServerRequest>["handler"]]
  >
) =>
  Layer.build(
    HttpRouter.serve(
      HttpRouter.addAll(routes.map(([path, app]) => HttpRouter.route("GET", path, app))),
      { disableListenLog: true, disableLogger: true }
    )
  )

const Api = HttpApi.make("api").add(
  HttpApiGroup.make("story").add(HttpApiEndpoint.get("whole", "/whole", { success: Schema.String }))
)

/** Serves the API. */
const serveApi = Layer.build(
  HttpRouter.serve(HttpApiBuilder.layer(Api).pipe(Layer.provide(Story)), {
    disableListenLog: true,
    disableLogger: true
  })
)
