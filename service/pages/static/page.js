// What every page has: the live stream of its study, and the menu that closes when it is left.
import './live.js'

for (const menu of document.querySelectorAll('details.menu')) {
  const close = (event) => { if (!menu.contains(event.target)) menu.open = false }
  document.addEventListener('pointerdown', close)
  menu.addEventListener('focusout', (event) => { if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false })
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return
    menu.open = false
    menu.querySelector('summary').focus()
  })
}
