import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import * as Inspector from "effect-llm/Inspector"
import * as LlmCache from "effect-llm/LlmCache"
import * as LlmClient from "effect-llm/LlmClient"
import * as LlmEvent from "effect-llm/LlmEvent"
import * as LlmLogger from "effect-llm/LlmLogger"
import * as LlmRequest from "effect-llm/LlmRequest"
import * as RateLimit from "effect-llm/RateLimit"
import * as LlmTest from "effect-llm/testing/LlmTest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as TestContext from "effect/TestContext"
import { createServer } from "node:http"
import type { Page } from "playwright-core"
import { openPage, suiteInChromium } from "../chromium.js"
import { noCache } from "../support/caches.js"
import { serverFailed } from "../support/errors.js"
import { request, respond } from "../support/samples.js"
import { answered, common, failing, gaveUp, missed, queued, started } from "./history.js"

/** An inspector, and a page that shows it. */
const shown = (options: Inspector.Options = {}) =>
  Effect.gen(function*() {
    const server = yield* Layer.build(NodeHttpServer.layer(() => createServer(), { host: "127.0.0.1", port: 0 }))
    const inspector = yield* Effect.provide(Inspector.make(options), server)
    const page = yield* openPage
    const problems: Array<string> = []
    const requested: Array<string> = []
    page.on("pageerror", ({ message }) => problems.push(message))
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
    page.on("request", (asked) => requested.push(new URL(asked.url()).origin))
    const inBrowser = <A>(use: (page: Page) => Promise<A>) => Effect.promise(() => use(page))
    yield* inBrowser((page) => page.goto(inspector.url))
    return { ...inspector, inBrowser, problems, requested }
  })

const rows = "#calls li:visible"

/** The texts of all bars, the newest call first, once there are so many. */
const barsOf = (count: number) => async (page: Page) => {
  await page.locator(rows).nth(count - 1).waitFor()
  return page.locator(`${rows} .bar`).evaluateAll((bars) => bars.map((bar) => bar.getAttribute("aria-label") ?? ""))
}

const focusedOf = (page: Page) => page.evaluate(() => document.activeElement?.querySelector(".name b")?.textContent)

/** A call for a model of its own, which has ended. */
const ended = (id: string, model: string) => [
  { ...started(id), model },
  { ...answered(id, 1, 0.25), model }
]

