// A web application on npm's openid-client, as its documentation has one. Nothing in it is made for obol.

import * as client from 'openid-client'

import { keySet, privateKey } from './key.mjs'
import { facts, serve } from './web.mjs'

const { ISSUER, CLIENT_ID, CLIENT_SECRET } = process.env
const clientAuth = process.argv.includes('sign') ? client.PrivateKeyJwt(privateKey) : client.ClientSecretPost(CLIENT_SECRET)

// Plain http is for the loopback address alone. ID tokens are verified with the published keys, although TLS would do for those
// that come from the token endpoint itself.
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, clientAuth, {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
})

// `push` hands the authorization request in first (RFC 9126).
const buildUrl = process.argv.includes('push') ? client.buildAuthorizationUrlWithPAR : client.buildAuthorizationUrl

serve({
  keySet,

  async begin(redirect_uri) {
    const checks = {
      pkceCodeVerifier: client.randomPKCECodeVerifier(),
      expectedState: client.randomState(),
      expectedNonce: client.randomNonce(),
      idTokenExpected: true,
    }
    const url = await buildUrl(config, {
      redirect_uri,
      scope: 'openid profile email',
      code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: checks.expectedState,
      nonce: checks.expectedNonce,
    })
    return { url, checks }
  },

  async finish(address, checks) {
    const tokens = await client.authorizationCodeGrant(config, address, checks)
    return { tokens, claims: tokens.claims() }
  },

  async refresh({ tokens: { refresh_token } }) {
    const tokens = await client.refreshTokenGrant(config, refresh_token)
    return { tokens, claims: tokens.claims() }
  },

  async about({ tokens, claims }) {
    return facts(claims, await client.fetchUserInfo(config, tokens.access_token, claims.sub), tokens)
  },

  async leave({ tokens }) {
    await client.tokenRevocation(config, tokens.refresh_token)
    const { active } = await client.tokenIntrospection(config, tokens.access_token)
    return { active }
  },

  endedByProvider(error) {
    return error instanceof client.WWWAuthenticateChallengeError || error.error === 'invalid_grant'
  },
})
