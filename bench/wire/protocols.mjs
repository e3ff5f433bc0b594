/** The bodies of three protocols, as far as the clients look at them. */

const created = 1_760_000_000
const model = "gpt-4o-mini"
const tokens = (pieces) => ({ input: 60, output: pieces.length })

const data = (value) => `data: ${JSON.stringify(value)}\n\n`
const named = (value) => `event: ${value.type}\n${data(value)}`

const chat = {
  prompt: (body) => contentText(body.messages.at(-1).content),
  whole: (id, pieces) => {
    const { input, output } = tokens(pieces)
    return {
      id: `chatcmpl-${id}`,
      object: "chat.completion",
      created,
      model,
      choices: [{
        index: 0,
        message: { role: "assistant", content: pieces.join(""), refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: "stop"
      }],
      usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
      system_fingerprint: "fp_b1d05a5a1c"
    }
  },
  events: (id, pieces) => {
    const { input, output } = tokens(pieces)
    const chunk = (choices, more) =>
      data({
        id: `chatcmpl-${id}`,
        object: "chat.completion.chunk",
        created,
        model,
        system_fingerprint: "fp_b1d05a5a1c",
        choices,
        ...more
      })
    const choice = (delta, finish_reason = null) => [{ index: 0, delta, logprobs: null, finish_reason }]
    return [
      chunk(choice({ role: "assistant", content: "", refusal: null })),
      ...pieces.map((content) => chunk(choice({ content }))),
      chunk(choice({}, "stop")),
      chunk([], { usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } }),
      "data: [DONE]\n\n"
    ]
  }
}

const responses = {
  prompt: (body) => typeof body.input === "string" ? body.input : contentText(body.input.at(-1).content),
  whole: (id, pieces) => responseOf(id, pieces, "completed"),
  events: (id, pieces) => {
    const item_id = `msg_${id}`
    const place = { item_id, output_index: 0, content_index: 0 }
    let sequence_number = 0
    const event = (type, fields) => named({ type, sequence_number: sequence_number++, ...fields })
    const item = (status, content) => ({ id: item_id, type: "message", status, role: "assistant", content })
    const part = (text) => ({ type: "output_text", annotations: [], logprobs: [], text })
    const text = pieces.join("")
    return [
      event("response.created", { response: responseOf(id, [], "in_progress") }),
      event("response.in_progress", { response: responseOf(id, [], "in_progress") }),
      event("response.output_item.added", { output_index: 0, item: item("in_progress", []) }),
      event("response.content_part.added", { ...place, part: part("") }),
      ...pieces.map((delta) => event("response.output_text.delta", { ...place, delta, logprobs: [] })),
      event("response.output_text.done", { ...place, text, logprobs: [] }),
      event("response.content_part.done", { ...place, part: part(text) }),
      event("response.output_item.done", { output_index: 0, item: item("completed", [part(text)]) }),
      event("response.completed", { response: responseOf(id, pieces, "completed") })
    ]
  }
}

const responseOf = (id, pieces, status) => {
  const { input, output } = tokens(pieces)
  const done = status === "completed"
  return {
    id: `resp_${id}`,
    object: "response",
    created_at: created,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model,
    output: done
      ? [{
        id: `msg_${id}`,
        type: "message",
        status,
        role: "assistant",
        content: [{ type: "output_text", annotations: [], logprobs: [], text: pieces.join("") }]
      }]
      : [],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: "default",
    store: true,
    temperature: 0,
    text: { format: { type: "text" }, verbosity: "medium" },
    tool_choice: "auto",
    tools: [],
    top_logprobs: 0,
    top_p: 1,
    truncation: "disabled",
    usage: done
      ? {
        input_tokens: input,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: output,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: input + output
      }
      : null,
    user: null
  }
}

const messages = {
  prompt: (body) => contentText(body.messages.at(-1).content),
  whole: (id, pieces) => {
    const { input, output } = tokens(pieces)
    return {
      id: `msg_${id}`,
      type: "message",
      role: "assistant",
      model: "claude-haiku-4-5",
      content: [{ type: "text", text: pieces.join("") }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: input, output_tokens: output }
    }
  },
  events: (id, pieces) => {
    const { input, output } = tokens(pieces)
    return [
      named({
        type: "message_start",
        message: {
          id: `msg_${id}`,
          type: "message",
          role: "assistant",
          model: "claude-haiku-4-5",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: input, output_tokens: 1 }
        }
      }),
      named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
      ...pieces.map((text) => named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } })),
      named({ type: "content_block_stop", index: 0 }),
      named({
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: output }
      }),
      named({ type: "message_stop" })
    ]
  }
}

const contentText = (content) => typeof content === "string" ? content : content.map((part) => part.text).join("")

/** By the path of the request. */
export const protocols = {
  "/v1/chat/completions": chat,
  "/v1/responses": responses,
  "/v1/messages": messages
}
