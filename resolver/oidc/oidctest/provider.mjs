// An OpenID provider for tests: npm's oidc-provider with a person who logs in as
// the knobs say. It prints its address and ends when its standard input does.
import { createServer } from 'node:http'
import { generateKeyPairSync } from 'node:crypto'
import Provider from 'oidc-provider'

const knobs = {
  person: 'approves', // or refuses, absent
  account: 'alice',
  idTokenLife: 3600, // seconds
  refreshTokens: true,
  down: false, // every request gets 503
  slow: 0, // milliseconds before each answer of the token endpoint
  later: 0, // seconds by which its clock is ahead
}
const now = Date.now
Date.now = () => now() + knobs.later * 1000
const calls = {}
const count = (what) => { calls[what] = (calls[what] ?? 0) + 1 }

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const server = createServer()
await new Promise((done) => server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', done))
const url = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(url, {
  clients: ['ambit', 'another'].map((client_id) => ({
    client_id,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['http://127.0.0.1/callback'],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
  })),
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' }] },
  cookies: { keys: ['a key for tests'] },
  claims: { openid: ['sub', 'email'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com` }) }),
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (ctx, client, code) => knobs.refreshTokens && code.scopes.has('offline_access'),
  ttl: { IdToken: () => knobs.idTokenLife, AccessToken: 600, DeviceCode: 600, Interaction: 600, Session: 3600, Grant: 86400, RefreshToken: 86400 },
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
})
provider.on('grant.success', (ctx) => count(`grant ${ctx.oidc.params.grant_type}`))
provider.on('grant.error', (ctx) => count(`refused ${ctx.oidc.params?.grant_type}`))

// interaction is what the person does in the browser.
async function interaction(req, res) {
  const { params, grantId, prompt } = await provider.interactionDetails(req, res)
  switch (knobs.person) {
    case 'absent':
      res.end('Please log in')
      return
    case 'refuses':
      await provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person said no' })
      return
  }
  if (prompt.name === 'login') {
    await provider.interactionFinished(req, res, { login: { accountId: knobs.account } })
    return
  }
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: knobs.account, clientId: params.client_id })
  grant.addOIDCScope(params.scope)
  await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true })
}

async function control(req, res) {
  let body = ''
  for await (const chunk of req) body += chunk
  if (body) Object.assign(knobs, JSON.parse(body))
  res.end(JSON.stringify({ calls, knobs }))
}

const handle = provider.callback()
server.on('request', async (req, res) => {
  const path = req.url.split('?')[0]
  if (path === '/control') return control(req, res)
  count(`${req.method} ${path}`)
  if (knobs.down) {
    res.writeHead(503).end('<html>down</html>')
    return
  }
  if (path === '/token' && knobs.slow) await new Promise((done) => setTimeout(done, knobs.slow))
  if (path.startsWith('/interaction/')) {
    interaction(req, res).catch((err) => res.writeHead(500).end(String(err)))
    return
  }
  handle(req, res)
})
process.stdin.on('end', () => process.exit(0)).resume()
console.log(url)
