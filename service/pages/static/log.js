// Forms for logging: drafts that are kept, checks in words, rows that are added, and the outbox.
import { discard, discardDraft, draft, entry, flush, keepDraft, newId, onChange, take } from './outbox.js'
import { make, persist, twice } from './outbox_shown.js'

const LETTERS = '23456789abcdefghjkmnpqrstuvwxyz'
const MANY = 12 // boxes that can be looked through without a search
const SITE = (study) => `parcycle-site-${study}`
const two = (number) => String(Math.trunc(Math.abs(number))).padStart(2, '0')

// The offset from UTC of this device's clocks at a local moment, such as +01:00.
function offsetAt(local) {
  const minutes = -new Date(local || Date.now()).getTimezoneOffset()
  return `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`
}

function now() {
  const at = new Date()
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`
}

for (const list of document.querySelectorAll('form.logged .boxes')) if (list.children.length > MANY) findIn(list)
if (crypto.subtle) for (const field of document.querySelectorAll('form.logged input[id$="sha256"]')) hashed(field)
for (const form of document.querySelectorAll('form.logged')) await open(form)

async function open(form) {
  const { study, member, title } = form.dataset, page = location.pathname
  const key = [member, study, page].join(' ')
  const controls = form.elements
  const place = document.getElementById('refused')
  let correcting = null, busy = false, touched = false

  const kept = /^#kept=([0-9a-f-]{36})$/.exec(location.hash)
  if (kept && (correcting = await entry(kept[1])) && correcting.member === member) {
    fill(form, correcting.pairs)
    refuse(correcting.reasons)
    anew(correcting.reasons)
  } else if ('fresh' in form.dataset) {
    begin()
    const before = await draft(key)
    if (before) {
      fill(form, before.pairs)
      const words = make('p', {}, `Your draft of ${new Date(before.at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' })} is back. `)
      const forget = twice('Discard it', title, async () => { await forgetDraft(); location.replace(page) })
      place.replaceChildren(make('div', { className: 'notice mild', role: 'status' }, words, forget))
    }
  }

  // A page that was kept may be opened often: each form is a new one.
  function begin() {
    controls.command_id.value = newId()
    controls.occurred_at.value = now()
    controls.offset.value = offsetAt(controls.occurred_at.value)
    for (const each of form.querySelectorAll('[data-new]')) {
      const letters = [...crypto.getRandomValues(new Uint8Array(4))].map((byte) => LETTERS[byte % LETTERS.length])
      each.value = `${each.dataset.new}-${letters.join('')}`
    }
    if (controls.site && !controls.site.value) controls.site.value = localStorage.getItem(SITE(study)) ?? ''
  }

  let later = 0
  const save = () => { if (!busy) keepDraft({ key, study, member, title, page, at: Date.now(), pairs: pairsOf(form) }) }
  form.addEventListener('input', (event) => {
    if (event.target.id === 'offset') touched = true
    if (event.target.id === 'occurred_at' && !touched) controls.offset.value = offsetAt(event.target.value)
    clearTimeout(later)
    later = setTimeout(save, 250)
  })
  form.addEventListener('change', save)
  const forgetDraft = () => { clearTimeout(later); return discardDraft(key) }

  form.addEventListener('click', (event) => {
    const button = event.target.closest('button.add')
    if (!button) return
    event.preventDefault()
    addRow(form, button.value)?.querySelector('input, select, textarea')?.focus()
  })

  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (busy) return // a double click
    const faults = missing(form)
    if (faults.length) return refuse(faults)
    busy = true
    const button = form.querySelector('.next-steps button')
    button.setAttribute('aria-busy', 'true')
    const id = controls.command_id.value, about = form.querySelector('[data-new]')?.value ?? ''
    try {
      await take({ id, study, member, title, about, page, action: form.getAttribute('action'), pairs: pairsOf(form), at: Date.now() })
    } catch { return form.submit() } // a browser that keeps nothing, as in private windows
    await forgetDraft()
    if (correcting && correcting.id !== id) await discard(correcting.id)
    if (controls.site?.value) localStorage.setItem(SITE(study), controls.site.value)
    const to = whereTo(study, id)
    const hindered = await flush()
    const there = await entry(id)
    button.removeAttribute('aria-busy')
    busy = false
    const where = to()
    if (!there) return location.assign(where)
    if (there.state === 'refused') {
      correcting = there
      refuse(there.reasons)
      return anew(there.reasons)
    }
    persist()
    waits(hindered)
  })

  // Said of an entry that waits, in place of the form.
  function waits(hindered) {
    form.hidden = true
    history.replaceState(null, '', page)
    const why = hindered === 'session' ? 'Your session has ended: sign in, and it is sent.' : 'The service cannot be reached just now: it is sent by itself as soon as it can be.'
    const said = make('div', { className: 'notice good', role: 'status', tabIndex: -1 },
      make('h2', {}, 'Kept on this device'), make('p', {}, `“${title}” is safe. ${why}`),
      make('p', { className: 'next-steps' }, ...(hindered === 'session' ? [make('a', { className: 'button', href: '/sign-in' }, 'Sign in')] : []),
        make('a', { className: 'button', href: page }, 'Log another'), make('a', { href: `/s/${study}/log` }, 'All that can be logged')))
    place.replaceChildren(said)
    said.focus()
  }

  // What is on record already, as it was before, can only be recorded as another event.
  function anew(reasons) {
    if (reasons.some((each) => each.code === 'command_altered')) controls.command_id.value = newId()
  }

  // Shows every reason at its field and above the form.
  function refuse(reasons) {
    for (const each of form.querySelectorAll('[data-fault]')) each.replaceChildren()
    for (const each of form.querySelectorAll('[aria-invalid]')) each.removeAttribute('aria-invalid')
    const lines = reasons.map(({ path, message }) => {
      form.querySelector(`[data-fault="${CSS.escape(path)}"]`)?.append(make('p', { className: 'fault' }, message))
      const control = document.getElementById(path)
      if (!control) return make('li', {}, message)
      if (control.matches('input, select, textarea')) control.setAttribute('aria-invalid', 'true')
      control.closest('details')?.setAttribute('open', '')
      return make('li', {}, make('a', { href: `#${path}` }, message))
    })
    const said = make('div', { className: 'notice', role: 'alert', tabIndex: -1 }, make('h2', {}, 'Not on record yet'), make('ul', {}, ...lines))
    for (const link of said.querySelectorAll('a')) {
      link.addEventListener('click', (event) => { event.preventDefault(); document.getElementById(link.hash.slice(1)).focus() })
    }
    place.replaceChildren(said)
    said.focus()
  }

  form.dataset.ready = ''
  if (correcting) {
    const forget = twice('Discard it', title, async () => { await discard(correcting.id); location.assign(`/s/${study}/log`) })
    form.querySelector('.next-steps').append(forget)
  }
}

