// Verify: says that it is being looked at, which takes a while for a large bundle.
const form = document.getElementById('verify')

for (const field of form?.querySelectorAll('input[type=file]') ?? []) {
  field.addEventListener('dragenter', () => field.classList.add('over'))
  for (const name of ['dragleave', 'drop']) field.addEventListener(name, () => field.classList.remove('over'))
}

form?.addEventListener('submit', () => {
  form.querySelector('button').disabled = true
  document.getElementById('waiting').textContent = 'It is being sent and looked at. For a large bundle this takes a minute.'
})
addEventListener('pageshow', () => { if (form) form.querySelector('button').disabled = false })
