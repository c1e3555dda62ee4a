// The table of songs: the chart, or what a search found.

import { attribute, byId, calm, drawing, element, keyed, text } from "./dom.js";
import { number } from "./format.js";

/** Songs that are shown at first: as many as look well beside the rest of the page. */
const FEW = matchMedia("(max-width: 40rem)").matches ? 10 : 25;
const MOVE_MS = 350;
const WIDTH = 96;
const HEIGHT = 24;

const keyOf = (song) => JSON.stringify([song.artist, song.song]);

/** How a song moved since the window before: an arrow to see, words to hear. */
function movement(song, previous) {
  if (song.rank === null || !previous || previous.plays === 0) return ["", "", ""];
  if (song.previous_rank === null) return ["fresh", "new", "new"];
  const places = song.previous_rank - song.rank;
  if (places === 0) return ["same", "=", "unchanged"];
  const shown = number(Math.abs(places));
  return places > 0 ? ["up", `▲ ${shown}`, `up ${shown}`] : ["down", `▼ ${shown}`, `down ${shown}`];
}

function cell(name, ...children) {
  return element("td", { class: name, role: "cell" }, ...children);
}

function makeRow(song) {
  const title = element("span", { class: "title", dir: "auto" });
  const artist = element("span", { class: "artist", dir: "auto" });
  text(title, song.song);
  text(artist, song.artist);
  title.title = song.song;
  const name = element("th", { class: "name", role: "rowheader", scope: "row" }, title, artist);
  const spark = drawing(
    "svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("path", { class: "before" }), drawing("path", { class: "area" }), drawing("path", { class: "now" }),
  );
  const moved = [element("span", { "aria-hidden": "true" }), element("span", { class: "unseen" })];
  return element(
    "tr", { role: "row" },
    cell("rank"), cell("move", ...moved), name, cell("trend", spark, element("span", { class: "unseen" })),
    cell("plays"), cell("listeners"),
  );
}

/** Draws a trend: the window's part in the accent's colour, what was before it as a plain line. */
function drawTrend(cell, trend, within) {
  const [before, area, now] = cell.firstElementChild.children;
  const most = Math.max(1, ...trend);
  const x = (place) => ((place * WIDTH) / Math.max(1, trend.length - 1)).toFixed(1);
  const y = (count) => (HEIGHT - 1.5 - (count * (HEIGHT - 3)) / most).toFixed(1);
  const line = (from, to) =>
    trend.slice(from, to).map((count, place) => `${place ? "L" : "M"}${x(from + place)} ${y(count)}`).join("");
  const from = Math.max(0, trend.length - 1 - within);
  attribute(before, "d", from > 0 ? line(0, from + 1) : "");
  attribute(now, "d", line(from, trend.length));
  attribute(area, "d", trend.length ? `${line(from, trend.length)}L${WIDTH} ${HEIGHT}L${x(from)} ${HEIGHT}Z` : "");
  const half = Math.ceil(trend.length / 2);
  const sum = (counts) => counts.reduce((total, count) => total + count, 0);
  const change = sum(trend.slice(half)) - sum(trend.slice(0, half));
  text(cell.lastElementChild, change > 0 ? "rising" : change < 0 ? "falling" : "level");
}

export class Songs {
  constructor() {
    this.rows = byId("rows");
    this.expanded = false;
    this.chart = null;
    this.found = null;
    byId("more").addEventListener("click", () => {
      this.expanded = !this.expanded;
      this.draw();
    });
  }

  /** The chart's newest answer. */
  show(answer) {
    this.chart = answer;
    if (!this.found) this.draw();
  }

  /** What a search found; null to show the chart again. */
  showFound(answer) {
    const was = this.found;
    this.found = answer;
    if (answer || was) this.draw();
  }

  draw() {
    const answer = this.found ?? this.chart;
    if (!answer) return;
    text(byId("songs-title"), this.found ? "Songs found" : "Top songs");
    const all = answer.songs;
    const shown = this.expanded ? all : all.slice(0, FEW);
    byId("chart").hidden = shown.length === 0;
    const empty = byId("songs-empty");
    empty.hidden = shown.length > 0 || this.found !== null;
    text(empty, nothing(answer));
    const more = byId("more");
    more.hidden = all.length <= FEW;
    attribute(more, "aria-expanded", this.expanded);
    text(more, this.expanded ? `Show the first ${number(FEW)}` : `Show all ${number(all.length)}`);
    this.drawRows(answer, shown);
  }

  drawRows(answer, songs) {
    const step = answer.trend.step_seconds * 1000;
    const end = Date.parse(answer.trend.start) + step * (songs[0]?.trend.length ?? 0);
    const within = Math.max(1, Math.round((end - Date.parse(answer.window.start)) / step));
    const moving = !calm() && !document.hidden;
    const places = moving ? new Map(Array.from(this.rows.children, (row) => [row, row.offsetTop])) : new Map();
    keyed(this.rows, songs, keyOf, makeRow, (row, song) => {
      const [rank, move, , trend, plays, listeners] = row.children;
      text(rank, song.rank === null ? "–" : number(song.rank));
      const [kind, seen, heard] = movement(song, answer.previous);
      attribute(move, "class", `move ${kind}`);
      text(move.firstElementChild, seen);
      text(move.lastElementChild, heard);
      drawTrend(trend, song.trend, within);
      text(plays, number(song.plays));
      text(listeners, number(song.listeners));
    });
    for (const [row, top] of places) {
      const shift = row.isConnected ? top - row.offsetTop : 0;
      if (shift !== 0) {
        row.animate([{ transform: `translateY(${shift}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
      }
    }
  }
}

/** Why a chart is empty. */
function nothing(answer) {
  if (answer.window.start !== null) return "Nothing was played in this window.";
  return answer.at === "closed"
    ? "No window is closed yet: that takes events, and then the time that late ones are waited for."
    : "Waiting for the first event. Nothing has been read from the topics yet.";
}