// Where to go once it is recorded: the list, which says where it stands on record.
function whereTo(study, id) {
  let found = ''
  const stop = onChange((news) => {
    if (news?.id === id) found = `?recorded=${news.recorded}&at_least=${news.recorded}`
  })
  return () => { stop(); return `/s/${study}/log${found}` }
}

const pairsOf = (form) => [...new FormData(form)].filter(([, value]) => typeof value === 'string')

// Puts values into the form as they were written; rows are added for them.
function fill(form, pairs) {
  for (const box of form.querySelectorAll('input[type=checkbox]')) box.checked = false
  for (const [name, value] of pairs) {
    const row = /^(.+)\.(\d+)\.[^.]+$/.exec(name)
    while (row && !form.elements[name] && addRow(form, row[1])) { /* until it is there */ }
    const found = form.elements[name]
    const boxes = found instanceof RadioNodeList ? [...found] : found?.type === 'checkbox' ? [found] : null
    if (boxes) {
      const box = boxes.find((each) => each.value === value), others = form.elements[`${name}.others`]
      if (box) box.checked = true
      else if (others) others.value = [others.value, value].filter(Boolean).join(', ')
    } else if (found) found.value = value
    else if (form.elements[`${name}.others`]) form.elements[`${name}.others`].value = value
  }
}

// Adds an empty row under a path; null if there is no place for it.
function addRow(form, path) {
  const rows = form.querySelector(`[data-rows="${CSS.escape(path)}"]`)
  const template = form.querySelector(`template[data-row="${CSS.escape(path)}"]`)
  if (!rows || !template || rows.children.length > 600) return null
  const last = rows.lastElementChild?.dataset.number
  const number = last === undefined ? 0 : Number(last) + 1
  const made = document.createElement('template')
  made.innerHTML = template.innerHTML.replaceAll('__n__', number).replaceAll('__next__', number + 1)
  const row = made.content.firstElementChild
  rows.append(row)
  return row
}

// What has to be filled in and is not, in words: it is known without the service.
function missing(form) {
  const faults = []
  for (const each of form.querySelectorAll('[required], fieldset[data-least]')) {
    const row = each.closest('.row')
    if (row && !filled(row)) continue // a row that nothing was written in is left out
    const group = each.parentElement.closest('fieldset[data-kind="group"]')
    if (group && !('least' in group.dataset) && !filled(group)) continue
    const empty = each.matches('fieldset') ? !filled(each) : !each.value.trim()
    if (!empty) continue
    const label = each.matches('fieldset') ? each.dataset.label : each.labels[0].textContent.trim()
    faults.push({ path: each.id, message: `${label} is missing: fill it in.` })
  }
  return faults
}

const filled = (part) => [...part.querySelectorAll('input, select, textarea')].some((each) =>
  each.type === 'checkbox' ? each.checked : each.tagName === 'SELECT' ? each.value && !each.options[0].selected : each.value.trim())

// A search above a long list of boxes; what is ticked stays in sight.
function findIn(list) {
  const search = make('input', { type: 'search', className: 'short', ariaLabel: `Find among ${list.closest('fieldset').dataset.label}`, placeholder: 'Find' })
  search.addEventListener('input', (event) => {
    event.stopPropagation() // it is no part of the draft
    for (const each of list.children) each.hidden = !each.textContent.toLowerCase().includes(search.value.trim().toLowerCase()) && !each.querySelector('input').checked
  })
  search.addEventListener('keydown', (event) => { if (event.key === 'Enter') event.preventDefault() })
  list.before(search)
}

// Works a file's SHA-256 out on this device; the file goes nowhere.
function hashed(field) {
  const file = make('input', { type: 'file' })
  const label = make('label', { className: 'others' }, 'Or choose the file: its SHA-256 is worked out here, and the file stays with you', file)
  file.addEventListener('change', async () => {
    if (!file.files[0]) return
    const digest = await crypto.subtle.digest('SHA-256', await file.files[0].arrayBuffer())
    field.value = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    field.dispatchEvent(new Event('input', { bubbles: true }))
  })
  field.after(label)
}
