// In place of declarations: the labels of a fiber are attributes in Effect 4.
import type { Labels } from "./metricFamily.js"

type Recorder = (event: LlmEvent.LlmEvent, labels: Labels) => void
