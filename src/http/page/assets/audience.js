// Active users: by minute, by level, by gender, by state.

import { byId, element, keyed, text } from "./dom.js";
import { number, percent, time } from "./format.js";
import { SeriesChart } from "./chart.js";
import { States } from "./states.js";

const NAMES = {
  level: new Map([["paid", "Paid"], ["free", "Free"]]),
  gender: new Map([["F", "Women"], ["M", "Men"]]),
};

function makeBar() {
  const track = element("td", { class: "track", "aria-hidden": "true" }, element("i"));
  return element("tr", {}, element("th", { scope: "row" }), track, element("td"), element("td", { class: "share" }));
}

function showBars(id, groups, users) {
  const value = (group) => group[id];
  keyed(byId(id).tBodies[0], groups, (group) => JSON.stringify(value(group)), makeBar, (row, group) => {
    const [name, track, count, share] = row.children;
    text(name, NAMES[id].get(value(group)) ?? value(group) ?? "Not said");
    track.firstElementChild.style.setProperty("--share", (group.users / Math.max(1, users)).toFixed(4));
    text(count, number(group.users));
    text(share, percent(group.users / Math.max(1, users)));
  });
}

export class Audience {
  constructor() {
    this.chart = new SeriesChart(byId("series"), byId("readout"));
    this.states = new States();
  }

  show(answer) {
    const seen = answer.window.start !== null;
    byId("audience").hidden = !seen;
    byId("audience-empty").hidden = seen;
    text(
      byId("audience-empty"),
      answer.at === "closed" ? "No window is closed yet." : "Waiting for the first event.",
    );
    if (!seen) return;
    this.showSeries(answer);
    showBars("level", answer.splits.level, answer.users);
    showBars("gender", answer.splits.gender, answer.users);
    this.states.show(answer.splits.state, answer.users);
  }

  showSeries({ series, at }) {
    const step = series.step_seconds * 1000;
    const start = Date.parse(series.start);
    const points = series.users.map((users, place) => ({ at: start + place * step, users }));
    text(byId("series-title"), series.step_seconds === 60 ? "Each minute" : `Each ${number(series.step_seconds / 60)} minutes`);
    this.chart.show(points, step, at === "live");
    const counts = points.map((point) => point.users);
    const last = points.at(-1);
    text(
      byId("series-words"),
      `From ${time(start)} to ${time(last.at + step)}: between ${number(Math.min(...counts))} and ` +
        `${number(Math.max(...counts))} active users, ${number(last.users)} at the end.`,
    );
    const make = () => element("tr", {}, element("th", { scope: "row" }), element("td"));
    keyed(byId("series-table").tBodies[0], points.toReversed(), (point) => String(point.at), make, (row, point) => {
      text(row.firstElementChild, time(point.at));
      text(row.lastElementChild, number(point.users));
    });
  }
}
