import { assert, describe, it } from "@effect/vitest"
import * as Anthropic from "effect-llm/Anthropic"
import * as AwsSignature from "effect-llm/AwsSignature"
import * as LlmError from "effect-llm/LlmError"
import * as OpenAi from "effect-llm/OpenAi"
import * as OpenAiChat from "effect-llm/OpenAiChat"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { createHash, createHmac } from "node:crypto"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { client, failureOf, serve, type Transport, transports } from "./support/overHttp.js"

const region = "us-east-1"

// Those of AWS's own documentation.
const accessKeyId = "AKIDEXAMPLE"
const secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

const credentialsOf = (sessionToken?: string): AwsSignature.Credentials => ({
  accessKeyId,
  secretAccessKey: Redacted.make(secretAccessKey),
  sessionToken: sessionToken === undefined ? undefined : Redacted.make(sessionToken)
})

// ---------------------------------------------------------------------------------------------------------------------
// A service that checks signatures
// ---------------------------------------------------------------------------------------------------------------------

interface Signed {
  readonly method: string
  /** The path and the query, as they arrived. */
  readonly target: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest()

/** The signature that a request must have, as AWS documents it. */
const signatureOf = ({ body, headers, method, target }: Signed, service: string): string => {
  const [path = "", query = ""] = target.split("?")
  const [, scope = "", names = ""] =
    /Credential=[^/]+\/(\S+), SignedHeaders=([^,]+)/.exec(headers.authorization ?? "") ??
      []
  const canonical = [
    method,
    path.split("/").map(encodeURIComponent).join("/"),
    query,
    ...names.split(";").map((name) => `${name}:${String(headers[name]).trim()}`),
    "",
    names,
    sha256(body)
  ].join("\n")
  const date = String(headers["x-amz-date"])
  assert.strictEqual(scope, `${date.slice(0, 8)}/${region}/${service}/aws4_request`)
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  return hmac(key, ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n")).toString("hex")
}

const givenSignature = ({ authorization }: IncomingHttpHeaders) =>
  /Signature=([0-9a-f]{64})$/.exec(authorization ?? "")?.[1]

const json = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
}

const usage = { prompt_tokens: 8, completion_tokens: 4 }
const message = { role: "assistant", content: "The Elbe." }
const chatAnswer = { id: "1", model: "m", choices: [{ index: 0, finish_reason: "stop", message }], usage }

/** Answers in the protocol of the path, if the signature is right and the token is one that is in force. */
const serviceOf = (inForce: () => string | undefined, refusal = expired) =>
  serve((response, { body, headers, url }) => {
    if (givenSignature(headers) !== signatureOf({ method: "POST", target: url, headers, body }, "bedrock-mantle")) {
      return json(response, 403, {
        message: "The request signature we calculated does not match the signature you provided."
      })
    }
    if (headers["x-amz-security-token"] !== inForce()) return refusal(response)
    if (JSON.parse(body).stream === true) {
      const chunk = { ...chatAnswer, choices: [{ index: 0, delta: message, finish_reason: "stop" }] }
      return response.writeHead(200, { "content-type": "text/event-stream" })
        .end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`)
    }
    if (url.endsWith("/messages")) {
      const content = [{ type: "text", text: "The Elbe." }]
      const counts = { input_tokens: 8, output_tokens: 4 }
      return json(response, 200, {
        id: "1",
        type: "message",
        model: "m",
        content,
        stop_reason: "end_turn",
        usage: counts
      })
    }
    if (url.endsWith("/responses")) {
      const output = [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "The Elbe." }] }]
      return json(response, 200, { id: "1", model: "m", status: "completed", output })
    }
    return json(response, 200, chatAnswer)
  })

const expired = (response: ServerResponse): void =>
  json(response, 403, { message: "The security token included in the request is expired" }, {
    "x-amzn-errortype": "ExpiredTokenException"
  })

const clientOf = (url: string, credentials: AwsSignature.Options["credentials"], transport: Transport = "fetch") =>
  client({
    provider: OpenAiChat.layer(
      OpenAiChat.bedrock({ region, baseUrl: `${url}/v1`, sign: AwsSignature.make({ region, credentials }) })
    ),
    client: { retry: false },
    transport: transports[transport]
  })

/** Gives credentials with the tokens of a list, one a time, the last one for ever. */
const fetching = (...tokens: ReadonlyArray<string>) => {
  const fetched = { times: 0 }
  const credentials = Effect.gen(function*() {
    // As over a network: others ask meanwhile.
    yield* Effect.yieldNow()
    return credentialsOf(tokens[fetched.times++] ?? tokens.at(-1))
  })
  return { fetched, credentials }
}

const request = { model: "m", prompt: "Nenne einen Fluß: 🏞️" }

const first = "FwoGZXIvYXdzEFIRST0123456789=="
const second = "FwoGZXIvYXdzESECOND0123456789=="

// ---------------------------------------------------------------------------------------------------------------------
// Signatures
// ---------------------------------------------------------------------------------------------------------------------

describe("AwsSignature.make", () => {
  const documented = Date.UTC(2015, 7, 30, 12, 36)

  it.effect("signs AWS's own example as AWS does, by the time of the Clock", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(documented)
      const sign = AwsSignature.make({ region, service: "service", credentials: credentialsOf() })
      const { headers } = yield* sign({ method: "GET", url: "https://example.amazonaws.com/", headers: {} })
      assert.deepStrictEqual(headers, {
        authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20150830/us-east-1/service/aws4_request, ` +
          "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        "x-amz-date": "20150830T123600Z"
      })
    }))

  it.effect("signs the path as it is sent, the headers, the token and the body", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(documented)
      const sign = AwsSignature.make({ region, credentials: credentialsOf(first) })
      const host = "bedrock.example"
      const path = "/model/a%3A1/invoke"
      const own = { "x-own": "1", authorization: "Bearer of-the-program" }
      const body = JSON.stringify(request)
      const { headers } = yield* sign({ method: "POST", url: `https://${host}${path}`, headers: own, body })
      const sent = { ...own, host, ...headers }
      assert.include(headers.authorization, "SignedHeaders=host;x-amz-date;x-amz-security-token;x-own,")
      const signed = { method: "POST", target: path, headers: sent, body }
      assert.strictEqual(givenSignature(sent), signatureOf(signed, "bedrock-mantle"))
      assert.notStrictEqual(givenSignature(sent), signatureOf({ ...signed, body: `${body} ` }, "bedrock-mantle"))
    }))

  const presets = {
    OpenAi: (url: string, sign: ReturnType<typeof AwsSignature.make>) =>
      OpenAi.layer(OpenAi.bedrock({ region, baseUrl: `${url}/openai/v1`, sign })),
    OpenAiChat: (url: string, sign: ReturnType<typeof AwsSignature.make>) =>
      OpenAiChat.layer(OpenAiChat.bedrock({ region, baseUrl: `${url}/v1`, sign })),
    Anthropic: (url: string, sign: ReturnType<typeof AwsSignature.make>) =>
      Anthropic.layer(Anthropic.bedrock({ region, baseUrl: `${url}/anthropic`, sign }))
  }
  for (const [name, layerOf] of Object.entries(presets)) {
    for (const transport of ["fetch", "lean"] as const) {
      it.scopedLive(`signs the requests of ${name}.bedrock as they arrive (${transport})`, () =>
        Effect.gen(function*() {
          const { url } = yield* serviceOf(() => first)
          const { client: made } = yield* client({
            provider: layerOf(url, AwsSignature.make({ region, credentials: credentialsOf(first) })),
            client: { retry: false },
            transport: transports[transport]
          })
          assert.strictEqual((yield* made.call(request)).text, "The Elbe.")
        }))
    }
  }

  it("takes no empty region and no empty service", () => {
    const credentials = credentialsOf()
    assert.throws(() => AwsSignature.make({ region: " ", credentials }), /region must be/)
    assert.throws(() => AwsSignature.make({ region, service: "", credentials }), /service must be/)
    assert.throws(() => AwsSignature.make({ region, credentials, credentialTimeToLive: 0 }), /credentialTimeToLive/)
  })
})

