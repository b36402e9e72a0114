// Finding a segment among many by a part of its name. Those that were chosen stay in sight whatever is typed.

const field = document.getElementById("snd-search"), none = document.getElementById("snd-none");
const lines = [...document.querySelectorAll("#snd-segments > li")];
const FEW = 8;

const plain = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");

function narrow() {
  const parts = plain(field.value).split(/\s+/).filter(Boolean);
  let found = 0;
  for (const line of lines) {
    const fits = parts.every((part) => plain(line.dataset.name).includes(part));
    line.hidden = !fits && Boolean(line.querySelector('input[value=""]:checked'));
    found += fits;
  }
  none.hidden = found > 0;
}

if (field) {
  field.hidden = lines.length < FEW;
  // It is no answer of the form: what is typed here stores nothing.
  field.addEventListener("change", (event) => event.stopPropagation());
  field.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  field.addEventListener("input", narrow);
}
