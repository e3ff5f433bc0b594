import { ChatOpenAI } from "@langchain/openai"

const model = new ChatOpenAI({ model: "gpt-4o-mini", apiKey: process.env.OPENAI_API_KEY })
console.log((await model.invoke("Name three rivers.")).content)
