// Pages and the sessions of browsers, for the applications beside this file. Nothing here speaks OAuth.

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

/**
 * Serves an application until the process ends. What it has to bring:
 * begin(redirectUri) gives the address to send the browser to, and the checks for when it comes back;
 * finish(address, checks) and refresh(person) give a person; about(person) and leave(person) give facts to show;
 * keySet is what it publishes of its key; endedByProvider(error) tells whether an error means that the person has to sign in again.
 */
export function serve(application) {
  const browsers = new Map()
  const [host, port] = process.env.LISTEN.split(':')
  const server = createServer(async (request, response) => {
    const origin = `http://${host}:${server.address().port}`
    const address = new URL(request.url, origin)
    const id = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    try {
      await answer(request.method, address, response, id)
    } catch (error) {
      browsers.delete(id)
      if (application.endedByProvider(error)) return show(response, 200, {}, 'Your sign-in was ended by the provider.')
      console.error(error)
      show(response, 500, {}, 'This did not work.')
    }
  })

  async function answer(method, address, response, id) {
    const browser = browsers.get(id)
    switch (`${method} ${address.pathname}`) {
      case 'GET /sign-in': {
        const { url, checks } = await application.begin(`${address.origin}/callback`)
        return enter(response, { checks }, url)
      }
      case 'GET /callback':
        return enter(response, { person: await application.finish(address, browser.checks) }, '/')
      case 'POST /refresh':
        browser.person = await application.refresh(browser.person)
        return redirect(response, '/')
      case 'POST /sign-out':
        browsers.delete(id)
        return show(response, 200, await application.leave(browser.person))
      case 'GET /jwks':
        return response.setHeader('content-type', 'application/json').end(JSON.stringify(application.keySet))
      case 'GET /':
        return show(response, 200, browser?.person ? await application.about(browser.person) : {})
      default:
        return show(response, 404, {})
    }
  }

  // A new name for the session each time, so that nobody can have set it before.
  function enter(response, browser, location) {
    const id = randomUUID()
    browsers.set(id, browser)
    response.setHeader('set-cookie', `session=${id}; HttpOnly; SameSite=Lax; Path=/`)
    redirect(response, location)
  }

  server.listen(port, host, () => console.log(`listening at http://${host}:${server.address().port}`))
}

/** What to show of a person. */
export function facts({ sub }, { preferred_username, email }, { id_token, access_token, refresh_token }) {
  const { kid, alg } = JSON.parse(Buffer.from(id_token.split('.')[0], 'base64url'))
  return { sub, username: preferred_username, email, key: kid, algorithm: alg, access_token, refresh_token }
}

function redirect(response, location) {
  response.writeHead(303, { location: String(location) }).end()
}

function show(response, status, facts, message = '') {
  const rows = Object.entries(facts).map(([name, value]) => `<dt>${name}</dt><dd id="${name}">${escaped(value)}</dd>`)
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><title>Node.js</title>
<p>${message} <a href="/sign-in">Sign in</a></p>
<dl>${rows.join('')}</dl>
<form method="post" action="/refresh"><button>Get new tokens</button></form>
<form method="post" action="/sign-out"><button>Sign out</button></form>
`)
}

function escaped(value) {
  return String(value).replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}
