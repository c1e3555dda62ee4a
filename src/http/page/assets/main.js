// What is shown, and who shows it.

import { byId, text } from "./dom.js";
import { compact, days, moment, number, percent, plural, span, zone } from "./format.js";
import { Songs } from "./songs.js";
import { Search } from "./search.js";
import { Audience } from "./audience.js";
import { Health } from "./health.js";
import { Stream, ask } from "./stream.js";

const WINDOWS = ["5m", "1h", "24h", "minute", "hour", "day"];
const ENDS = ["live", "closed"];

const asked = new URLSearchParams(location.search);
const pick = (name, values, otherwise) => (values.includes(asked.get(name)) ? asked.get(name) : otherwise);
const choice = { window: pick("window", WINDOWS, "1h"), at: pick("at", ENDS, "live") };
const query = () => new URLSearchParams(choice).toString();

const songs = new Songs();
const search = new Search(songs, query);
const audience = new Audience();
const health = new Health();
let lastHeard = null;

/** Answers that were under way when the choice changed are of no use. */
const isWanted = (answer) => answer && answer.window.name === choice.window && answer.at === choice.at;

/** A change since the window before, in words. */
function change(ratio) {
  if (ratio >= 3) return `${compact(ratio)} times the window before`;
  if (Math.abs(ratio - 1) < 0.005) return "about as many as in the window before";
  return `${percent(Math.abs(ratio - 1))} ${ratio > 1 ? "more" : "fewer"} than the window before`;
}

function showFigures(answer) {
  const { window: { start, end }, at, plays, previous, revision, partitions: { covered, total } } = answer;
  text(byId("plays"), number(plays));
  // A window that is not over yet cannot be compared with a whole one.
  text(byId("plays-change"), at === "closed" && previous?.plays > 0 ? change(plays / previous.plays) : "");
  const known = start !== null;
  text(byId("span"), known ? span(Date.parse(start), Date.parse(end)) : "–");
  const late = revision > 0 ? `, ${plural(revision, "late play", "late plays")} counted in` : "";
  const part = covered < total ? `, of ${number(covered)} of ${number(total)} partitions` : "";
  text(byId("span-note"), known ? days(Date.parse(start), Date.parse(end)) + late + part : "");
}

function show(kind, answer) {
  if (kind === "status") {
    health.show(answer);
  } else if (isWanted(answer)) {
    document.body.classList.remove("switching");
    if (kind === "songs") {
      showFigures(answer);
      songs.show(answer);
      search.refresh();
    } else {
      text(byId("users"), number(answer.users));
      const level = answer.splits.level.find((group) => group.level === "paid");
      text(byId("users-note"), level && answer.users ? `${percent(level.users / answer.users)} on a paid plan` : "");
      audience.show(answer);
    }
  }
}

const stream = new Stream({
  event(kind, data) {
    lastHeard = Date.now();
    show(kind, data);
  },
  state(state) {
    document.body.dataset.connection = state;
    const since = lastHeard === null ? "" : ` The numbers are from ${moment(lastHeard)}.`;
    const words = {
      connecting: "Connecting",
      open: "Connected",
      waiting: `The engine does not answer; waiting for it.${since}`,
      paused: "Paused while the page is hidden",
    };
    text(byId("connection"), words[state]);
    health.connected(state !== "waiting");
  },
});

async function follow() {
  document.body.classList.add("switching");
  stream.follow(query());
  search.refresh(true);
  const at = query();
  const answers = await Promise.all([
    ask(`charts/songs?${at}`), ask(`active-users?${at}&by=level&detail=true`), ask("status"),
  ]);
  ["songs", "users", "status"].forEach((kind, place) => answers[place] && show(kind, answers[place]));
}

for (const input of byId("choice").elements) {
  if (input.name in choice) input.checked = input.value === choice[input.name];
}
byId("choice").addEventListener("change", ({ target }) => {
  choice[target.name] = target.value;
  history.replaceState(null, "", `?${query()}`);
  follow();
});
byId("choice").addEventListener("submit", (event) => event.preventDefault());
text(byId("zone"), zone());
follow();
