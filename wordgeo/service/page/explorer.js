// The explorer: what is asked stands in the address, every answer comes from this service.

import { Problem, ask, askAll, keepKey, models, words } from "./ask.js";
import { drawMap } from "./map.js";
import { completed, lastWord, placeOf, readQuestion } from "./parse.js";

const PAUSE = 140; // milliseconds without typing after which is asked
const PATIENCE = 900; // and after which half a word, or half a sum, is taken for a whole one that is wrong
const FEW = 3; // examples, below which the model's own words join them
const MOST_PAST = 40;
const PAST = "wordgeo-history";
const SEARCHES = ["similar", "analogy", "query"];

const at = (id) => document.getElementById(id);
const fields = { q: at("question"), model: at("model"), beside: at("beside"), k: at("k"), method: at("method"), top: at("top") };
let served = [];
let shown = null; // what the answers on the page are of: {question, columns}
let running = null;
let timer = 0;

function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// The address

function address() {
  const given = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) {
    const initial = { k: "10", method: "3cosadd" }[name] ?? "";
    const value = field.value.trim();
    if (value && value !== initial) given.set(name, value);
  }
  return given.size ? `/?${given}` : "/";
}

function readAddress() {
  const given = new URLSearchParams(location.search);
  for (const [name, field] of Object.entries(fields)) {
    const initial = { k: "10", method: "3cosadd", model: served[0]?.name ?? "" }[name] ?? "";
    field.value = given.get(name) ?? initial;
    if (field.tagName === "SELECT" && field.selectedIndex < 0) field.value = initial;
  }
}

// Asking

function change(now = false) {
  clearTimeout(timer);
  const question = readQuestion(fields.q.value);
  at("reading").textContent = question ? question.reading : "";
  at("method-field").hidden = question?.kind !== "analogy";
  for (const field of ["k-field", "top-field"]) at(field).hidden = question !== null && !SEARCHES.includes(question.kind);
  if (now) answer(true);
  else timer = setTimeout(answer, PAUSE, false);
}

async function answer(keep) {
  clearTimeout(timer);
  running?.abort();
  const question = readQuestion(fields.q.value);
  if (location.pathname + location.search !== address()) history[keep ? "pushState" : "replaceState"](null, "", address());
  if (!question || !fields.model.value) {
    show(question ? "message" : "welcome");
    return;
  }
  const mine = (running = new AbortController());
  const late = setTimeout(() => { at("progress").hidden = false; }, 120);
  let settled = true;
  at("answers").setAttribute("aria-busy", "true");
  try {
    const names = [fields.model.value, fields.beside.value].filter((name, i, all) => name && all.indexOf(name) === i);
    const columns = await Promise.all(names.map((name) => column(name, question, mine.signal)));
    if (columns.every((one) => one.error)) throw columns[0].error;
    shown = { question, columns };
    render();
    remember(keep);
  } catch (error) {
    if (error.name === "AbortError") return;
    settled = keep || !isOfQuestion(error);
    if (settled) explain(error, question);
    else timer = setTimeout(explain, PATIENCE, error, question);
  } finally {
    clearTimeout(late);
    if (running === mine) {
      at("progress").hidden = true;
      if (settled) at("answers").removeAttribute("aria-busy");
    }
  }
}

// Whether other words would be answered.
function isOfQuestion(error) {
  return error instanceof Problem && [404, 422].includes(error.document.status);
}

function options(question) {
  const given = {};
  if (SEARCHES.includes(question.kind)) {
    given.k = Math.min(100, Math.max(1, Math.round(Number(fields.k.value)) || 10));
    if (fields.top.value) given.top = Number(fields.top.value);
    if (question.kind === "analogy") given.method = fields.method.value;
  }
  return given;
}

// What one model answers, or the `error` that it has with the question: a model beside it may have none.
async function column(name, question, signal) {
  const model = served.find((one) => one.name === name);
  const main = ask(name, question.kind, question.item, options(question), signal);
  const more = question.kind === "similarity"
    ? askAll(name, "rank", [question.item, [...question.item].reverse()], {}, signal) : null;
  const plane = ask(name, "map", placeOf(question), { k: 36 }, signal).catch(quiet);
  try {
    const [found, ranks, around] = await Promise.all([main, more, plane]);
    return { name, model, found, ranks, around, stability: await trustIn(name, model, question, found, signal) };
  } catch (error) {
    if (!isOfQuestion(error)) throw error;
    return { name, model, error };
  }
}

