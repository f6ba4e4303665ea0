// Faults that would keep a reader out, as a list of sentences: names, roles, tables, headings, contrast. Run in the page.
const faults = [];
const shown = (node) => node.checkVisibility ? node.checkVisibility({ visibilityProperty: true }) : node.offsetParent !== null;
const name = (node) => (node.getAttribute("aria-label") || node.textContent || node.getAttribute("title") || node.getAttribute("placeholder") || (node.labels && node.labels[0] && node.labels[0].textContent) || "").trim();
const where = (node) => node.tagName.toLowerCase() + (node.id ? "#" + node.id : "") + (node.className && node.className.baseVal === undefined ? "." + String(node.className).replaceAll(" ", ".") : "") + " \"" + node.textContent.trim().slice(0, 30) + "\"";
if (!document.documentElement.lang) faults.push("the page has no language");
if (!document.title) faults.push("the page has no title");
if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) faults.push("two elements with id " + id);
for (const node of document.querySelectorAll("a, button, input, select, summary")) {
  const control = ["INPUT", "SELECT"].includes(node.tagName);
  const text = control ? (node.getAttribute("aria-label") || (node.labels && node.labels[0] && node.labels[0].textContent) || "").trim() : name(node);
  if (!text) faults.push("without a name: " + where(node));
}
for (const link of document.querySelectorAll("a[href^='#']")) {
  const id = link.getAttribute("href").slice(1);
  if (!document.getElementById(id)) faults.push("leads nowhere: #" + id);
}
for (const svg of document.querySelectorAll("svg")) {
  if (svg.getAttribute("aria-hidden") === "true") continue;
  if (svg.getAttribute("role") !== "img" || !svg.querySelector(":scope > title")) faults.push("a picture without role or title");
}
for (const table of document.querySelectorAll("table")) {
  if (!table.caption || !table.caption.textContent.trim()) faults.push("a table without a caption");
  for (const head of table.querySelectorAll("th")) if (!head.scope) faults.push("a head cell without scope: " + where(head));
}
let level = 0;
for (const head of document.querySelectorAll("h1, h2, h3, h4, h5")) {
  const now = Number(head.tagName[1]);
  if (now > level + 1) faults.push("heading leaps from " + level + " to " + now + ": " + where(head));
  level = now;
}
for (const box of document.querySelectorAll("*")) {
  const style = getComputedStyle(box);
  const scrolls = /auto|scroll/.test(style.overflowX) && box.scrollWidth > box.clientWidth + 1;
  if (scrolls && shown(box) && box.tabIndex < 0 && !box.querySelector("a, button, input, select, [tabindex='0']")) faults.push("scrolls, but not by keyboard: " + where(box));
}
// Contrast as WCAG 2 defines it. Colours may come in any notation: a canvas reads them all.
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const rgba = (text) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const luminance = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return rgba(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "#000" : "#fff");
};
const worst = new Map();
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own || ["SCRIPT", "STYLE", "TITLE", "DESC", "NOSCRIPT", "OPTION"].includes(node.tagName) || !shown(node)) continue;
  const style = getComputedStyle(node);
  const ink = rgba(node.ownerSVGElement ? style.fill : style.color);
  const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  const [a, b] = [luminance(ink), luminance(behind(node.ownerSVGElement ? node.ownerSVGElement.parentElement : node))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < (large ? 3 : 4.5)) worst.set(where(node), ratio);
}
for (const [place, ratio] of [...worst].slice(0, 20)) faults.push("contrast " + ratio.toFixed(2) + ": " + place);
return faults;
