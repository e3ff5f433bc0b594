// In place of declarations: the exporter of Effect 4 keeps or replaces the loggers of a program.

const exporterTo = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "rivers" }, loggerMergeWithExisting: false })
