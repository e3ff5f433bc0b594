import { createOpenAI } from "@ai-sdk/openai"
import { generateText, streamText } from "ai"

export const open = ({ baseUrl }) => {
  const model = createOpenAI({ apiKey: "sk-bench", baseURL: baseUrl }).chat("gpt-4o-mini")
  return {
    call: async (prompt) => (await generateText({ model, prompt })).text,
    stream: async (prompt, onText) => {
      for await (const text of streamText({ model, prompt }).textStream) onText(text)
    },
    close: () => {}
  }
}
