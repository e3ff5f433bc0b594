import { ChatOpenAI } from "@langchain/openai"

export const open = ({ baseUrl }) => {
  const model = new ChatOpenAI({ model: "gpt-4o-mini", apiKey: "sk-bench", configuration: { baseURL: baseUrl } })
  return {
    call: async (prompt) => (await model.invoke(prompt)).content,
    stream: async (prompt, onText) => {
      for await (const chunk of await model.stream(prompt)) if (chunk.content !== "") onText(chunk.content)
    },
    close: () => {}
  }
}
