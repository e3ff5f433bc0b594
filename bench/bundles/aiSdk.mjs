import { createOpenAI } from "@ai-sdk/openai"
import { generateText } from "ai"

const model = createOpenAI({ apiKey: process.env.OPENAI_API_KEY }).chat("gpt-4o-mini")
console.log((await generateText({ model, prompt: "Name three rivers." })).text)
