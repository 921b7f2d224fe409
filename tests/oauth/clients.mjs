// Two OAuth client libraries for JavaScript at a running Cairn: openid-client and oauth4webapi. check.py starts it, with what it
// needs as JSON in its argument: base, issuer's clients by method, keys by algorithm, a user and the user's own token.
import assert from 'node:assert/strict'
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'

const { base, basic, post, keyed, keys, user, userToken } = JSON.parse(process.argv[2])
const insecure = { [oauth.allowInsecureRequests]: true }
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token'

const imported = async ([alg, jwk]) => {
  const kind = { RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, PS256: { name: 'RSA-PSS', hash: 'SHA-256' }, ES256: { name: 'ECDSA', namedCurve: 'P-256' }, Ed25519: 'Ed25519' }[alg]
  const { alg: _, use: __, ...plain } = jwk
  return [alg, { kid: jwk.kid, key: await crypto.subtle.importKey('jwk', plain, kind, false, ['sign']) }]
}
const signing = Object.fromEntries(await Promise.all(Object.entries(keys).map(imported)))

const discover = (id, method) =>
  client.discovery(new URL(base), id, undefined, method, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] })

async function useToken(token, path = '/v1/users?limit=1') {
  const answer = await fetch(base + path, { headers: { authorization: `Bearer ${token}` } })
  return [answer.status, await answer.json()]
}

// What a library does with a client, whatever the method: get, narrow, look at, exchange, revoke.
async function openid(config, id, name) {
  const whole = await client.clientCredentialsGrant(config)
  assert.equal((await useToken(whole.access_token))[0], 200, name)
  const narrow = await client.clientCredentialsGrant(config, { scope: 'users:read' })
  assert.equal(narrow.scope, 'users:read')
  const seen = await client.tokenIntrospection(config, narrow.access_token)
  assert.deepEqual([seen.active, seen.scope, seen.client_id], [true, 'users:read', id])
  const acting = await client.genericGrantRequest(config, EXCHANGE, { subject_token: userToken, subject_token_type: ACCESS, scope: 'users:read' })
  assert.equal(acting.issued_token_type, ACCESS)
  assert.equal((await useToken(acting.access_token, '/v1/me'))[1].id, user)
  await client.tokenRevocation(config, narrow.access_token)
  assert.deepEqual(await client.tokenIntrospection(config, narrow.access_token), { active: false })
  assert.equal((await useToken(narrow.access_token))[0], 401)
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'no:such' }), { error: 'invalid_scope' })
  await assert.rejects(client.genericGrantRequest(config, 'urn:other', {}), { error: 'unsupported_grant_type' })
}

await openid(await discover(basic.id, client.ClientSecretBasic(basic.secret)), basic.id, 'basic')
await openid(await discover(post.id, client.ClientSecretPost(post.secret)), post.id, 'post')
for (const [alg, key] of Object.entries(signing)) await openid(await discover(keyed, client.PrivateKeyJwt(key)), keyed, alg)
const wrong = await discover(basic.id, client.ClientSecretBasic('wrong'))
await assert.rejects(client.clientCredentialsGrant(wrong), { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', status: 401 })
console.log(`  openid-client: discovery; a token by secret in header and form, and by key (${Object.keys(signing).join(', ')}); introspection, exchange, revocation`)

const issuer = new URL(base)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
assert.deepEqual([as.issuer, as.token_endpoint], [base, `${base}/oauth/token`])
const methods = [
  [basic.id, oauth.ClientSecretBasic(basic.secret)],
  [post.id, oauth.ClientSecretPost(post.secret)],
  ...Object.values(signing).map((key) => [keyed, oauth.PrivateKeyJwt(key)]),
]
for (const [id, method] of methods) {
  const who = { client_id: id }
  const got = await oauth.processClientCredentialsResponse(as, who, await oauth.clientCredentialsGrantRequest(as, who, method, { scope: 'users:read' }, insecure))
  const seen = await oauth.processIntrospectionResponse(as, who, await oauth.introspectionRequest(as, who, method, got.access_token, insecure))
  assert.equal(seen.active, true)
  // The resource server's side: the token is what RFC 9068 says, checked with the published keys.
  const request = new Request(`${base}/v1/users`, { headers: { authorization: `Bearer ${got.access_token}` } })
  const claims = await oauth.validateJwtAccessToken(as, request, `${base}/v1`, insecure)
  assert.deepEqual([claims.client_id, claims.sub, claims.scope], [id, id, 'users:read'])
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, who, method, got.access_token, insecure))
  assert.equal((await useToken(got.access_token))[0], 401)
}
const { access_token: own } = await client.clientCredentialsGrant(await discover(basic.id, client.ClientSecretBasic(basic.secret)))
const { protectedHeader } = await jose.jwtVerify(own, jose.createRemoteJWKSet(new URL(as.jwks_uri)), { issuer: base, audience: `${base}/v1`, typ: 'at+jwt' })
assert.equal(protectedHeader.typ, 'at+jwt')
console.log('  oauth4webapi: metadata, every method, introspection, revocation; access tokens are RFC 9068 by its judgement, and by jose')
