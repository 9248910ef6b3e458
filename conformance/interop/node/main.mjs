// A resource server's check of Tikti's tokens with jose, from the issuer alone.
//
// Usage: main.mjs ISSUER AUDIENCE [TENANT] [SCOPES]. The lines that go in and out: conformance/README.md.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

import { createRemoteJWKSet, jwtVerify } from 'jose'

const [issuer, audience, tenant = '', scopes = ''] = process.argv.slice(2)
const required = scopes.split(' ').filter(Boolean)
const milliseconds = (variable, otherwise) => 1000 * Number(process.env[variable] ?? otherwise)

async function discover() {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`)
  const document = await response.json()
  if (document.issuer !== issuer) throw new Error(`the document is of ${document.issuer}`)
  return new URL(document.jwks_uri)
}

const keys = createRemoteJWKSet(await discover(), {
  // By default keys are trusted for ten minutes: here as long as the issuer says.
  cacheMaxAge: milliseconds('JWKS_MAX_AGE', 300),
  cooldownDuration: milliseconds('JWKS_COOLDOWN', 30),
})

async function verify(token, expected) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['RS256'],
    issuer,
    audience,
    requiredClaims: ['sub', 'iat', 'exp', 'tid', 'scope', 'token_use'],
    clockTolerance: 60,
  })
  const { tid, scope, eventTypes } = payload
  if (payload.token_use !== expected) throw new Error(`token_use is not ${expected}`)
  if (typeof tid !== 'string' || tid === '' || (tenant !== '' && tid !== tenant)) {
    throw new Error('tid is not the tenant')
  }
  const granted = typeof scope === 'string' ? scope.split(' ') : []
  if (!required.every((one) => granted.includes(one))) throw new Error('a scope is missing')
  if (expected === 'worker' && !(Array.isArray(eventTypes) && eventTypes.length > 0)) {
    throw new Error('eventTypes are missing')
  }
}

const { version } = createRequire(import.meta.url)('jose/package.json')
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)

say({ library: 'jose', version })
for await (const line of createInterface({ input: process.stdin })) {
  const { id, token, class: expected } = JSON.parse(line)
  try {
    await verify(token, expected)
    say({ id, ok: true, reason: '' })
  } catch (error) {
    say({ id, ok: false, reason: `${error.code ?? error.name}: ${error.message}` })
  }
}
