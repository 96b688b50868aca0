// A web application on npm's oauth4webapi, as its documentation has one. Nothing in it is made for obol.

import * as oauth from 'oauth4webapi'

import { keySet, privateKey } from './key.mjs'
import { facts, serve } from './web.mjs'

const issuer = new URL(process.env.ISSUER)
const client = { client_id: process.env.CLIENT_ID }
const clientAuth = process.argv.includes('sign')
  ? oauth.PrivateKeyJwt(privateKey)
  : oauth.ClientSecretBasic(process.env.CLIENT_SECRET)
// Plain http is for the loopback address alone.
const options = { [oauth.allowInsecureRequests]: true }

const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options))

serve({
  keySet,

  async begin(redirect_uri) {
    const checks = {
      redirect_uri,
      code_verifier: oauth.generateRandomCodeVerifier(),
      state: oauth.generateRandomState(),
      nonce: oauth.generateRandomNonce(),
    }
    const parameters = {
      client_id: client.client_id,
      redirect_uri,
      response_type: 'code',
      scope: 'openid profile email',
      code_challenge: await oauth.calculatePKCECodeChallenge(checks.code_verifier),
      code_challenge_method: 'S256',
      state: checks.state,
      nonce: checks.nonce,
    }
    const url = new URL(as.authorization_endpoint)
    url.search = new URLSearchParams(process.argv.includes('push') ? await pushed(parameters) : parameters)
    return { url, checks }
  },

  async finish(address, { redirect_uri, code_verifier, state, nonce }) {
    const params = oauth.validateAuthResponse(as, client, address, state)
    const response = await oauth.authorizationCodeGrantRequest(
      as, client, clientAuth, params, redirect_uri, code_verifier, options,
    )
    const expected = { expectedNonce: nonce, requireIdToken: true }
    return verified(response, await oauth.processAuthorizationCodeResponse(as, client, response, expected))
  },

  async refresh({ tokens }) {
    const response = await oauth.refreshTokenGrantRequest(as, client, clientAuth, tokens.refresh_token, options)
    return verified(response, await oauth.processRefreshTokenResponse(as, client, response))
  },

  async about({ tokens, claims }) {
    const response = await oauth.userInfoRequest(as, client, tokens.access_token, options)
    return facts(claims, await oauth.processUserInfoResponse(as, client, claims.sub, response), tokens)
  },

  async leave({ tokens }) {
    const revoked = await oauth.revocationRequest(as, client, clientAuth, tokens.refresh_token, options)
    await oauth.processRevocationResponse(revoked)
    const asked = await oauth.introspectionRequest(as, client, clientAuth, tokens.access_token, options)
    const { active } = await oauth.processIntrospectionResponse(as, client, asked)
    return { active }
  },

  endedByProvider(error) {
    return error instanceof oauth.WWWAuthenticateChallengeError || error.error === 'invalid_grant'
  },
})

/** What the browser brings in the place of parameters that were handed in before (RFC 9126). */
async function pushed(parameters) {
  const response = await oauth.pushedAuthorizationRequest(as, client, clientAuth, parameters, options)
  const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, response)
  return { client_id: client.client_id, request_uri }
}

/** The tokens of an answer, whose ID token was signed by a published key. */
async function verified(response, tokens) {
  await oauth.validateApplicationLevelSignature(as, response, options)
  return { tokens, claims: oauth.getValidatedIdTokenClaims(tokens) }
}
