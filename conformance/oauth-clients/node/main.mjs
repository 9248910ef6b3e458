// What openid-client, as it comes, does at Tikti's OAuth endpoints.
//
// Reads what it is to use as one JSON object; prints `{"library": …, "version": …}`, then a line
// `{"step": …, "ok": …, "detail": …}` for each step: ../run says which there are.
import assert from 'node:assert'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { createPrivateKey, webcrypto } from 'node:crypto'

import * as client from 'openid-client'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token'

const given = JSON.parse(await text(process.stdin))
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
const { version } = createRequire(import.meta.url)('openid-client/package.json')
say({ library: 'openid-client', version })

async function step(name, action) {
  try {
    const detail = await action()
    say({ step: name, ok: true, detail: `${detail}` })
    return detail
  } catch (error) {
    const said = error.error ? `${error.error}: ${error.error_description}` : error.cause
    say({ step: name, ok: false, detail: `${error.name}: ${error.message} (${said})` })
    return ''
  }
}

// The issuer of the harness is on this machine, without TLS.
const discover = (who, authentication, algorithm = 'oauth2') =>
  client.discovery(new URL(given.issuer), who.id, undefined, authentication, {
    algorithm,
    execute: [client.allowInsecureRequests],
  })

async function credentials(who, authentication) {
  const config = await discover(who, authentication)
  const wanted = { audience: given.audience, scope: given.scope }
  const reply = await client.clientCredentialsGrant(config, wanted)
  assert.ok(reply.expires_in > 0)
  return reply.access_token
}

async function introspect(token, active) {
  const { client: who } = given
  const config = await discover(who, client.ClientSecretBasic(who.secret))
  const found = await client.tokenIntrospection(config, token)
  assert.strictEqual(found.active, active)
  if (active) assert.strictEqual(found.aud, given.audience)
}

await step('discovery', async () => {
  for (const algorithm of ['oidc', 'oauth2']) {
    const config = await discover(given.worker, client.ClientSecretBasic('-'), algorithm)
    assert.strictEqual(config.serverMetadata().issuer, given.issuer)
  }
})
const token = await step('token-exchange', async () => {
  const config = await discover(given.apiKey, client.ClientSecretBasic(given.apiKey.secret))
  const reply = await client.genericGrantRequest(config, EXCHANGE, {
    subject_token: given.idToken,
    subject_token_type: ID_TOKEN,
    audience: given.audience,
    scope: given.scope,
    tenant: given.tenant,
  })
  assert.ok(reply.issued_token_type.endsWith(':access_token'))
  return reply.access_token
})
const { worker, keyWorker } = given
await step('client-credentials-basic', () =>
  credentials(worker, client.ClientSecretBasic(worker.secret)))
await step('client-credentials-post', () =>
  credentials(worker, client.ClientSecretPost(worker.secret)))
// The last one is called Ed25519 in its assertions (RFC 9864).
const algorithms = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
}
for (const { alg, kid, privateKey } of keyWorker.keys) {
  await step(`client-credentials-private-key-jwt-${alg}`, async () => {
    const der = createPrivateKey(privateKey).export({ format: 'der', type: 'pkcs8' })
    const key = await webcrypto.subtle.importKey('pkcs8', der, algorithms[alg], false, ['sign'])
    return credentials(keyWorker, client.PrivateKeyJwt({ key, kid }))
  })
}
await step('introspection-of-a-good-one', () => introspect(token, true))
await step('revocation', async () => {
  const { client: who } = given
  await client.tokenRevocation(await discover(who, client.ClientSecretBasic(who.secret)), token)
})
await step('introspection-of-a-revoked-one', () => introspect(token, false))
