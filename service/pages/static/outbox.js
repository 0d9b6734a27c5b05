// The outbox: what was written on this device and is not on record yet, and drafts of forms.
// It is kept in IndexedDB, so that it outlives the page and the browser, and sent in its order, each
// with the commandId that was made with the form: however often it is sent, it is one event.
// An entry belongs to the member who wrote it; the service records it for nobody else.
const PATIENCE = 30_000 // milliseconds until the service counts as away
const DEAF = [400, 403, 404, 413] // statuses that the same entry would get again
const told = 'BroadcastChannel' in globalThis ? new BroadcastChannel('parcycle-outbox') : null
let opened = null
let sending = null
let again = false // something was taken in while what was there is sent

const store = () => (opened ??= new Promise((done, fail) => {
  const asked = indexedDB.open('parcycle', 1)
  asked.onupgradeneeded = () => {
    asked.result.createObjectStore('outbox', { keyPath: 'id' })
    asked.result.createObjectStore('drafts', { keyPath: 'key' })
  }
  asked.onsuccess = () => done(asked.result)
  asked.onerror = () => { opened = null; fail(asked.error) }
}))

async function within(name, mode, act) {
  const transaction = (await store()).transaction(name, mode, { durability: 'strict' })
  const asked = act(transaction.objectStore(name))
  return new Promise((done, fail) => {
    transaction.oncomplete = () => done(asked.result)
    transaction.onabort = transaction.onerror = () => fail(transaction.error)
  })
}

// A new commandId (UUIDv4); crypto.randomUUID is missing where a page came without encryption.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[6] = (bytes[6] & 15) | 64
  bytes[8] = (bytes[8] & 63) | 128
  const hex = [...bytes].map((each) => each.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export const every = async () => (await within('outbox', 'readonly', (s) => s.getAll())).sort((a, b) => a.number - b.number)
export const entry = (id) => within('outbox', 'readonly', (s) => s.get(id))
export const draft = (key) => within('drafts', 'readonly', (s) => s.get(key))
export const drafts = () => within('drafts', 'readonly', (s) => s.getAll())
export const keepDraft = (kept) => within('drafts', 'readwrite', (s) => s.put(kept))
export const discardDraft = (key) => within('drafts', 'readwrite', (s) => s.delete(key))

// Takes an entry in; one that is here already, as after a correction, keeps its place.
export async function take(written) {
  const before = await entry(written.id)
  const number = before?.number ?? Math.max(Date.now(), 1 + Math.max(0, ...(await every()).map((each) => each.number)))
  await within('outbox', 'readwrite', (s) => s.put({ ...written, number, state: 'waiting', reasons: [] }))
  changed()
}

export async function discard(id) {
  await within('outbox', 'readwrite', (s) => s.delete(id))
  changed()
}

// Calls back when the outbox changes, here, in another tab or in the worker.
export function onChange(call) {
  changes.add(call)
  const hear = (event) => call(event.data)
  told?.addEventListener('message', hear)
  return () => { changes.delete(call); told?.removeEventListener('message', hear) }
}
const changes = new Set()
function changed(news = {}) {
  told?.postMessage(news)
  for (const call of changes) call(news)
}

// Sends what waits, also what is taken in meanwhile. Answers with what hindered it, if anything did:
// 'away' or 'session'.
export function flush() {
  if (sending) again = true
  else sending = sendOn().finally(() => { sending = null })
  return sending
}

async function sendOn() {
  let hindered
  do {
    again = false
    hindered = await alone(sendAll)
  } while (again && hindered !== 'away')
  return hindered
}

// One tab, or the worker, sends at a time: the order holds, and no refusal is asked for twice.
const alone = (act) => navigator.locks ? navigator.locks.request('parcycle-outbox', act) : act()

async function sendAll() {
  const others = new Set()
  for (const each of await every()) {
    if (each.state !== 'waiting' || others.has(each.member)) continue
    const { outcome, reasons, position } = await send(each)
    if (outcome === 'recorded') {
      await discard(each.id)
      changed({ recorded: position, id: each.id, title: each.title, member: each.member })
    } else if (outcome === 'refused') {
      await within('outbox', 'readwrite', (s) => s.put({ ...each, state: 'refused', reasons }))
      changed()
    } else if (outcome === 'another') {
      others.add(each.member)
    } else {
      changed({ hindered: outcome })
      return outcome
    }
  }
  return others.size ? 'session' : ''
}

async function send(each) {
  let answer
  try {
    answer = await fetch(each.action, {
      method: 'POST', headers: { accept: 'application/json' }, body: new URLSearchParams(each.pairs),
      credentials: 'same-origin', signal: AbortSignal.timeout(PATIENCE),
    })
    if (answer.status === 401) return { outcome: 'session' }
    if (answer.status === 409) return { outcome: 'another' }
    if (answer.ok) return { outcome: 'recorded', position: (await answer.json()).recorded }
    if (answer.status === 422) return { outcome: 'refused', reasons: (await answer.json()).refused }
  } catch {
    return { outcome: 'away' } // whether it was recorded is not known: it is sent again as it is
  }
  if (!DEAF.includes(answer.status)) return { outcome: 'away' }
  const message = answer.status === 403 ? 'Your role in the study does not allow this now.' : 'The service cannot take this as it is.'
  return { outcome: 'refused', reasons: [{ path: '', label: '', message }] }
}
