import { assert, describe, it } from "@effect/vitest"
import { isSecretName, secretsIn, secretsOfValue } from "../../src/internal/secretFields.js"

const secret = "hfQ0mYt3XoA7vWb2"

describe("isSecretName", () => {
  it.each([
    "authorization",
    "Proxy-Authorization",
    "x-api-key",
    "api-key",
    "apiKey",
    "API_KEY",
    "x-goog-api-key",
    "Ocp-Apim-Subscription-Key",
    "cookie",
    "set-cookie",
    "token",
    "access_token",
    "accessToken",
    "x-amz-security-token",
    "refreshToken",
    "secret",
    "clientSecret",
    "password",
    "db_password",
    "x-auth",
    "credentials",
    "private_key",
    "signature"
  ])("knows %s", (name) => assert.isTrue(isSecretName(name)))

  it.each([
    "max_tokens",
    "token_count",
    "prompt_cache_key",
    "idempotency-key",
    "key",
    "author",
    "tokenizer",
    "content-type",
    "openai-organization",
    "anthropic-version",
    "session_id",
    "monkey"
  ])("does not take %s for one", (name) => assert.isFalse(isSecretName(name)))
})

describe("secretsIn", () => {
  const places: { readonly [where: string]: unknown } = {
    "a field": { openai: { api_key: secret } },
    "deep inside": { openai: { a: [{ b: [{ c: { d: { accessToken: secret } } }] }] } },
    "a hosted tool": {
      openai: { tools: [{ type: "mcp", server_url: "https://mcp.example.com", authorization: secret }] }
    },
    "the headers of a hosted tool": {
      openai: { tools: [{ type: "mcp", headers: { Authorization: `Bearer ${secret}` } }] }
    },
    "a header of any name": {
      openai: { tools: [{ extra_headers: { "x-tenant": secret, accept: "application/json" } }] }
    },
    "a server of Anthropic's": { anthropic: { mcp_servers: [{ type: "url", authorization_token: secret }] } },
    "inside of a secret": { gemini: { credentials: { kind: "oauth", value: [secret] } } },
    "pairs": { x: { headers: [{ name: "x-api-key", value: secret }] } },
    "a cookie": { x: { headers: { cookie: `a=b; session=${secret}; c=d` } } },
    "a user": { x: { url: `https://me:${secret}@example.com/mcp` } },
    "a parameter": { x: { url: `https://example.com/mcp?a=b&token=${secret}` } }
  }

  for (const [where, options] of Object.entries(places)) {
    it(`finds one in ${where}`, () => {
      const found = secretsIn(options)
      assert.include(found, secret)
      assert.isTrue(found.every((text) => text.includes(secret)))
    })
  }

  it("finds none in settings and schemas", () => {
    assert.isEmpty(secretsIn({
      openai: {
        max_tokens: 100,
        prompt_cache_key: "conversation-17",
        token: "auto",
        metadata: { author: "somebody else" },
        tools: [{
          type: "function",
          name: "log_in",
          parameters: {
            type: "object",
            properties: {
              password: { type: "string", description: "The password of the user" },
              headers: { type: "object", description: "More headers" }
            },
            required: ["password"]
          }
        }],
        url: "https://example.com/a?b=something-long#c"
      }
    }))
  })

  it("goes no deeper than any honest value", () => {
    let deep: unknown = { token: secret }
    for (let n = 0; n < 100_000; n++) deep = [deep]
    assert.isEmpty(secretsIn(deep))
  })
})

describe("secretsOfValue", () => {
  it("leaves out the scheme, and finds the password of a user", () => {
    assert.deepStrictEqual(secretsOfValue("authorization", `Bearer ${secret}`), [secret])
    const basic = btoa(`me:${secret}`)
    assert.deepStrictEqual(secretsOfValue("authorization", `Basic ${basic}`), [basic, secret])
    assert.deepStrictEqual(secretsOfValue("authorization", "Basic ???"), [])
  })

  it("takes the signature out of its parameters", () => {
    const parameters = "Credential=AKIDEXAMPLE/20150830/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date"
    const value = `AWS4-HMAC-SHA256 ${parameters}, Signature=${secret}`
    assert.deepStrictEqual(secretsOfValue("authorization", value), [secret])
    assert.deepStrictEqual(secretsOfValue("authorization", `Signature keyId="k", signature="${secret}"`), [secret])
  })
})
