// <par-outbox data-study data-member data-release>: shows what waits on this device, sends it when it
// can be sent, and keeps the pages for logging so that they open without a connection.
import { discard, discardDraft, drafts, every, flush, onChange, take } from './outbox.js'

const LATER = [2000, 4000, 8000, 15000, 30000] // milliseconds between tries while the service is away
const WORDS = {
  away: 'The service cannot be reached. What you wrote is kept on this device, and sent by itself as soon as it can be.',
  session: 'Your session has ended. What you wrote is kept on this device, and sent when you have signed in.',
}

export function make(tag, given = {}, ...children) {
  const made = Object.assign(document.createElement(tag), given)
  made.append(...children)
  return made
}

const when = (moment) => new Date(moment).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })

class Outbox extends HTMLElement {
  async connectedCallback() {
    this.tries = 0
    this.done = []
    this.status = make('p', { role: 'status', className: 'lede' })
    this.list = make('ul', { className: 'entries' })
    this.card = make('section', { className: 'card outbox', ariaLabel: 'Kept on this device' }, make('h2', {}, 'Kept on this device'), this.status, this.list)
    this.ready = make('p', { className: 'lede kept', role: 'status' })
    this.replaceChildren(this.card, this.ready)
    this.card.hidden = true
    this.stop = onChange((news) => this.hear(news ?? {}))
    this.try = () => { this.tries = 0; this.send() }
    addEventListener('online', this.try)
    addEventListener('pageshow', this.try)
    this.back = () => { if (!document.hidden) this.try() }
    document.addEventListener('visibilitychange', this.back)
    await this.show()
    this.send()
    this.keep()
  }

  disconnectedCallback() {
    this.stop()
    clearTimeout(this.later)
    removeEventListener('online', this.try)
    removeEventListener('pageshow', this.try)
    document.removeEventListener('visibilitychange', this.back)
  }

  hear(news) {
    if (news.recorded && news.member === this.dataset.member) this.done.push(news)
    if ('hindered' in news) this.hindered = news.hindered
    this.show()
  }

  async send() {
    clearTimeout(this.later)
    this.hindered = await flush()
    await this.show()
    const waits = (await every()).some((each) => each.state === 'waiting')
    if (waits) this.later = setTimeout(() => this.send(), LATER[Math.min(this.tries++, LATER.length - 1)])
  }

  async show() {
    const { member, study } = this.dataset
    const all = await every(), mine = all.filter((each) => each.member === member && each.study === study)
    const others = new Set(all.filter((each) => each.member !== member).map((each) => each.member))
    const begun = (await drafts()).filter((each) => each.member === member && each.study === study && each.page !== location.pathname)
    this.card.hidden = !mine.length && !others.size && !this.done.length && !begun.length
    this.say(mine, all)
    this.list.replaceChildren(
      ...this.done.map((each) => make('li', {}, make('b', {}, each.title), make('span', { className: 'state good' }, `on record as #${each.recorded}`))),
      ...mine.map((each) => this.line(each)),
      ...begun.map((each) => this.draft(each)),
      ...[...others].map((other) => make('li', {}, `What ${other} wrote here is sent when ${other} signs in.`)),
    )
  }

  say(mine, all) {
    const waiting = mine.filter((each) => each.state === 'waiting').length, refused = mine.length - waiting
    const said = []
    if (all.some((each) => each.state === 'waiting') && WORDS[this.hindered]) said.push(WORDS[this.hindered])
    if (waiting) said.push(waiting === 1 ? '1 waits to be sent.' : `${waiting} wait to be sent.`)
    if (refused) said.push(refused === 1 ? '1 needs correcting before it can be recorded.' : `${refused} need correcting before they can be recorded.`)
    if (!mine.length && this.done.length) said.push('All is on record.')
    const words = said.join(' ')
    if (this.status.dataset.words === words) return
    this.status.dataset.words = words
    this.status.replaceChildren(words)
    if (waiting && this.hindered === 'session') this.status.append(' ', make('a', { href: '/sign-in' }, 'Sign in'))
  }

  line(each) {
    const made = make('li', {}, make('div', {}, make('b', {}, each.title), make('small', {}, `${each.about ? `${each.about}, ` : ''}written ${when(each.at)}`)))
    if (each.state === 'waiting') made.append(make('span', { className: 'state' }, 'waits'))
    else {
      made.append(make('ul', { className: 'reasons' }, ...each.reasons.map((reason) => make('li', {}, reason.message))))
      const again = make('button', { className: 'plain', type: 'button' }, 'Send again')
      again.addEventListener('click', async () => { await take(each); this.try() })
      made.append(make('a', { className: 'button quiet', href: `${each.page}#kept=${each.id}` }, 'Correct it'), again)
    }
    made.append(twice('Discard', each.title, () => discard(each.id)))
    return made
  }

  draft(each) {
    return make('li', {}, make('div', {}, make('b', {}, each.title), make('small', {}, `a draft of ${when(each.at)}`)),
      make('a', { className: 'button quiet', href: each.page }, 'Go on'),
      twice('Discard', each.title, async () => { await discardDraft(each.key); this.show() }))
  }

  // Pages and their parts go to the worker, which opens them when the service is away.
  async keep() {
    if (!navigator.serviceWorker) return
    try {
      await navigator.serviceWorker.register('/worker.js', { type: 'module', scope: '/' })
    } catch { return } // a browser whose workers have no modules: what waits is sent all the same
    const worker = (await navigator.serviceWorker.ready).active
    navigator.serviceWorker.addEventListener('message', (event) => {
      if (!event.data.kept) return
      this.ready.textContent = 'These forms open without a connection too.'
      this.setAttribute('kept', '')
    })
    const pages = new Set([location.pathname, ...[...document.querySelectorAll('[data-keep] a')].map((each) => new URL(each.href).pathname)])
    const assets = performance.getEntriesByType('resource').map((each) => new URL(each.name).pathname).filter((each) => each.startsWith('/static/'))
    const { member, release } = this.dataset
    worker.postMessage({ keep: { member, release, pages: [...pages], assets: [...new Set([...assets, ...this.dataset.parts.split(' ')])] } })
  }
}

// A button that asks once more before it does what cannot be undone.
export function twice(words, what, act) {
  const button = make('button', { className: 'plain', type: 'button', ariaLabel: `${words}: ${what}` }, words)
  button.addEventListener('click', () => {
    if (button.dataset.sure) return act()
    button.dataset.sure = 'yes'
    button.textContent = `Really ${words.toLowerCase()}?`
    button.ariaLabel = `Really ${words.toLowerCase()}: ${what}?`
  })
  button.addEventListener('blur', () => { delete button.dataset.sure; button.textContent = words; button.ariaLabel = `${words}: ${what}` })
  return button
}

// Asks the browser to keep what waits, and to send it when it is back, also after we are closed.
export async function persist() {
  navigator.storage?.persist?.()
  try { await (await navigator.serviceWorker?.ready)?.sync?.register('parcycle-outbox') } catch { /* it is tried from the page */ }
}

customElements.define('par-outbox', Outbox)