// How far an ensemble's runs agree on each answer; null of a single model.
async function trustIn(name, model, question, found, signal) {
  if (model.kind !== "ensemble" || !SEARCHES.includes(question.kind) || !found.words.length) return null;
  const asked = question.kind === "similar" ? [question.item] : [];
  const trust = await askAll(name, "stability", [...asked, ...found.words], { k: 10 }, signal).catch(quiet);
  if (!trust) return null;
  const everywhere = asked.length ? new Set(trust[0].agreed?.[0] ?? []) : null;
  return new Map(found.words.map((word, i) => [word, {
    overlap: trust[i + asked.length].overlap?.[0] ?? null,
    everywhere: everywhere?.has(word) ?? null,
  }]));
}

// A part that fails leaves the rest as it is.
function quiet(error) {
  if (error.name === "AbortError") throw error;
  return null;
}

// Showing

function show(what) {
  at("welcome").hidden = what !== "welcome";
  at("answers").hidden = what !== "answers";
  at("message").hidden = what !== "message";
  at("answers").removeAttribute("aria-busy");
  at("csv").disabled = what !== "answers";
  if (what !== "answers") {
    at("status").textContent = "";
    document.title = "wordgeo explorer";
  }
}

function render() {
  const { question, columns } = shown;
  const answered = columns.filter((one) => one.found);
  const common = answered.length < 2 ? new Set() : new Set(
    answered[0].found.words.filter((word) => answered[1].found.words.includes(word)));
  at("lists").replaceChildren(...columns.map((one) => card(one, question, common)));
  at("lists").classList.toggle("two", columns.length > 1);
  at("maps").classList.toggle("two", columns.length > 1);
  at("maps").replaceChildren(...columns.filter((one) => one.around).map(map));
  show("answers");
  document.title = `${fields.q.value.trim()} · wordgeo explorer`;
  drawMaps();
  const first = answered[0].found;
  at("status").textContent = question.kind === "similarity"
    ? `Cosine ${first.similarity.toFixed(3)}`
    : question.kind === "odd" ? `The odd one out is ${first.word}` : `${first.words.length} answers, the first ${first.words[0] ?? "none"}`;
}

function map({ name, model, around }) {
  const note =
    `Lines join each word with its three nearest in all ${model.dimensions} dimensions. The plane keeps ` +
    `${(100 * around.variance).toFixed(0)}\u00a0% of the variance; trustworthiness ${around.trustworthiness.toFixed(2)} of 1.`;
  return make("section", { class: "card map" }, make("h2", {}, shown.columns.length > 1 ? `Around it, in ${name}` : "Around it"),
    make("div", { class: "plane" }), make("p", { class: "note" }, note));
}

function drawMaps() {
  if (!shown) return;
  const asked = shown.question.words.map((word) => word.replace(/^[\d.]+\*/, "").replaceAll('"', ""));
  const around = shown.columns.filter((one) => one.around).map((one) => one.around);
  at("maps").querySelectorAll(".plane").forEach((place, i) => drawMap(place, around[i], asked, pick));
}

function card(one, question, common) {
  const title = shown.columns.length > 1 || served.length > 1 ? one.name : "Answers";
  const body = one.error ? make("p", { class: "empty" }, one.error.message)
    : question.kind === "similarity" ? pair(one) : table(one, question, common);
  const runs = one.model.kind === "ensemble" ? ` · first of ${one.model.runs} runs` : "";
  const size = `${one.model.words.toLocaleString("en")} words × ${one.model.dimensions}${runs}`;
  const sure = one.stability && [...one.stability.values()].some((found) => found.everywhere);
  const legend = one.stability ? make("p", { class: "note" },
    "Stability: on how many of a word's own 10 neighbours the runs agree." + (sure ? " ✓ among the 10 nearest in every run." : "")) : null;
  const shared = common.size ? make("p", { class: "note" }, `${common.size} of ${one.found.words.length} in both models`) : null;
  return make("section", { class: "card" }, make("h2", {}, title), make("p", { class: "note" }, size), body, legend, shared);
}

