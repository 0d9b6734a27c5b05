// The spiral: one tab stop, the arrow keys walk its marks, and a tip says what each stands for.
// Without this script every mark is a link of its own.
class Spiral extends HTMLElement {
  connectedCallback() {
    this.marks = [...this.querySelectorAll('.ev')]
    this.tip = document.createElement('div')
    this.tip.className = 'tip'
    this.tip.setAttribute('aria-hidden', 'true') // a mark's own name is read out
    this.tip.hidden = true
    this.append(this.tip)
    this.marks.forEach((mark, n) => { mark.tabIndex = n === this.marks.length - 1 ? 0 : -1 })
    this.addEventListener('pointerover', (event) => this.show(event.target.closest('.ev')))
    this.addEventListener('pointerleave', () => this.show(null))
    this.addEventListener('focusin', (event) => this.show(event.target.closest('.ev')))
    this.addEventListener('focusout', () => this.show(null))
    this.addEventListener('keydown', (event) => this.walk(event))
  }

  walk(event) {
    if (event.key === 'Escape') return this.show(null)
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key]
    const at = this.marks.indexOf(document.activeElement)
    if (!step || at < 0) return
    event.preventDefault()
    const next = this.marks[Math.max(0, Math.min(this.marks.length - 1, at + step))]
    this.marks[at].tabIndex = -1
    next.tabIndex = 0
    next.focus()
  }

  show(mark) {
    this.tip.hidden = !mark
    if (!mark) return
    this.tip.textContent = mark.getAttribute('aria-label')
    const at = mark.getBoundingClientRect(), around = this.getBoundingClientRect()
    const half = this.tip.offsetWidth / 2
    const middle = at.left + at.width / 2 - around.left
    this.tip.style.left = `${Math.max(half, Math.min(around.width - half, middle))}px`
    this.tip.style.top = `${at.top - around.top}px`
  }
}

// The day as a slider beside its field: where it is let go, the study of that day is shown.
const DAY = 86_400_000

class Slider extends HTMLElement {
  connectedCallback() {
    const field = this.querySelector('input'), range = document.createElement('input')
    const first = Date.parse(this.dataset.first), last = Date.parse(this.dataset.last)
    const said = (n) => new Date(first + n * DAY).toISOString().slice(0, 10)
    range.type = 'range'
    range.min = 0
    range.max = Math.max(1, Math.round((last - first) / DAY))
    range.value = Math.round((Date.parse(field.value) - first) / DAY)
    range.setAttribute('aria-label', 'Day of the study')
    const read = () => range.setAttribute('aria-valuetext', said(Number(range.value)))
    range.addEventListener('input', () => { field.value = said(Number(range.value)); read() })
    range.addEventListener('change', () => field.form.requestSubmit())
    read()
    this.prepend(range)
  }
}

customElements.define('par-spiral', Spiral)
customElements.define('par-slider', Slider)
