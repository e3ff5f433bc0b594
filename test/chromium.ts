import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { Page } from "playwright-core"
import { chromium } from "playwright-core"
import { describe } from "vitest"

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const program = (process.env.PATH ?? "").split(delimiter)
  .flatMap((directory) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(directory, name)))
  .find(isProgram)

// Without these the browser talks to its maker's servers, or needs rights that a container does not have.
const flags = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"]
]

/** Whether a browser is installed. Without it, its tests are skipped: playwright-core brings none. */
export const hasChromium = program !== undefined

/** A page of a browser of its own, with a new profile, for as long as the scope is open. */
export const openPage: Effect.Effect<Page, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.promise(async () => {
      const profile = mkdtempSync(join(tmpdir(), "effect-llm-chromium-"))
      const browser = await chromium.launchPersistentContext(profile, {
        ...(program !== undefined && { executablePath: program }),
        headless: true,
        args: flags
      })
      const [first] = browser.pages()
      return {
        page: first ?? await browser.newPage(),
        close: async () => {
          await browser.close()
          rmSync(profile, { recursive: true, force: true })
        }
      }
    }),
    ({ close }) => Effect.promise(close)
  ),
  ({ page }) => page
)

/** Tests in a browser. Without one they are skipped, and say so. */
export const suiteInChromium = (name: string, register: () => void): void => {
  describe.skipIf(!hasChromium)(hasChromium ? name : `${name} (skipped: Chromium is not installed)`, register)
}