function pair({ found, ranks }) {
  const [a, b] = found.words;
  const place = (rank, of, word) => rank.rank_min
    ? make("p", {}, wordButton(word), ` is number ${rank.rank_min.toLocaleString("en")} among the neighbours of `, wordButton(of)) : null;
  return make("div", { class: "pair" },
    make("p", { class: "figure" }, found.similarity.toFixed(3)), make("p", { class: "note" }, `cosine of ${a} and ${b}`),
    place(ranks[0], a, b), place(ranks[1], b, a));
}

function table({ found, stability }, question, common) {
  const odd = question.kind === "odd";
  const least = Math.min(0, ...found.scores), most = Math.max(...found.scores, 1e-9);
  const heads = ["#", odd ? "word" : "answer", odd ? "cosine with the mean" : "score", ...(stability ? ["stability"] : [])];
  const order = found.words.map((_, i) => i);
  if (odd) order.sort((i, j) => found.scores[i] - found.scores[j]);
  const rows = order.map((i, place) => {
    const word = found.words[i], score = found.scores[i];
    const marked = odd ? word === found.word : common.has(word);
    return make("tr", { class: marked ? "marked" : null },
      make("td", { class: "place" }, String(place + 1)),
      make("th", { scope: "row" }, wordButton(word), stability?.get(word).everywhere ? check() : null,
        marked ? make("span", { class: "tag" }, odd ? "odd" : "both") : null),
      make("td", {}, bar((score - least) / (most - least), score.toFixed(3), "score")),
      stability ? trust(stability.get(word)) : null);
  });
  if (!rows.length) return make("p", { class: "empty" }, "No word fits. Try more frequent words or fewer conditions.");
  const caption = make("caption", { class: "hidden" }, question.reading);
  return make("table", {}, caption, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...rows));
}

function trust({ overlap, everywhere }) {
  if (overlap === null) return make("td", {}, "–");
  const hint = `Runs agree on ${(100 * overlap).toFixed(0)} % of its 10 neighbours` +
    (everywhere === null ? "" : everywhere ? "; an answer in all runs" : "; not an answer in all runs");
  return make("td", { title: hint }, bar(overlap, `${(100 * overlap).toFixed(0)} %`, "trust"));
}

function check() {
  return make("span", { class: "check" }, make("span", { "aria-hidden": "true" }, "✓"), make("span", { class: "hidden" }, " in all runs"));
}

function bar(share, text, kind) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return make("span", { class: `bar ${kind}` }, make("span", { class: "track", "aria-hidden": "true" }, fill), make("span", { class: "number" }, text));
}

function wordButton(word) {
  return make("button", { type: "button", class: "word", title: `The neighbours of ${word}`, onclick: () => pick(word) }, word);
}

function pick(word) {
  fields.q.value = /\s/.test(word) ? `"${word}"` : word;
  change(true);
}

