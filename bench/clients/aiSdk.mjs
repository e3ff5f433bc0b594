import { createOpenAI } from "@ai-sdk/openai"
import { generateText, streamObject, streamText } from "ai"

const schema = async () => {
  const { z } = await import("zod")
  return z.object({
    title: z.string(),
    rivers: z.array(z.object({ name: z.string(), length: z.number(), course: z.string() }))
  })
}

export const open = ({ baseUrl }) => {
  const model = createOpenAI({ apiKey: "sk-bench", baseURL: baseUrl }).chat("gpt-4o-mini")
  return {
    call: async (prompt) => (await generateText({ model, prompt })).text,
    stream: async (prompt, onText) => {
      for await (const text of streamText({ model, prompt }).textStream) onText(text)
    },
    object: async (prompt, onPartial) => {
      const { partialObjectStream, object } = streamObject({ model, prompt, schema: await schema() })
      for await (const partial of partialObjectStream) onPartial(partial)
      return object
    },
    close: () => {}
  }
}
