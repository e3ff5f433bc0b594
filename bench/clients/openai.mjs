import OpenAI from "openai"

export const open = ({ baseUrl }) => {
  const client = new OpenAI({ apiKey: "sk-bench", baseURL: baseUrl })
  const bodyOf = (prompt) => ({ model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }] })
  return {
    call: async (prompt) => (await client.chat.completions.create(bodyOf(prompt))).choices[0].message.content,
    stream: async (prompt, onText) => {
      const chunks = await client.chat.completions.create({
        ...bodyOf(prompt),
        stream: true,
        stream_options: { include_usage: true }
      })
      for await (const chunk of chunks) {
        const delta = chunk.choices[0]?.delta.content
        if (delta) onText(delta)
      }
    },
    close: () => {}
  }
}
