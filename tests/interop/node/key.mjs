// The key with which an application signs what it authenticates with (RFC 7523), where it has no secret.

const kid = 'of-the-application'
const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])

export const privateKey = { key: pair.privateKey, kid }

/** What the application publishes of it. */
export const keySet = { keys: [{ ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid, use: 'sig', alg: 'ES256' }] }
