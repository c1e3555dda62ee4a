// Search for a song or an artist, kept up to date while the chart moves.

import { byId, text } from "./dom.js";
import { plural } from "./format.js";
import { ask } from "./stream.js";

const TYPING_MS = 150;
const AGAIN_MS = 3000;
const MOST = 50;

export class Search {
  constructor(songs, query) {
    this.songs = songs;
    this.query = query;
    this.input = byId("q");
    this.asked = 0;
    this.answered = "";
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.run(), TYPING_MS);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.input.value) {
        event.preventDefault();
        this.input.value = "";
        this.run();
      }
    });
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.run();
    });
  }

  /** Asks again if there is a search, at once or when the last answer is old. */
  refresh(now = false) {
    if (this.input.value.trim() && (now || Date.now() - this.asked >= AGAIN_MS)) this.run();
  }

  async run() {
    this.running?.abort();
    const words = this.input.value.trim();
    if (!words) {
      text(byId("found"), "");
      this.answered = "";
      this.songs.showFound(null);
      return;
    }
    this.asked = Date.now();
    this.running = new AbortController();
    const { signal } = this.running;
    const query = new URLSearchParams({ q: words, limit: MOST });
    const answer = await ask(`charts/songs?${this.query()}&${query}`, signal);
    if (signal.aborted) return;
    if (!answer) {
      // What was found for these words stays; other words' songs would be taken for theirs.
      if (this.answered !== words) {
        this.answered = "";
        text(byId("found"), "The search is not answered just now. The chart is shown instead.");
        this.songs.showFound(null);
      }
      return;
    }
    this.answered = words;
    const count = answer.songs.length;
    const most = count === MOST ? "the first " : "";
    const said = count === 0 ? "No song" : `${most}${plural(count, "song", "songs")}`;
    text(byId("found"), `${said[0].toUpperCase()}${said.slice(1)} in this window with “${words}”. Escape goes back to the chart.`);
    this.songs.showFound(answer);
  }
}
