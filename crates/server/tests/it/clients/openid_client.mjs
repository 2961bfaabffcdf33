// A token exchange (RFC 8693) with openid-client, which discovers the endpoint from the server's address.
import * as client from 'openid-client'

const { SERVER, RESOURCE, ID_TOKEN, ALGORITHM } = process.env
const server = new URL(SERVER)
const execute = server.protocol === 'http:' ? [client.allowInsecureRequests] : []
const config = await client.discovery(server, 'any-client', undefined, client.None(), { algorithm: ALGORITHM, execute })
const tokens = await client.genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
  subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
  subject_token: ID_TOKEN,
  resource: RESOURCE,
})
// It counts down: a slow machine may be seconds late.
if (tokens.expiresIn() > 3600 || tokens.expiresIn() < 3500) throw new Error(`expires in ${tokens.expiresIn()} s`)
console.log(tokens.access_token)