describe("credentials that are fetched", () => {
  for (const transport of ["fetch", "lean"] as const) {
    it.scopedLive(`are fetched once more when they expire in the middle of concurrent calls, and none fails (${transport})`, () =>
      Effect.gen(function*() {
        let served = 0
        const { url } = yield* serviceOf(() => ++served > 60 ? second : first)
        const { credentials, fetched } = fetching(first, second)
        const { client } = yield* clientOf(url, credentials, transport)
        const answers = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, n) => ({ ...request, prompt: `River ${n}?` })),
          (request) => client.call(request),
          { concurrency: 100 }
        )
        assert.isTrue(answers.every(({ text }) => text === "The Elbe."))
        assert.strictEqual(fetched.times, 2)
        assert.isTrue(answers.some(({ attempts }) => attempts === 2))
      }))
  }

  it.scopedLive("are fetched anew for a stream before its first part", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serviceOf(() => second)
      const { credentials, fetched } = fetching(first, second)
      const { client } = yield* clientOf(url, credentials)
      assert.deepStrictEqual([...yield* Stream.runCollect(client.streamText(request))], ["The Elbe."])
      assert.deepStrictEqual([fetched.times, requests.length], [2, 2])
    }))

  it.scopedLive("are not sent again if there are no others, nor where a permission is lacking", () =>
    Effect.gen(function*() {
      const same = fetching(first)
      const { requests, url } = yield* serviceOf(() => second)
      const { client } = yield* clientOf(url, same.credentials)
      const error = yield* failureOf(client.call(request))
      assert.deepStrictEqual([error.reason._tag, error.attempts, error.status], ["AuthenticationFailed", 1, 403])
      assert.deepStrictEqual([same.fetched.times, requests.length], [2, 1])

      const others = fetching(first, second)
      const denying = yield* serviceOf(
        () => undefined,
        (response) =>
          json(response, 403, { message: "User: arn:aws:iam::1:user/u is not authorized to perform: bedrock:Invoke" }, {
            "x-amzn-errortype": "AccessDeniedException"
          })
      )
      const { client: denied } = yield* clientOf(denying.url, others.credentials)
      assert.strictEqual((yield* failureOf(denied.call(request))).reason._tag, "PermissionDenied")
      assert.deepStrictEqual([others.fetched.times, denying.requests.length], [1, 1])
    }))

  it.effect("are kept for their time to live, but not into the last minute before they end", () =>
    Effect.gen(function*() {
      let times = 0
      const sign = AwsSignature.make({
        region,
        credentialTimeToLive: "10 minutes",
        credentials: Effect.sync(() => {
          times++
          return { ...credentialsOf(first), ...(times > 1 && { expiration: new Date(10 * 60_000 + 4 * 60_000) }) }
        })
      })
      const signed = sign({ method: "GET", url: "https://bedrock.example/", headers: {} })
      const fetchedAt = (millis: number) => Effect.zipRight(TestClock.setTime(millis), Effect.map(signed, () => times))
      assert.strictEqual(yield* fetchedAt(0), 1)
      assert.strictEqual(yield* fetchedAt(10 * 60_000 - 1), 1)
      assert.strictEqual(yield* fetchedAt(10 * 60_000), 2)
      assert.strictEqual(yield* fetchedAt(13 * 60_000 - 1), 2)
      assert.strictEqual(yield* fetchedAt(13 * 60_000), 3)
    }))

  it.scopedLive("are the call's failure if they cannot be fetched, and no request is sent", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serviceOf(() => first)
      const reason = LlmError.PermissionDenied.make({ message: "no role" })
      const { client } = yield* clientOf(url, new LlmError.LlmError({ operation: "call", attempts: 0, reason }))
      assert.deepStrictEqual((yield* failureOf(client.call(request))).reason, reason)
      assert.lengthOf(requests, 0)
    }))
})

