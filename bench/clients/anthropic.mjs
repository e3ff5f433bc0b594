import Anthropic from "@anthropic-ai/sdk"

export const open = ({ baseUrl }) => {
  const client = new Anthropic({ apiKey: "sk-bench", baseURL: baseUrl.replace(/\/v1$/, "") })
  const bodyOf = (prompt) => ({
    // A name that the SDK does not warn of on each call.
    model: "claude-bench",
    max_tokens: 1024,
    messages: [{ role: "user", content: prompt }]
  })
  return {
    call: async (prompt) => (await client.messages.create(bodyOf(prompt))).content[0].text,
    stream: async (prompt, onText) => {
      for await (const event of await client.messages.create({ ...bodyOf(prompt), stream: true })) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") onText(event.delta.text)
      }
    },
    close: () => {}
  }
}
