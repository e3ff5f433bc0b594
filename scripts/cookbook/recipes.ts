/** What the pages of the cookbook run with: a model, its faults, files, and what a person types. */
import * as Simulator from "../../src/testing/Simulator.js"

export interface Recipe extends Pick<Simulator.Options, "answer" | "faults"> {
  /** Files in the folder of the program, by their paths. */
  readonly files?: { readonly [path: string]: string }
  /** What is typed. */
  readonly input?: string
  /** The name of the program. Default: that of the page. */
  readonly program?: string
  /** Whether the program is a server, which the second command of the page asks. */
  readonly serves?: boolean
  /** The part of the output that the page shows. Default: all of it. */
  readonly shown?: (output: string) => string
}

const lastTurn = ({ turns }: Simulator.Prompt) => turns.at(-1)

export const recipes: { readonly [page: string]: Recipe } = {
  tickets: {
    files: {
      "tickets.txt": [
        "My card was charged twice. I need the money back before Friday!",
        "The parcel has not arrived. Where is it?",
        "The app crashes whenever I open the settings.",
        "Which address do you send the invoice to?",
        "(a text that the model refuses)"
      ].join("\n")
    },
    answer: ({ text, turns }) => {
      const ticket = turns.map((turn) => turn.text).join(" ")
      if (ticket.includes("refuses")) return { refusal: "I cannot help with that." }
      const sorted = ([team, urgent, summary]: readonly [string, boolean, string]) =>
        JSON.stringify({ team, urgent, summary })
      if (ticket.includes("card")) return sorted(["billing", true, "Charged twice, wants a refund before Friday"])
      if (ticket.includes("parcel")) return sorted(["shipping", false, "A parcel has not arrived"])
      if (ticket.includes("invoice")) return sorted(["billing", false, "Asks where invoices are sent"])
      // The first answer has a team that does not exist; asked again, it has one.
      return sorted([text.includes("crashes") ? "apps" : "technical", false, "The app crashes in the settings"])
    }
  },
  search: {
    files: {
      "notes/elbe.md":
        "# The Elbe\n\nThe Elbe rises in the Giant Mountains and flows into the North Sea at Cuxhaven.\n",
      "notes/oder.md": "# The Oder\n\nThe Oder flows into the Baltic Sea, through the lagoon of Szczecin.\n",
      "notes/trips.md": "In May we took the bicycles along the Elbe from Dresden to Magdeburg.\n"
    },
    answer: ({ text }) => {
      const at = /\[(\d)\] The Oder flows/.exec(text)?.[1]
      return at === undefined ? "The passages do not say." : `The Oder flows into the Baltic Sea [${at}].`
    }
  },
  endpoint: {
    serves: true,
    answer: () => "Elbe, Oder, Rhine.",
    // The whole response is longer than the page.
    shown: (output) => output.replace(/("response":\{"text":"[^"]*").*/, "$1 ... }}")
  },
  nightly: {
    files: {
      "articles.jsonl": Array.from({ length: 12 }, (_, i) => {
        const words = i === 4 ? "(an article that a filter stops)" : "The council met. ".repeat(40)
        return JSON.stringify({ id: `a${i + 1}`, text: `Article ${i + 1}. ${words}` })
      }).join("\n")
    },
    answer: ({ text }) => `In short, ${text.split(".")[0]} says that the council met. `.repeat(18),
    faults: ({ attempt, prompt: { text } }) =>
      text.includes("a filter stops")
        ? Simulator.status(400, {
          body: {
            error: { message: "Invalid prompt: it was flagged.", type: "invalid_request_error", code: "content_filter" }
          }
        })
        : text.startsWith("Article 2.") && attempt === 1
        ? Simulator.status(503)
        : Simulator.ok
  },
  agent: {
    input: "y\n",
    answer: (prompt) => {
      const last = lastTurn(prompt)
      if (last?.role !== "tool") return { toolCalls: [{ name: "look_up_order", arguments: { order: 17 } }] }
      return last.text.includes("broken")
        ? { toolCalls: [{ name: "refund", arguments: { order: 17, dollars: 480 } }] }
        : { text: "The bicycle of order 17 arrived broken: its $480 are paid back." }
    }
  },
  failover: {
    answer: ({ text }) => `The ${/the (\w+) rise/.exec(text)?.[1]} rises in the mountains.`,
    faults: ({ prompt: { protocol, text } }) =>
      protocol === "openai-responses" && !text.includes("Elbe") ? Simulator.status(503) : Simulator.ok
  },
  tenants: {
    answer: ({ text }) => {
      const river = /the (\w+) rise/.exec(text)?.[1]
      if (river !== undefined) return `The ${river} rises in the mountains.`
      return text.includes("lake") ? "Müritz" : "Elbe"
    }
  },
  chat: {
    input: "Which river is longer, the Elbe or the Oder?\nHow long is it?\nThank you.\n",
    answer: ({ text, turns }) => {
      if (text.startsWith("Which")) return "The Elbe."
      return `You are welcome, for all ${turns.filter(({ role }) => role === "user").length} questions.`
    },
    faults: ({ prompt: { text } }) => text.startsWith("How long") ? Simulator.status(401) : Simulator.ok
  },
  specs: {
    program: "moods.test.ts",
    shown: (output) =>
      output.split("\n").filter((line) => /^\s*(✓|×)|Tests/.test(line)).map((line) =>
        line.replace(/ \d+ms$/, "").replace(/^ +/, "")
      )
        .join("\n")
  },
  compare: {
    answer: ({ model, turns }) => {
      const text = turns.map((turn) => turn.text).join(" ")
      const order = (item: string, count: number) => JSON.stringify({ item, count })
      if (text.includes("nails")) return order("box of nails", 2)
      if (text.includes("ladder")) return order("ladder", 1)
      if (text.includes("Half")) return order("hinge", model.startsWith("gpt") ? 12 : 6)
      return order("hinge", 12)
    }
  }
}