suiteInChromium("The inspector in a browser", () => {
  it.scopedLive("describes a call of 9 seconds in words: the times sum to it", () =>
    Effect.gen(function*() {
      const { inBrowser, logger, problems } = yield* shown()
      // On a clock of its own: another call has the only place of the limit for 3 seconds.
      yield* Effect.gen(function*() {
        const provider = yield* LlmTest.make([
          Effect.delay(Effect.succeed(respond("Oder")), "3 seconds"),
          Effect.zipRight(Effect.sleep("1500 millis"), serverFailed),
          Effect.delay(Effect.succeed(respond("Elbe")), "3500 millis")
        ], { name: "openai" })
        const slow: LlmCache.Service = { ...noCache, get: () => Effect.delay(Effect.succeedNone, "1 second") }
        const context = yield* Layer.build(
          LlmClient.layer({ retry: { jitter: false }, cache: { getTimeout: "2 seconds" } }).pipe(Layer.provide([
            provider.layer.pipe(RateLimit.limit({ concurrency: 1 })),
            Layer.succeed(LlmCache.LlmCache, slow),
            Layer.succeed(LlmLogger.LlmLogger, logger)
          ]))
        )
        const client = Context.get(context, LlmClient.LlmClient)
        const first = yield* Effect.fork(client.call({ ...request, prompt: "Name a river." }, { cache: "bypass" }))
        const second = yield* Effect.fork(client.call(request))
        yield* TestClock.adjust("9 seconds")
        yield* Fiber.joinAll([first, second])
      }).pipe(Effect.scoped, Effect.provide(TestContext.TestContext))

      yield* inBrowser((page) => page.locator(`${rows}.ok`).nth(1).waitFor())
      const bars = yield* inBrowser(barsOf(2))
      const [bar] = bars.filter((text) => text.includes("cache"))
      assert.strictEqual(
        bar,
        "cache 1 s, queue of openai/gpt-4o-mini 2 s, attempt 1 1.5 s (ServerFailed), back-off 1 s, attempt 2 3.5 s; in all 9 s"
      )
      const times = [...bar!.split(";")[0]!.matchAll(/ ([\d.]+) s(?= |,|$)/g)].map(([, seconds]) => Number(seconds))
      assert.deepStrictEqual([times.length, times.reduce((sum, seconds) => sum + seconds)], [5, 9])
      // As people and their screen readers find it.
      const named = yield* inBrowser((page) =>
        page.getByRole("button", { name: /answered.*cache 1 s, queue.*9 s/ }).count()
      )
      assert.strictEqual(named, 1)
      assert.deepStrictEqual(problems, [])
    }), 60_000)

  it.scopedLive("shows calls as they come and go, and asks nobody but the inspector", () =>
    Effect.gen(function*() {
      const { inBrowser, logger, problems, requested, url } = yield* shown()
      assert.strictEqual(yield* inBrowser((page) => page.locator("#none").textContent()), "No calls yet.")
      yield* logger.log(missed("a", 5))
      yield* logger.log(started("a"))
      yield* logger.log(queued("a"))
      yield* inBrowser((page) =>
        page.locator(`${rows}.running .bar[aria-label*="queue"]`).waitFor({ state: "attached" })
      )
      const [running] = yield* inBrowser(barsOf(1))
      assert.match(
        running!,
        /^cache 5 ms, (start \d+ ms, )?(attempt 1 \d+ ms, )?queue of openai\/gpt-4o-mini .* so far; .* so far$/
      )
      yield* inBrowser((page) => page.getByText("1 call waits").waitFor())
      yield* logger.log(answered("a"))
      yield* inBrowser((page) => page.locator(`${rows}.ok`).waitFor())
      assert.deepStrictEqual([...new Set(requested)], [url])
      assert.deepStrictEqual(problems, [])
    }), 60_000)

  it.scopedLive("leaves any text a text", () =>
    Effect.gen(function*() {
      const { inBrowser, logger, problems } = yield* shown({ content: true })
      const evil = `<script>window.stolen = 1</script><img src=x onerror="window.stolen = 2">"'\u202e`
      const asked = yield* LlmRequest.decode({ model: "gpt-4o-mini", prompt: evil })
      const tags = { [`<b>${evil}`]: evil }
      yield* logger.log({ ...started("a"), model: evil, provider: evil, tags, request: asked })
      yield* logger.log({
        ...LlmEvent.CallOk({
          ...common("a"),
          attempt: 1,
          latency: Duration.zero,
          response: respond(evil, { model: evil })
        }),
        tags
      })
      yield* logger.log({ ...failing("b", 1), model: evil })
      yield* logger.log(LlmEvent.BudgetSpent({ ...common("a"), scope: evil, tokens: 1 }))
      yield* inBrowser((page) => page.locator(rows).first().click())
      yield* inBrowser((page) => page.locator("#detail .message").nth(1).waitFor())
      const [stolen, injected, texts] = yield* inBrowser((page) =>
        page.evaluate(() => [
          "stolen" in window,
          document.querySelectorAll("body script, body img, body b b").length,
          [...document.querySelectorAll("#detail .message pre")].map((pre) => pre.textContent)
        ])
      )
      assert.deepStrictEqual([stolen, injected], [false, 0])
      assert.deepStrictEqual(texts, [evil, evil])
      assert.deepStrictEqual(problems, [])
    }), 60_000)

  it.scopedLive("is used by the keyboard alone", () =>
    Effect.gen(function*() {
      const { inBrowser, logger, problems } = yield* shown()
      for (const event of ["one", "two", "three"].flatMap((model) => ended(model, model))) yield* logger.log(event)
      yield* inBrowser((page) => page.locator(rows).nth(2).waitFor())
      const press = (...keys: ReadonlyArray<string>) =>
        inBrowser(async (page) => {
          for (const key of keys) await page.keyboard.press(key)
        })
      yield* press("/")
      assert.strictEqual(yield* inBrowser((page) => page.evaluate(() => document.activeElement?.id)), "text")
      yield* press("ArrowDown")
      assert.strictEqual(yield* inBrowser(focusedOf), "three")
      yield* press("ArrowDown", "ArrowDown", "ArrowDown")
      assert.strictEqual(yield* inBrowser(focusedOf), "one")
      yield* press("Home", "ArrowDown")
      assert.strictEqual(yield* inBrowser(focusedOf), "two")
      // The focus can be seen.
      const outline = yield* inBrowser((page) =>
        page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)
      )
      assert.strictEqual(outline, "solid")

      yield* press("Enter")
      yield* inBrowser((page) => page.locator("#detail table").first().waitFor())
      assert.match((yield* inBrowser((page) => page.locator("#detail-title").textContent()))!, /^two/)
      assert.strictEqual(yield* inBrowser((page) => page.evaluate(() => document.activeElement?.id)), "detail-title")
      assert.strictEqual(yield* inBrowser((page) => page.locator("[aria-expanded=true]").count()), 1)
      yield* press("Escape")
      assert.isTrue(yield* inBrowser((page) => page.locator("#detail").isHidden()))
      assert.strictEqual(yield* inBrowser(focusedOf), "two")
      // One stop for Tab among all calls.
      assert.strictEqual(yield* inBrowser((page) => page.locator("#calls button[tabindex='0']").count()), 1)
      assert.deepStrictEqual(problems, [])
    }), 60_000)

  it.scopedLive("filters by text, outcome and model, and sums what it shows", () =>
    Effect.gen(function*() {
      const { inBrowser, logger } = yield* shown()
      for (const event of [...ended("a", "one"), ...ended("b", "two"), ...ended("c", "two")]) yield* logger.log(event)
      yield* logger.log(failing("d", 1, false))
      yield* logger.log(started("d"))
      yield* logger.log(failing("d", 1, false))
      yield* logger.log(gaveUp("d"))
      yield* inBrowser((page) => page.locator(rows).nth(3).waitFor())
      yield* inBrowser((page) => page.locator(`${rows}.failed`).waitFor())
      const sums = () =>
        inBrowser(async (page) => {
          const texts = await page.locator("#sums dd").allTextContents()
          return [texts[0], texts[2], texts[5], texts[7]]
        })
      const filter = (use: (page: Page) => Promise<unknown>, count: number) =>
        Effect.gen(function*() {
          yield* inBrowser(use)
          yield* inBrowser((page) =>
            page.waitForFunction((count) => document.querySelectorAll("#calls li").length === count, count)
          )
          return yield* sums()
        })
      assert.deepStrictEqual(yield* sums(), ["4", "1", "33", "$0.7500"])
      assert.deepStrictEqual(yield* filter((page) => page.selectOption("#model", "two"), 2), [
        "2 of 4",
        "0",
        "22",
        "$0.5000"
      ])
      assert.deepStrictEqual(yield* filter((page) => page.selectOption("#model", ""), 4), ["4", "1", "33", "$0.7500"])
      assert.deepStrictEqual(yield* filter((page) => page.selectOption("#outcome", "failed"), 1), [
        "1 of 4",
        "1",
        "0",
        "–"
      ])
      yield* filter((page) => page.selectOption("#outcome", ""), 4)
      assert.deepStrictEqual(yield* filter((page) => page.fill("#text", "OVERLOADED openai"), 1), [
        "1 of 4",
        "1",
        "0",
        "–"
      ])
      yield* filter((page) => page.fill("#text", "nothing of this"), 0)
      assert.strictEqual(yield* inBrowser((page) => page.locator("#none").textContent()), "No call passes the filter.")
    }), 60_000)

  it.scopedLive("shows what the program's own limits hold, as it refills", () =>
    Effect.gen(function*() {
      const { inBrowser, logger, problems } = yield* shown()
      yield* logger.log(started("a"))
      yield* logger.log(LlmEvent.RateLimitUsed({
        ...common("a"),
        running: 3,
        concurrency: 8,
        left: {
          // In so long a time, not one request comes back until it is read.
          requests: { limit: 60, remaining: 12, resetAfter: Duration.hours(48) },
          tokens: { limit: 9_000, remaining: -20, resetAfter: Duration.zero }
        }
      }))
      const text = yield* inBrowser(async (page) => {
        await page.locator(".policy .fill").nth(1).waitFor()
        return page.locator(".policy p").textContent()
      })
      assert.include(text!, "3 of 8 at a time · 12 of 60 requests left here · 9,000 of 9,000 tokens left here")
      const meters = yield* inBrowser((page) =>
        page.locator(".policy meter").evaluateAll((all) => all.map((meter) => (meter as HTMLMeterElement).value))
      )
      assert.deepStrictEqual(meters, [12, 9_000])
      assert.deepStrictEqual(problems, [])
    }), 60_000)

  it.scopedLive("fits a window of 640 pixels, in light and dark", () =>
    Effect.gen(function*() {
      const { inBrowser, logger } = yield* shown({ content: true })
      const asked = yield* LlmRequest.decode({ model: "m".repeat(80), prompt: "word ".repeat(400) })
      for (const event of ended("a", "m".repeat(80))) {
        yield* logger.log(event._tag === "CallStarted" ? { ...event, request: asked } : event)
      }
      yield* logger.log(LlmEvent.CircuitOpened({ ...common("a"), openFor: Duration.seconds(60) }))
      yield* logger.log(LlmEvent.BudgetSpent({ ...common("a"), scope: "t".repeat(90), tokens: 1e9, tokensLeft: 1e12 }))
      yield* inBrowser((page) => page.setViewportSize({ width: 640, height: 900 }))
      const grounds = new Set<string>()
      for (const colorScheme of ["light", "dark"] as const) {
        yield* inBrowser((page) => page.emulateMedia({ colorScheme }))
        const [overflow, ground] = yield* inBrowser((page) =>
          page.evaluate((): [number, string] => [
            document.documentElement.scrollWidth - document.documentElement.clientWidth,
            getComputedStyle(document.body).backgroundColor
          ])
        )
        assert.strictEqual(overflow, 0)
        grounds.add(ground)
      }
      assert.strictEqual(grounds.size, 2)
      yield* inBrowser((page) => page.locator(rows).first().click())
      yield* inBrowser((page) => page.locator("#detail .message").nth(1).waitFor())
      const wide = yield* inBrowser((page) => page.locator("#detail").evaluate((it) => it.scrollWidth - it.clientWidth))
      assert.strictEqual(wide, 0)
    }), 60_000)
})
