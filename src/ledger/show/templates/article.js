"use strict";
const panel = document.getElementById("panel");
let evidence; // {anchor: what the panel holds}, read at the first look
// Without a script these links lead to the page of all evidence; so do those of which the panel holds nothing.
function show(address) {
  const anchor = decodeURIComponent(address.split("#")[1] ?? "");
  if (!anchor.startsWith("zl:")) return false;
  evidence ??= JSON.parse(document.getElementById("evidence").textContent);
  if (!Object.hasOwn(evidence, anchor)) return false;
  panel.lastElementChild.innerHTML = evidence[anchor];
  if (!panel.matches(":popover-open")) panel.showPopover();
  panel.firstElementChild.focus();
  panel.scrollTop = 0;
  return true;
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="evidence.html#"]');
  if (link && !event.ctrlKey && !event.metaKey && show(link.getAttribute("href"))) event.preventDefault();
});
addEventListener("hashchange", () => show(location.hash));
show(location.hash);
document.querySelectorAll('main a[href^="evidence.html#"]').forEach((link) => link.setAttribute("aria-haspopup", "dialog"));
// What is wider than the screen, such as a formula that cannot be broken, scrolls by itself, and with the keyboard.
// All is measured before anything is changed: the page is too long to be laid out for each formula.
function fit() {
  const main = document.querySelector("main"), edge = main.getBoundingClientRect().right;
  const blocks = [...main.querySelectorAll("figure, .ltx_eqn_table, .ltx_p, .ltx_para, li")];
  blocks.forEach((block) => setScroll(block, false));
  const broad = [...main.querySelectorAll('math[display="inline"]')].filter((math) => // its line may be of no block's width
    math.getBoundingClientRect().right > edge && !math.closest(".scroll, .ltx_tabular, .ltx_eqn_table"));
  for (const math of broad) {
    const frame = document.createElement("span");
    const whole = math.closest("a") ?? math;
    whole.replaceWith(frame);
    frame.append(whole);
    setScroll(frame, true);
  }
  let wide;
  do { // the innermost first: what is around them then fits
    wide = blocks.filter((block) => block.clientWidth > 0 && block.scrollWidth > block.clientWidth + 1 && !block.classList.contains("scroll"));
    wide.filter((block) => !wide.some((other) => other !== block && block.contains(other))).forEach((block) => setScroll(block, true));
  } while (wide.length);
}
function setScroll(element, whether) {
  element.classList.toggle("scroll", whether);
  if (whether) element.tabIndex = 0;
  else element.removeAttribute("tabindex");
}
fit();
let width = innerWidth;
addEventListener("resize", () => { // which a phone does with its bars too, in mid-scroll
  if (innerWidth === width) return;
  width = innerWidth;
  fit();
});
// Of the choices of a menu one is shown; without a script, all of them are.
for (const menu of document.querySelectorAll("select[data-choose]")) {
  const choices = menu.closest("section").querySelectorAll(".choice");
  menu.addEventListener("change", choose);
  choose();
  function choose() {
    choices.forEach((choice, i) => { choice.hidden = i !== menu.selectedIndex; });
  }
}
const text = (words) => words.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt()};`);
for (const part of document.querySelectorAll(".sliders")) {
  const SIDE = 300, all = JSON.parse(part.querySelector("script").textContent);
  const menu = part.querySelector("select"), inputs = [...part.querySelectorAll("input")];
  const svg = part.querySelector("svg");
  part.addEventListener("input", draw);
  draw();
  function draw() {
    const { sliders, curves } = all[menu.value];
    const at = inputs.map((input, i) => {
      const values = sliders[i].values;
      input.max = values.length - 1;
      input.nextElementSibling.value = values[input.value];
      input.setAttribute("aria-valuetext", values[input.value]);
      return Number(input.value);
    });
    const drawn = Object.entries(curves).map(([name, values]) => [name, at.slice(0, -1).reduce((rest, i) => rest[i], values)]);
    const every = Object.values(curves).flat(Infinity).filter((value) => value !== null);
    const low = Math.log10(Math.min(...every)) - .1, span = Math.log10(Math.max(...every)) + .1 - low;
    const ticks = sliders.at(-1).values, last = at.at(-1);
    const x = (i) => (SIDE * (i + .5) / ticks.length).toFixed(1);
    const y = (value) => (SIDE * (1 - (Math.log10(value) - low) / span)).toFixed(1);
    let made = `<rect width="${SIDE}" height="${SIDE}"/><path class="diagonal" d="M${x(last)} 0v${SIDE}"/>`;
    ticks.forEach((tick, i) => { made += `<text x="${x(i)}" y="${SIDE + 17}" text-anchor="middle">${text(tick)}</text>`; });
    for (let power = Math.ceil(low); power <= low + span; power += Math.ceil(span / 6)) {
      made += `<path class="tick" d="M0 ${y(10 ** power)}h-4"/><text x="-7" y="${Number(y(10 ** power)) + 4}" text-anchor="end">${power < 5 ? 10 ** power : `1e${power}`}</text>`;
    }
    made += `<text x="${SIDE / 2}" y="${SIDE + 36}" text-anchor="middle">${text(sliders.at(-1).name)}</text>`;
    drawn.forEach(([name, values], k) => {
      const places = values.map((value, i) => value === null ? null : `${x(i)} ${y(value)}`);
      made += `<path class="curve${k}" d="${places.map((place, i) => place && (places[i - 1] ? "L" : "M") + place).filter(Boolean).join("")}"/>`;
      if (places[last]) made += `<circle class="curve${k}" cx="${x(last)}" cy="${y(values[last])}" r="5"/>`;
      const answer = [...part.querySelectorAll("output[data-curve]")].find((one) => one.dataset.curve === name);
      if (answer) answer.value = values[last]?.toLocaleString("en") ?? "none of those tried";
    });
    svg.innerHTML = made;
  }
}
