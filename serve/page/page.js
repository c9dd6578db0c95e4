// The page: code goes to the server, requirements and the program rebuilt from them come back as they are written.
//
// What models, files and errors say is shown as text (textContent), never as markup. The API key is kept in
// sessionStorage, so until the tab is closed; nothing else is kept. Paths are relative: the application may have a prefix.

const KINDS = [
  ["<FUNCTIONAL_REQ>", "functional", "Functional"],
  ["<NON_FUNCTIONAL_REQ>", "non_functional", "Non-functional"],
  ["<CONSTRAINT>", "constraint", "Constraints"],
  ["<API_CALL>", "api_call", "API calls"],
  ["<CLASS_DEF>", "class", "Classes"],
  ["<FUNCTION_DEF>", "function", "Functions"],
];
const KIND_OF = new Map(KINDS.map(([tag, kind]) => [tag, kind]));
const LABEL_OF = new Map(KINDS.map(([, kind, label]) => [kind, label]));
const TAG = new RegExp(`(${KINDS.map(([tag]) => tag).join("|")})`);
const KEY = "cetd-key";
const ASK_AGAIN_S = 5;
const LARGEST_FILE = 16 * 2 ** 20;
// Controls by the field that an error names.
const FIELDS = {
  source: "code", files: "code", inputs: "code", llm: "llm", model: "llm", max_new_tokens: "max-new-tokens",
  temperature: "temperature", interface: "signatures", signatures: "signatures", module: "module",
};

const $ = (id) => document.getElementById(id);

// ---------------------------------------------------------------------------------------------------------- the server

/** What the server, or the way to it, refuses: one line, and where known the field, and the seconds to wait. */
class Refused extends Error {
  constructor(message, { status = 0, field = null, retryAfter = null, id = null } = {}) {
    super(message);
    Object.assign(this, { status, field, retryAfter, id });
  }
}

async function call(path, body, signal) {
  const key = sessionStorage.getItem(KEY);
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  const request = { headers, signal, cache: "no-store" };
  if (body) {
    Object.assign(request, { method: "POST", body: JSON.stringify(body) });
    headers["content-type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused("The server does not answer: see whether it runs, then try again.");
  }
  if (answer.ok) return answer;
  throw await refusal(answer);
}

async function refusal(answer) {
  const seconds = Number.parseInt(answer.headers.get("retry-after") ?? "", 10);
  const known = {
    status: answer.status,
    id: answer.headers.get("x-request-id"),
    retryAfter: Number.isNaN(seconds) ? null : seconds,
  };
  try {
    const { error } = await answer.json();
    return new Refused(error.message, { ...known, field: error.field });
  } catch {
    return new Refused(`The server answered with status ${answer.status}: try again.`, known);
  }
}

/** Server-sent events, as pairs of name and data, however the bytes are cut on their way. */
async function* events(stream) {
  let rest = "";
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      let name = "message";
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        if (line.startsWith("data:")) data.push(line.slice(5));
      }
      if (data.length) yield [name, JSON.parse(data.join("\n"))];
    }
  }
}

// ---------------------------------------------------------------------------------------------------- what is reported

let countdown = 0;

