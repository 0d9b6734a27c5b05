// <par-live data-stream data-after>: follows a study by server-sent events and says so, quietly.
// Each line of what happens is dispatched on the document as a `parcycle:line` event. The browser
// comes back by itself after a cut, with the position of what it heard last; a line that was heard
// is not told again. While the page is hidden the stream is closed: browsers open only six.
const LATER = [1000, 2000, 5000, 10000, 30000] // milliseconds between tries when the server is away

class Live extends HTMLElement {
  connectedCallback() {
    this.position = Number(this.dataset.after)
    this.tries = 0
    this.shown = () => (document.hidden ? this.close() : this.open())
    document.addEventListener('visibilitychange', this.shown)
    this.away = () => this.close()
    addEventListener('pagehide', this.away)
    addEventListener('pageshow', this.shown)
    this.shown()
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this.shown)
    removeEventListener('pagehide', this.away)
    removeEventListener('pageshow', this.shown)
    this.close()
  }

  open() {
    if (this.source) return
    clearTimeout(this.later)
    const source = (this.source = new EventSource(`${this.dataset.stream}?after=${this.position}`))
    source.onopen = () => { this.tries = 0; this.say('live', 'Live') }
    source.addEventListener('line', (event) => this.hear(event))
    source.addEventListener('passed', (event) => { this.position = Math.max(this.position, Number(event.lastEventId)) })
    source.onerror = () => {
      this.say('away', navigator.onLine ? 'Reconnecting' : 'Offline')
      if (source.readyState !== EventSource.CLOSED) return // it comes back by itself
      this.close()
      this.later = setTimeout(() => this.open(), LATER[Math.min(this.tries++, LATER.length - 1)])
    }
  }

  close() {
    clearTimeout(this.later)
    this.source?.close()
    this.source = null
  }

  hear(event) {
    const line = JSON.parse(event.data)
    if (line.position <= this.position) return
    this.position = line.position
    document.dispatchEvent(new CustomEvent('parcycle:line', { detail: line }))
  }

  say(state, words) {
    this.setAttribute('state', state)
    this.textContent = words
  }
}

// <par-news>: says how much has happened since the page was put together, and offers to show it.
class News extends HTMLElement {
  connectedCallback() {
    this.count = 0
    this.hears = () => this.tell(++this.count)
    document.addEventListener('parcycle:line', this.hears)
  }

  disconnectedCallback() { document.removeEventListener('parcycle:line', this.hears) }

  tell(count) {
    const show = document.createElement('a')
    show.href = location.href
    show.textContent = 'Show the page anew'
    this.replaceChildren(`${count === 1 ? 'One new event' : `${count} new events`} since this page was loaded. `, show)
  }
}

// <par-feed>: puts what happens on top of the list in it, which keeps its length.
class Feed extends HTMLElement {
  connectedCallback() {
    this.hears = ({ detail }) => this.add(detail)
    document.addEventListener('parcycle:line', this.hears)
  }

  disconnectedCallback() { document.removeEventListener('parcycle:line', this.hears) }

  add({ position, phase, line, at }) {
    const list = this.querySelector('ul')
    const item = list.lastElementChild.cloneNode(true)
    item.querySelector('.k').className = `k ${phase}`
    item.querySelector('b').textContent = line
    const time = document.createElement('time'), code = document.createElement('code')
    time.dateTime = at
    time.textContent = new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' })
    code.textContent = `#${position}`
    item.querySelector('small').replaceChildren(time, ' · ', code)
    list.prepend(item)
    list.lastElementChild.remove()
  }
}

customElements.define('par-feed', Feed)
customElements.define('par-live', Live)
customElements.define('par-news', News)
