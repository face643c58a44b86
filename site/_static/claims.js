// Filters the claims table by section and verdict; without this script it is whole.
const form = document.getElementById("claims-filter");
if (form) {
  const rows = [...document.querySelectorAll("#claims tbody tr")];
  const { section, verdict } = form.elements;
  const output = form.querySelector("output");

  const filter = () => {
    let shown = 0;
    for (const row of rows) {
      const fits =
        (!section.value || row.dataset.section === section.value) &&
        (!verdict.value || row.dataset.verdict === verdict.value);
      row.hidden = !fits;
      shown += fits;
    }
    const numbers = [shown, rows.length];
    output.textContent = output.dataset.text.replace(/#/g, () => numbers.shift());
  };

  // A link to one claim (#claim-…) shows it, whatever was chosen.
  const show = () => {
    const row = rows.find((r) => `#${r.id}` === location.hash);
    if (row && row.hidden) {
      form.reset();
      filter();
      row.scrollIntoView();
    }
  };

  for (const link of document.querySelectorAll("a[data-show]")) {
    link.addEventListener("click", () => {
      section.value = "";
      verdict.value = link.dataset.show;
      filter();
    });
  }
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", show);
  form.hidden = false;
  filter();
  show();
}
