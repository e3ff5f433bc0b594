/** Node's own fetch, with as little around it as the floor has. */
export const open = ({ baseUrl }) => {
  const url = `${baseUrl}/chat/completions`
  const headers = { "content-type": "application/json", authorization: "Bearer sk-bench" }
  const ask = (prompt, more) =>
    fetch(url, {
      method: "POST",
      headers,
      body: JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: prompt }], ...more })
    })

  const stream = async (prompt, onText) => {
    const { body } = await ask(prompt, { stream: true, stream_options: { include_usage: true } })
    const decoder = new TextDecoder()
    let rest = ""
    for await (const bytes of body) {
      const text = rest + decoder.decode(bytes, { stream: true })
      let from = 0
      for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", from)) {
        const data = text.slice(from + 6, end)
        from = end + 2
        if (data === "[DONE]") return
        const delta = JSON.parse(data).choices[0]?.delta.content
        if (delta !== undefined && delta !== "") onText(delta)
      }
      rest = text.slice(from)
    }
  }

  return {
    call: async (prompt) => (await (await ask(prompt)).json()).choices[0].message.content,
    stream,
    close: () => {}
  }
}
