// The service worker: opens the pages for logging while the service cannot be reached, and sends
// what waits in the outbox, also when none of our pages is open, where the browser lets it.
import { flush } from 'OUTBOX'

const PAGES = 'parcycle-pages'
const ASSETS = 'parcycle-assets'
const LOGGING = /^\/s\/[^/]+\/(log(\/\w+)?|ballots\/[^/]+\/papers)$/
const FRESH = 3600_000 // milliseconds that a kept page is not fetched anew for, unless it is opened
const KEEPER = '/kept-for' // whom the pages are kept for, and of which release they are

addEventListener('install', (event) => event.waitUntil(skipWaiting()))
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('sync', (event) => { if (event.tag === 'parcycle-outbox') event.waitUntil(sent()) })
addEventListener('message', (event) => {
  if (event.data.keep) event.waitUntil(keep(event.data.keep, event.source))
})
addEventListener('fetch', (event) => {
  const { request } = event, url = new URL(request.url)
  if (url.origin !== location.origin) return
  if (request.method === 'POST' && url.pathname === '/sign-out') event.waitUntil(caches.delete(PAGES))
  if (request.method !== 'GET') return
  if (url.pathname.startsWith('/static/')) event.respondWith(asset(request))
  if (request.mode !== 'navigate') return
  if (LOGGING.test(url.pathname)) event.respondWith(page(request, url))
  event.waitUntil(flush())
})

// The browser tries again later, if what waits could not be sent.
async function sent() {
  if (await flush() === 'away') throw new Error('the service is away')
}

const asset = async (request) => (await (await caches.open(ASSETS)).match(request)) ?? fetch(request)

// From the service, if it answers; else as it was kept.
async function page(request, url) {
  const kept = await caches.open(PAGES)
  let answer = null
  try {
    answer = await fetch(request)
    if (answer.ok && !url.search) await kept.put(url.pathname, answer.clone())
    if (answer.status < 500) return answer
  } catch { /* it is away */ }
  const list = url.pathname.replace(/^(\/s\/[^/]+)\/.*/, '$1/log')
  return (await kept.match(url.pathname)) ?? answer ?? (await kept.match(list)) ?? Response.error()
}

// Keeps the pages for a member, and what they are made of.
async function keep({ member, release, pages, assets }, client) {
  const those = await caches.open(PAGES)
  const before = await (await those.match(KEEPER))?.json()
  const anew = before?.release !== release
  if (before && before.member !== member) await caches.delete(PAGES)
  const kept = await caches.open(PAGES)
  const parts = await caches.open(ASSETS)
  await kept.put(KEEPER, new Response(JSON.stringify({ member, release })))
  for (const each of assets) if (!(await parts.match(each))) await parts.add(each)
  let missing = 0
  for (const each of pages) {
    const there = await kept.match(each)
    if (there && !anew && Date.now() - Date.parse(there.headers.get('date')) < FRESH) continue
    try {
      const answer = await fetch(each, { credentials: 'same-origin' })
      if (answer.ok) await kept.put(each, answer)
      else missing += 1
    } catch { missing += 1 }
  }
  if (anew && !missing) {
    for (const each of await parts.keys()) if (!each.url.includes(`/${release}/`)) await parts.delete(each)
  }
  client?.postMessage({ kept: missing === 0 })
}
