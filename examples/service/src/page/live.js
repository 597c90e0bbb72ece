// What the service tells about itself, twice a second. All of it is put into the page as text, never as HTML.

const MINUTE = 120; // events
const AGAIN_AFTER = 2000; // milliseconds

const WORDS = {
  thumbnail: ["Thumbnail", "good"],
  bad_image: ["Not a picture", "theirs"],
  too_much_memory: ["Too much memory", "theirs"],
  too_large: ["Too large", "theirs"],
  too_slow: ["Too slow", "theirs"],
  incomplete: ["Not complete", "theirs"],
  overloaded: ["Queue full", "busy"],
  closing: ["About to end", "busy"],
  deadline: ["Not in time", "busy"],
  crashed: ["Crashed", "ours"],
  panicked: ["Panicked", "ours"],
  failed: ["Other errors", "ours"],
  hung_up: ["Client hung up", "theirs"],
};
const ATTACKS = ["endless", "crash", "panic", "bomb"];

const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function show(id, value) {
  byId(id).textContent = typeof value === "number" ? number.format(value) : value;
}

// ---- Events

const history = []; // of statuses, the newest last

function connect() {
  const events = new EventSource("events");
  // Perhaps to a service that has just been started, and counts from 0.
  events.addEventListener("open", () => { history.length = 0; });
  events.addEventListener("status", (event) => {
    history.push(JSON.parse(event.data));
    if (history.length > MINUTE + 1) history.shift();
    showStatus(history.at(-1));
  });
  events.addEventListener("reports", (event) => showReports(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    showPhase("no connection", "lost");
    // The browser itself tries again, unless the answer was an error, 503 for instance.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN_AFTER);
  });
}

function showPhase(text, className) {
  byId("phase").textContent = text;
  byId("phase").className = `badge ${className}`;
}

function showStatus(status) {
  showPhase(status.phase, status.phase);
  show("waiting", status.queue.waiting);
  show("longest", status.queue.longest);
  show("deadline", status.deadline_ms);
  showWorkers(status.workers);
  showRates();
  showOutcomes(status.outcomes);
  offerAttacks(status.hostile);
}

// ---- Queue and answers

function total(status) {
  return status.outcomes.reduce((sum, { count }) => sum + count, 0);
}

function thumbnails(status) {
  return status.outcomes.find(({ outcome }) => outcome === "thumbnail").count;
}

// By the second: from the status two events before.
function rates(count) {
  return history.map((status, at) => count(status) - count(history[Math.max(0, at - 2)]));
}

function showRates() {
  const all = rates(total);
  const good = rates(thumbnails);
  const most = Math.max(1, ...all);
  show("rate", all.at(-1));
  show("share", all.at(-1) ? `${Math.floor((100 * good.at(-1)) / all.at(-1))} %` : "no");
  draw("rate-history", [[good, "good", most], [all, "", most]]);
  const waiting = history.map(({ queue }) => queue.waiting);
  draw("waiting-history", [[waiting, "", Math.max(4, ...waiting)]]);
}

function draw(id, lines) {
  const svg = byId(id);
  svg.setAttribute("viewBox", `0 0 ${MINUTE} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  const paths = lines.map(([values, className, most]) => {
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const start = MINUTE + 1 - values.length;
    const points = values.map((value, at) => `${start + at},${98 - (94 * value) / most}`);
    const ends = className ? [`${start},100`, ...points, `${MINUTE},100`] : points;
    path.setAttribute("d", `M${ends.join("L")}`);
    path.setAttribute("class", className);
    return path;
  });
  svg.replaceChildren(...paths);
}

// ---- Workers

function showWorkers(workers) {
  show("running", workers.running);
  show("most", workers.most);
  const states = ["running", "starting", "idle"];
  const slots = states.flatMap((state) => Array(workers[state]).fill(state));
  while (slots.length < workers.most) slots.push("none");
  byId("slots").replaceChildren(...slots.slice(0, 64).map((state) => element("i", state)));
  list("states", states, workers, (state) => [element("span", `dot ${state}`)]);
  list("ends", ["started", "retired", "crashed", "killed"], workers, () => []);
}

function list(id, names, counts, marks) {
  byId(id).replaceChildren(...names.map((name) => {
    const pair = element("div");
    pair.append(...marks(name), element("dt", "", name), element("dd", "", number.format(counts[name])));
    return pair;
  }));
}

// ---- Outcomes

function showOutcomes(outcomes) {
  const before = history[0].outcomes;
  byId("outcomes").replaceChildren(...outcomes.map(({ outcome, status, count }, at) => {
    const [words, kind] = WORDS[outcome] ?? [outcome, ""];
    const row = element("tr", count ? "" : "none");
    const name = element("td");
    name.append(element("span", `dot ${kind}`), words);
    const cells = [String(status), number.format(count - before[at].count), number.format(count)];
    row.append(name, ...cells.map((text) => element("td", "", text)));
    return row;
  }));
}

// ---- Crashes

function showReports(reports) {
  byId("no-reports").hidden = reports.length > 0;
  const open = new Set([...document.querySelectorAll("details[open]")].map(({ id }) => id));
  byId("reports").replaceChildren(...reports.map(({ id, at, summary, text }) => {
    const details = element("details");
    details.id = `report-${id}`;
    details.open = open.has(details.id);
    const line = element("summary");
    line.append(element("time", "", new Date(at).toLocaleTimeString()), element("code", "", id), summary);
    details.append(line, element("pre", "", text));
    return details;
  }));
}

// ---- Try it

async function send(path, body) {
  const { thumbnail, words } = await ask(path, body).catch(({ message }) => ({ words: `No answer: ${message}` }));
  const image = byId("thumbnail");
  URL.revokeObjectURL(image.src);
  image.hidden = !thumbnail;
  if (thumbnail) image.src = URL.createObjectURL(thumbnail);
  byId("answer").querySelector("figcaption").textContent = words;
  byId("answer").hidden = false;
}

async function ask(path, body) {
  const answer = await fetch(path, { method: "POST", body });
  if (answer.ok) return { thumbnail: await answer.blob(), words: `${answer.status}` };
  // It is not the service's own if something in between has made it.
  const { error, report } = await answer.json().catch(() => ({ error: answer.statusText }));
  return { words: `${answer.status}: ${error}${report ? `, report ${report}` : ""}` };
}

byId("picture").addEventListener("change", ({ target }) => {
  if (target.files.length) send("thumbnail", target.files[0]);
  target.value = "";
});

function offerAttacks(hostile) {
  if (byId("attacks").hidden === !hostile) return;
  byId("attacks").hidden = !hostile;
  byId("attacks").querySelector(".buttons").replaceChildren(...ATTACKS.map((attack) => {
    const button = element("button", "", attack);
    button.addEventListener("click", () => send(`hostile/${attack}`, `<b>the last words of ${attack}</b>`));
    return button;
  }));
}

connect();
