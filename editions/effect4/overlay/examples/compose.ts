// In place of declarations: a schema writes its JSON Schema itself in Effect 4, and a tracer gets a span's options as one.

const outputSchema = { name: "triage", schema: { ...Schema.toJsonSchemaDocument(Triage).schema } }

const TracerLive = Layer.unwrap(Effect.map(Effect.tracer, (tracer) =>
  Layer.succeed(
    Tracer.Tracer,
    Tracer.make({
      span: (options) => {
        spans.set(options.name, (spans.get(options.name) ?? 0) + 1)
        return tracer.span(options)
      }
    })
  )))
