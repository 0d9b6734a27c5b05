// Paper ballots: Enter takes the paper in and goes on to the next at once; it is sent meanwhile.
import { discard, entry, flush, newId, onChange, take } from './outbox.js'
import { make, persist } from './outbox_shown.js'

const form = document.querySelector('form.papers')
const rows = document.getElementById('entered')
const lines = new Map() // of papers that were typed in here, by their commandId
const mine = new Set() // voters whose papers were typed in here

if (form) await begin()

async function begin() {
  const { study, member, title } = form.dataset, page = location.pathname
  const { command_id: id, voter, occurred_at: at, offset } = form.elements
  const place = document.getElementById('refused')
  id.value ||= newId()

  const kept = /^#kept=([0-9a-f-]{36})$/.exec(location.hash)
  const before = kept && await entry(kept[1])
  if (before?.member === member) correct(before)

  onChange(async (news) => {
    if (news?.recorded && lines.has(news.id)) stand(news.id, `in the box, #${news.recorded}`)
    for (const [each] of lines) {
      const there = await entry(each)
      if (there?.state === 'refused') refuse(there)
    }
  })

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    for (const each of form.querySelectorAll('[data-fault]')) each.replaceChildren()
    place.replaceChildren()
    const name = voter.value.trim()
    if (!name) return fault('Write whose paper it is.')
    if (mine.has(name)) return fault(`A paper of ${name} was typed in a moment ago; each voter has one.`)
    const written = { id: id.value, study, member, title, about: name, page, action: form.getAttribute('action'), at: Date.now(), pairs: [...new FormData(form)] }
    mine.add(name)
    line(written.id, name)
    const times = [at.value, offset.value]
    for (const each of form.querySelectorAll('.card input')) each.value = ''
    ;[at.value, offset.value] = times
    id.value = newId()
    voter.focus()
    await take(written)
    if (await flush()) persist()
  })

  function fault(words) {
    form.querySelector('[data-fault="voter"]').replaceChildren(make('p', { className: 'fault', role: 'alert' }, words))
    voter.focus()
  }

  function line(which, name) {
    rows.querySelector('.none')?.remove()
    const state = make('td', {}, 'waits')
    rows.prepend(make('tr', {}, make('td', {}, name), state))
    lines.set(which, { name, state })
  }

  const stand = (which, words) => lines.get(which).state.replaceChildren(words)

  // A paper that was refused: why, and a way to type it in anew.
  function refuse(there) {
    const { name, state } = lines.get(there.id)
    mine.delete(name)
    const again = make('button', { type: 'button', className: 'plain' }, 'Correct it')
    again.addEventListener('click', () => { state.parentElement.remove(); correct(there) })
    const forget = make('button', { type: 'button', className: 'plain' }, 'Leave it out')
    forget.addEventListener('click', async () => { state.parentElement.remove(); await discard(there.id); voter.focus() })
    state.replaceChildren(...there.reasons.map((each) => make('p', { className: 'fault', role: 'alert' }, each.message)), again, ' ', forget)
    lines.delete(there.id)
  }

  function correct(there) {
    for (const [name, value] of there.pairs) if (form.elements[name]) form.elements[name].value = value
    for (const { path, message } of there.reasons) {
      form.querySelector(`[data-fault="${CSS.escape(path)}"]`)?.replaceChildren(make('p', { className: 'fault' }, message))
    }
    voter.focus()
  }

  form.dataset.ready = ''
}
