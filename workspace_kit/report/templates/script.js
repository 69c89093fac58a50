"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const say = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  say();
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; say(); });
  system.addEventListener("change", say);

  const worth = (cell) => {
    const number = cell.dataset.value;
    return number === undefined ? cell.textContent : Number(number);
  };
  const compare = (one, other) => {
    const isEmpty = (value) => value === "–";
    if (isEmpty(one) || isEmpty(other)) { return null; }
    return typeof one === "number" && typeof other === "number"
      ? one - other
      : String(one).localeCompare(String(other), "en", { numeric: true });
  };
  const sort = (table, column, head) => {
    const isDescending = head.getAttribute("aria-sort") === "ascending" ||
      (head.classList.contains("n") && head.getAttribute("aria-sort") === null);
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    const way = isDescending ? -1 : 1;
    for (const body of table.tBodies) {
      const rows = [...body.rows].map((row) => [worth(row.cells[column]), row]);
      rows.sort(([one], [other]) => {
        const order = compare(one, other);
        return order === null ? (one === "–") - (other === "–") : way * order;
      });
      body.append(...rows.map(([, row]) => row));
    }
  };
  for (const table of document.querySelectorAll("table.searchable")) {
    const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
    [...heads].forEach((head, column) => {
      if (!head.textContent.trim()) { return; }
      const press = document.createElement("button");
      press.type = "button";
      press.textContent = head.textContent;
      head.replaceChildren(press);
      press.addEventListener("click", () => sort(table, column, head));
    });
  }
  const folds = [...document.querySelectorAll("details.fold")];
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = folds.filter((fold) => !fold.open);
    opened.forEach((fold) => { fold.open = true; });
  });
  window.addEventListener("afterprint", () => { opened.forEach((fold) => { fold.open = false; }); });
  for (const input of document.querySelectorAll("input[data-table]")) {
    const table = document.getElementById(input.dataset.table);
    const status = document.getElementById(`${input.dataset.table}-status`);
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const texts = rows.map((row) => row.textContent.toLowerCase());
    input.parentElement.hidden = false;
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, at) => {
        row.hidden = !words.every((word) => texts[at].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = `${shown} of ${rows.length} rows`;
    });
  }
})();