function say(text) {
  clearInterval(countdown);
  for (const field of document.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  $("error").textContent = $("countdown").textContent = "";
  $("status").textContent = text;
}

function fail(message, { field = null, retryAfter = null } = {}) {
  say("");
  const line = String(message).trim();
  $("error").textContent = line[0].toUpperCase() + line.slice(1) + (/[.!?…]$/.test(line) ? "" : ".");
  $("error").scrollIntoView({ block: "nearest" });
  if (field) point(String(field));
  if (retryAfter !== null) countDown(retryAfter);
}

/** Counted outside of the live region, or every second would be read out. */
function countDown(seconds) {
  const show = () => ($("countdown").textContent = `${seconds} s to go`);
  show();
  countdown = setInterval(() => {
    seconds -= 1;
    if (seconds > 0) show();
    else say("You can try again now.");
  }, 1000);
}

/** Show which control an error is about. */
function point(field) {
  const id = field.split(".").reverse().map((part) => FIELDS[part]).find(Boolean);
  if (!id) return;
  if ($("options").contains($(id))) $("options").open = true;
  $(id).setAttribute("aria-invalid", "true");
  (id === "code" && files.size ? $("choose") : $(id)).focus();
}

// ----------------------------------------------------------------------------------------------------------- the files

const files = new Map(); // path → {text, bytes}

async function add(chosen) {
  const unread = [];
  for (const file of chosen) {
    const path = file.webkitRelativePath || file.name;
    try {
      if (file.size > LARGEST_FILE) throw new RangeError(path);
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      files.set(path, { text, bytes: file.size });
    } catch {
      unread.push(path);
    }
  }
  showFiles();
  if (unread.length) fail(`${unread.join(", ")}: a folder, too large, or not text in UTF-8; choose source files.`);
  else say(`${counted(files.size, "file")} to send.`);
}

function remove(path) {
  const at = [...files.keys()].indexOf(path);
  files.delete(path);
  showFiles();
  const left = $("files").querySelectorAll("button");
  (left[Math.min(at, left.length - 1)] ?? $("choose")).focus();
  say(`${path} is removed.`);
}

function showFiles() {
  $("files").replaceChildren(...[...files].map(([path, { bytes }]) => {
    const name = made("code", path);
    const button = made("button", "Remove", "quiet");
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${path}`);
    button.addEventListener("click", () => remove(path));
    const row = made("li");
    row.append(name, made("span", size(bytes)), button);
    return row;
  }));
  $("listed").hidden = files.size === 0;
  $("code").hidden = files.size > 0;
}

function made(tag, text = "", classes = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (classes) element.className = classes;
  return element;
}

const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const size = (bytes) => (bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const time = (ms) => (ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(ms < 1e4 ? 2 : 1)} s`);

// --------------------------------------------------------------------------------------------------- what is shown

const nothing = () => ({ text: "", items: null, answer: "", program: null, id: null });
let shown = nothing();
let painting = 0;

/** The requirements of a text that is still being written, as the server will list them. */
function itemsOf(text) {
  const tidy = (said) => said.split(/\s+/).filter(Boolean).join(" ");
  const [plain, ...tagged] = text.replace(/<[A-Z_]*$/, "").split(TAG);
  const items = plain.split("\n").map((line) => ({ kind: "functional", text: tidy(line) }));
  for (let at = 0; at < tagged.length; at += 2) items.push({ kind: KIND_OF.get(tagged[at]), text: tidy(tagged[at + 1]) });
  return items.filter((item) => item.text);
}

function paint() {
  cancelAnimationFrame(painting);
  painting = 0;
  const panels = [$("requirements"), $("program")];
  const followed = panels.filter((panel) => panel.scrollHeight - panel.scrollTop - panel.clientHeight < 8);
  showItems(shown.items ?? itemsOf(shown.text));
  grow($("plain-text"), shown.text);
  const whole = pressed("whole") || shown.program === null;
  grow($("answer"), whole ? shown.answer : shown.program);
  panels[0].querySelector(".empty").hidden = shown.text !== "";
  panels[1].querySelector(".empty").hidden = shown.answer !== "";
  for (const panel of followed) panel.scrollTop = panel.scrollHeight;
}

function paintSoon() {
  painting ||= requestAnimationFrame(paint);
}

/** Changes only what differs, so that nothing jumps and a selection lasts. */
function showItems(items) {
  const groups = new Map();
  for (const { kind, text } of items) groups.set(kind, [...(groups.get(kind) ?? []), text]);
  const sections = $("sections");
  [...groups].forEach(([kind, texts], at) => {
    let section = sections.children[at];
    if (section?.dataset.kind !== kind) {
      const fresh = sectionOf(kind);
      if (section) section.replaceWith(fresh);
      else sections.append(fresh);
      section = fresh;
    }
    const list = section.querySelector("ul");
    texts.forEach((text, index) => grow(list.children[index] ?? list.appendChild(made("li")), text));
    keep(list, texts.length);
  });
  keep(sections, groups.size);
}

function sectionOf(kind) {
  const section = made("div", "", `kind ${kind}`);
  section.dataset.kind = kind;
  section.append(made("h4", LABEL_OF.get(kind) ?? kind), made("ul"));
  return section;
}

function keep(parent, count) {
  while (parent.children.length > count) parent.lastElementChild.remove();
}

function grow(element, text) {
  const before = element.textContent;
  if (before === text) return;
  if (before && text.startsWith(before)) element.firstChild.appendData(text.slice(before.length));
  else element.textContent = text;
}

function fact(name, value) {
  const element = $(`fact-${name}`);
  element.textContent = value ?? "–";
  element.title = value ?? "";
}

function showFacts(answer) {
  const { usage, timings, cached } = answer;
  fact("model", answer.model_version);
  fact("input", String(usage.input_tokens));
  fact("output", String(usage.output_tokens));
  // Of an answer from the cache nothing was timed.
  fact("queue", cached ? null : time(timings.queue_ms));
  fact("first", cached ? null : time(timings.first_token_ms));
  fact("total", cached ? "cached" : time(timings.total_ms));
  $("cached").hidden = !cached;
  $("cut").hidden = answer.finish_reason !== "length";
}

function clear() {
  shown = nothing();
  for (const name of ["model", "input", "output", "queue", "first", "total", "answer", "id"]) fact(name, null);
  $("cached").hidden = $("cut").hidden = $("feedback").hidden = true;
  $("thanks").textContent = "";
  press("whole", false);
  enable("whole", false);
  paint();
}

const pressed = (id) => $(id).getAttribute("aria-pressed") === "true";
const press = (id, on) => $(id).setAttribute("aria-pressed", String(on));
// Not `disabled`: a button that has the focus would lose it.
const enable = (id, on) => $(id).setAttribute("aria-disabled", String(!on));
const enabled = (id) => $(id).getAttribute("aria-disabled") !== "true";
const busy = (id, on) => $(id).setAttribute("aria-busy", String(on));

// ----------------------------------------------------------------------------------------------------------- the work

let running = null; // AbortController of the request under way

/** The route and body that the form asks for; null where something is missing or wrong, which is reported. */
function asked() {
  for (const id of ["max-new-tokens", "temperature"]) {
    const { validity, validationMessage, labels } = $(id);
    if (validity.badInput || validity.rangeUnderflow || validity.rangeOverflow) {
      fail(`${labels[0].textContent}: ${validationMessage}`, { field: id.replaceAll("-", "_") });
      return null;
    }
  }
  if (!files.size && !$("code").value.trim()) {
    fail("No code yet: paste some, or choose files.", { field: "source" });
    return null;
  }
  const body = { options: {}, stream: true };
  if (files.size) body.files = Object.fromEntries([...files].map(([path, { text }]) => [path, text]));
  else body.source = $("code").value;
  if ($("max-new-tokens").value) body.options.max_new_tokens = Number($("max-new-tokens").value);
  if ($("temperature").value) body.options.temperature = Number($("temperature").value);
  if (!$("llm").value) return ["v1/requirements", body];
  body.llm = $("llm").value;
  const signatures = $("signatures").value.split("\n").map((line) => line.trim()).filter(Boolean);
  if (signatures.length) body.interface = { module: $("module").value.trim() || "solution", signatures };
  return ["v1/pipeline", body];
}

async function generate() {
  if (running) return;
  const request = asked();
  if (!request) return;
  const [path, body] = request;
  const control = (running = new AbortController());
  clear();
  say("Writing requirements…");
  $("program-panel").hidden = !body.llm;
  $("by").textContent = body.llm ?? "";
  enable("generate", false);
  enable("stop", true);
  busy("requirements-panel", true);
  if ($("panels").getBoundingClientRect().top > innerHeight * 0.8) $("results").scrollIntoView();
  try {
    const answer = await call(path, body, control.signal);
    fact("id", answer.headers.get("x-request-id"));
    let whole = null;
    for await (const [event, data] of events(answer.body)) {
      if (event === "done") whole = data;
      take(event, data, body.llm);
    }
    if (!whole) throw new Refused("The answer broke off before its end: try again.");
    const requirements = whole.requirements ?? whole;
    const total = whole.timings.total_ms;
    const took = requirements.cached && !body.llm ? "from the cache" : time(total);
    say(`Done: ${counted(shown.items.length, "requirement")}, ${took}.`);
    offerFeedback();
  } catch (error) {
    if (control.signal.aborted) say("Stopped; what was written so far stays.");
    else failed(error);
  } finally {
    // Where it broke off here, the server has to learn of it.
    control.abort();
    running = null;
    enable("generate", true);
    enable("stop", false);
    busy("requirements-panel", false);
    busy("program-panel", false);
    paint();
  }
}

function take(event, data, llm) {
  if (event === "token") shown.text += data.text;
  if (event === "answer_token") shown.answer += data.text;
  if (event === "error") throw new Refused(data.error.message, { field: data.error.field });
  const requirements = event === "requirements" || (event === "done" && !data.requirements) ? data : data.requirements;
  if (requirements) {
    shown.text = requirements.text;
    shown.items = requirements.items;
    showFacts(requirements);
  }
  if (event === "requirements" && llm) {
    say(`Rebuilding with ${llm}…`);
    busy("requirements-panel", false);
    busy("program-panel", true);
  }
  if (event === "done") {
    shown.id = data.id;
    fact("id", data.id);
    if (data.program !== undefined) {
      shown.answer = data.answer;
      shown.program = data.program;
      fact("answer", time(data.timings.answer_ms));
      enable("whole", data.program.trim() !== data.answer.trim());
    }
  }
  paintSoon();
}

function failed(error, again = generate) {
  if (!(error instanceof Refused)) {
    fail("The answer broke off or cannot be read: try again.");
    return;
  }
  if (error.id) fact("id", error.id);
  if (error.status === 401) {
    fail("The server asks for an API key: give one above.");
    askForKey(again);
    return;
  }
  fail(error.message, error);
}

// ------------------------------------------------------------------------------------------------ the key and the LLMs

let afterKey = null;

function askForKey(then) {
  const refused = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  $("forget").hidden = true;
  afterKey = then;
  $("key-note").textContent = refused
    ? "The server does not accept this key: give another."
    : "This server answers to holders of a key (python -m jobs.keys makes one). It is kept until this tab is closed.";
  $("key-form").hidden = false;
  $("key").value = "";
  $("key").focus();
}

async function useKey() {
  const key = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(key)) {
    $("key-note").textContent = "A key has letters, digits, signs and no spaces, such as cetd-…";
    return;
  }
  sessionStorage.setItem(KEY, key);
  $("key-form").hidden = true;
  $("forget").hidden = false;
  const then = afterKey;
  $("code").focus();
  say("");
  if (await loadModels(then)) then?.();
}

async function loadModels(then = null) {
  try {
    const { data } = await (await call("v1/models")).json();
    const chosen = $("llm").value;
    keep($("llm"), 1);
    for (const { id } of data) $("llm").append(new Option(id, id, false, id === chosen));
    chooseLlm();
    return true;
  } catch (error) {
    if (error.status === 401) askForKey(then);
    else fail(error instanceof Refused ? error.message : "The list of LLMs cannot be read: reload the page.", error);
    return false;
  }
}

function chooseLlm() {
  $("interface").hidden = !$("llm").value;
  if (!running && !shown.text) $("program-panel").hidden = !$("llm").value;
}

async function showReady() {
  const pill = $("served");
  const tell = (state, text) => {
    pill.className = `pill ${state}`;
    if (pill.lastElementChild.textContent !== text) pill.lastElementChild.textContent = text;
  };
  try {
    const answer = await fetch("ready", { cache: "no-store" });
    if (answer.ok) {
      tell("ready", `${(await answer.json()).model_version} is ready`);
      return;
    }
    tell("", "The model is loading…");
  } catch {
    tell("absent", "The server does not answer");
  }
  setTimeout(showReady, ASK_AGAIN_S * 1000);
}

// --------------------------------------------------------------------------------------------------------- the verdict

let recorded = true; // until the server says that it is not

function offerFeedback() {
  for (const id of ["good", "poor"]) press(id, false);
  enable("send", false);
  $("comment").value = "";
  $("feedback").hidden = !recorded;
}

async function sendFeedback() {
  if (!enabled("send")) return;
  enable("send", false);
  const body = { request_id: shown.id, rating: pressed("good") ? 5 : 1, comment: $("comment").value.trim() };
  let said = "Thank you: your verdict is kept.";
  try {
    await call("v1/feedback", body);
  } catch (error) {
    if (error.status === 409) recorded = false;
    else if (error.status !== 404) {
      enable("send", true);
      failed(error, sendFeedback);
      return;
    }
    said = error.status === 409 ? "Verdicts are not kept on this server." : "This answer is no longer on record.";
  }
  if (body.request_id !== shown.id) return;
  const focused = $("feedback").contains(document.activeElement);
  $("feedback").hidden = true;
  $("thanks").textContent = said;
  if (focused) $("results").focus({ preventScroll: true });
}

// ------------------------------------------------------------------------------------------------------------ controls

async function copy(button, text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only where the page comes over https or from this machine is there a clipboard.
    const area = made("textarea", text, "unseen");
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function submitted(form, act) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

const clicked = (id, act) => $(id).addEventListener("click", act);

submitted("ask", generate);
submitted("key-form", useKey);
submitted("feedback", sendFeedback);
clicked("stop", () => running?.abort());
clicked("choose", () => $("chooser").click());
clicked("remove-all", () => {
  files.clear();
  showFiles();
  say("");
  $("code").focus();
});
clicked("key-later", () => {
  $("key-form").hidden = true;
  $("code").focus();
});
clicked("forget", () => {
  sessionStorage.removeItem(KEY);
  $("forget").hidden = true;
  $("code").focus();
  say("The API key is forgotten.");
});
clicked("plain", () => {
  press("plain", !pressed("plain"));
  $("sections").hidden = pressed("plain");
  $("plain-text").hidden = !pressed("plain");
});
clicked("whole", () => {
  if (!enabled("whole")) return;
  press("whole", !pressed("whole"));
  paint();
});
for (const id of ["good", "poor"]) {
  clicked(id, () => {
    press("good", id === "good");
    press("poor", id === "poor");
    enable("send", true);
  });
}
clicked("copy-requirements", (event) => copy(event.currentTarget, shown.text));
clicked("copy-program", (event) => copy(event.currentTarget, $("answer").textContent));
$("llm").addEventListener("change", chooseLlm);
$("chooser").addEventListener("change", async () => {
  await add([...$("chooser").files]);
  // So that the same file, changed, can be chosen again.
  $("chooser").value = "";
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) running.abort();
  else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) generate();
  else return;
  event.preventDefault();
});

// A file that is dropped anywhere else would be opened in place of the page.
for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    $("well").classList.toggle("dropping", type === "dragover");
    if (type === "drop") add([...event.dataTransfer.files]);
  });
}

if (/Mac|iPhone|iPad/.test(navigator.platform)) $("generate").querySelector("kbd").textContent = "⌘ ⏎";
$("forget").hidden = sessionStorage.getItem(KEY) === null;
showReady();
loadModels();