function explain(error, question) {
  const found = error instanceof Problem ? error.document : { detail: "The page failed; reload it." };
  const box = at("message");
  if (found.status === 401) at("key-dialog").showModal();
  const title = { 401: "A key is needed", 404: "Not in the vocabulary", 503: "Busy" }[found.status] ?? "That did not work";
  box.replaceChildren(make("h2", {}, title), make("p", {}, found.suggestions?.length ? found.detail.replace(/; did you mean.*$/, ".") : found.detail));
  if (found.suggestions?.length) {
    const replace = (word) => {
      fields.q.value = fields.q.value.split(/(\s+)/).map((part) => (part.replace(/[",:]/g, "") === found.word ? word : part)).join("");
      change(true);
    };
    box.append(make("p", { class: "suggestions" }, "Did you mean ",
      ...found.suggestions.map((word) => make("button", { type: "button", onclick: () => replace(word) }, word))));
  } else if (!found.status || found.status >= 500) {
    box.append(make("button", { type: "button", onclick: () => change(true) }, "Try again"));
  }
  shown = null;
  show("message");
  at("reading").textContent = question?.reading ?? "";
}

// What was asked before

function past() {
  try {
    const found = JSON.parse(localStorage.getItem(PAST) ?? "[]");
    return Array.isArray(found) ? found.filter((one) => typeof one === "string" && one.startsWith("/")) : [];
  } catch {
    return [];
  }
}

function remember(keep) {
  if (keep) localStorage.setItem(PAST, JSON.stringify([address(), ...past().filter((one) => one !== address())].slice(0, MOST_PAST)));
  renderPast();
}

function renderPast() {
  const links = past().map((one) => {
    const given = new URLSearchParams(one.slice(2));
    const text = [given.get("q"), given.get("model"), given.get("beside")].filter(Boolean).join(" · ");
    return make("li", {}, make("a", { href: one }, text));
  });
  at("past").replaceChildren(...links);
  at("history").hidden = !links.length;
}

// Taking away

function csv() {
  const cell = (value) => (/[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const rows = [["model", "question", "place", "word", "score", "stability"]];
  for (const { name, found, stability } of shown.columns.filter((one) => one.found)) {
    if (shown.question.kind === "similarity") rows.push([name, fields.q.value, "", found.words.join(" "), found.similarity, ""]);
    else found.words.forEach((word, i) => rows.push([name, fields.q.value, i + 1, word, found.scores[i], stability?.get(word)?.overlap ?? ""]));
  }
  const text = rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: "wordgeo.csv" });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copyLink() {
  if (fields.q.value.trim()) remember(true);
  try {
    await navigator.clipboard.writeText(location.origin + address());
    at("status").textContent = "The link is copied";
    at("link").textContent = "Copied";
  } catch {
    at("link").textContent = "Copy the address above";
  }
  setTimeout(() => { at("link").textContent = "Copy link"; }, 2000);
}

async function complete() {
  const prefix = lastWord(fields.q.value);
  if (prefix.length < 2 || !fields.model.value) return;
  const found = await words(fields.model.value, prefix, 8).catch(() => null);
  if (!found || lastWord(fields.q.value) !== prefix) return;
  at("completions").replaceChildren(...found.words.map((word) => make("option", { value: completed(fields.q.value, word) })));
}

// Inviting

// Of the examples those are shown whose words the model knows; where they are few, its own frequent words too.
async function invite() {
  const name = fields.model.value, buttons = [...at("examples").querySelectorAll("[data-question]")];
  const asked = buttons.map((button) => readQuestion(button.dataset.question).words);
  const [known, frequent] = await Promise.all([askAll(name, "similar", asked.flat(), { k: 1 }), words(name, "", 200)]).catch(() => []);
  if (!frequent || name !== fields.model.value) return;
  const flat = known.map((one) => !("status" in one));
  const fit = asked.map((some) => flat.splice(0, some.length).every(Boolean));
  buttons.forEach((button, i) => { button.parentElement.hidden = !fit[i]; });
  const own = fit.filter(Boolean).length < FEW ? frequent.words.filter((word) => !asked.flat().includes(word) && /^\p{L}{4,}$/u.test(word)).slice(0, 5) : [];
  at("examples").querySelectorAll(".own").forEach((one) => one.remove());
  at("examples").append(...own.map((word) => make("li", { class: "own" },
    make("button", { type: "button", onclick: () => pick(word) }, make("b", {}, word), make("span", {}, "its nearest neighbours")))));
}

// Beginning

async function begin() {
  try {
    served = await models();
  } catch (error) {
    explain(error, null);
    return;
  }
  const entry = (one) => make("option", { value: one.name }, one.kind === "ensemble" ? `${one.name} (${one.runs} runs)` : one.name);
  fields.model.replaceChildren(...served.map(entry));
  fields.beside.replaceChildren(fields.beside.options[0], ...served.map(entry));
  if (!served.length) {
    explain(new Problem({ detail: "This service has no model yet." }), null);
    return;
  }
  readAddress();
  renderPast();
  change(true);
  invite();
}

fields.q.addEventListener("input", () => { change(); complete(); });
for (const name of ["model", "beside", "method", "top"]) fields[name].addEventListener("change", () => change(true));
fields.k.addEventListener("input", () => change());
at("ask").addEventListener("submit", (event) => { event.preventDefault(); change(true); });
fields.model.addEventListener("change", invite);
at("examples").addEventListener("click", (event) => {
  const example = event.target.closest("[data-question]");
  if (!example) return;
  fields.q.value = example.dataset.question;
  fields.q.focus();
  change(true);
});
at("past").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  readAddress();
  change(true);
  scrollTo({ top: 0 });
});
at("forget").addEventListener("click", () => { localStorage.removeItem(PAST); renderPast(); fields.q.focus(); });
at("csv").addEventListener("click", csv);
at("link").addEventListener("click", copyLink);
at("key-dialog").addEventListener("close", () => { keepKey(at("key").value); begin(); });
addEventListener("resize", drawMaps);
addEventListener("popstate", () => { readAddress(); change(true); });
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) {
    event.preventDefault();
    fields.q.select();
  }
});
begin();