describe("the credentials of AWS", () => {
  it.scopedLive("are in no error, however many requests they have signed", () =>
    Effect.gen(function*() {
      let isQuoting = false
      const { url } = yield* serve((response, { headers }) =>
        isQuoting
          ? json(response, 400, {
            message: `bad: ${String(headers["x-amz-security-token"])} ${secretAccessKey} ${headers.authorization}`
          })
          : json(response, 200, chatAnswer)
      )
      const { client, events } = yield* clientOf(url, credentialsOf(first), "lean")
      yield* Effect.repeatN(client.call(request, { cache: "bypass" }), 50)
      isQuoting = true
      const error = yield* failureOf(client.call(request, { cache: "bypass" }))
      const shown = JSON.stringify([error, error.message, yield* events])
      assert.include(error.message, "bad: ")
      assert.notInclude(shown, first)
      assert.notInclude(shown, secretAccessKey)
      assert.notMatch(shown, /Signature=[0-9a-f]{8}/)
    }))

  it.scopedLive("fail the call without being quoted if no header can hold them", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serviceOf(() => first)
      const { client } = yield* clientOf(url, credentialsOf("token\nwith a line break"))
      const exit = yield* Effect.exit(client.call(request))
      assert(Exit.isFailure(exit))
      assert.include(String(exit.cause), "could not be signed")
      assert.notInclude(JSON.stringify(exit), "with a line break")
      assert.lengthOf(requests, 0)
    }))

  for (
    const code of [
      "ExpiredTokenException",
      "UnrecognizedClientException",
      "InvalidSignatureException",
      "IncompleteSignature",
      "InvalidClientTokenId",
      "MissingAuthenticationToken",
      "SignatureDoesNotMatch"
    ]
  ) {
    it.scopedLive(`are refused by ${code}`, () =>
      Effect.gen(function*() {
        const { url } = yield* serve((response) => json(response, 403, { __type: code, message: "Refused." }))
        const { client } = yield* clientOf(url, credentialsOf())
        assert.strictEqual((yield* failureOf(client.call(request))).reason._tag, "AuthenticationFailed")
      }))
  }
})
