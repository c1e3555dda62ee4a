// The engine's event stream, for as long as the page is looked at, through restarts of the engine.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
/** The engine breaks its silence every 15 s; after this long the connection is dead, though nobody has said so. */
const LONGEST_SILENCE = 40_000;

/**
 * Follows the stream of a window. `on.event(kind, data)` gets what arrives, `on.state(state)` one of "connecting",
 * "open", "waiting" (the engine does not answer) and "paused" (nobody looks).
 */
export class Stream {
  constructor(on) {
    this.on = on;
    this.wait = FIRST_WAIT;
    document.addEventListener("visibilitychange", () => this.connect());
    addEventListener("online", () => this.connect());
  }

  /** Follows another window. */
  follow(query) {
    this.query = query;
    this.connect();
  }

  connect() {
    this.source?.close();
    clearTimeout(this.timer);
    if (document.hidden) {
      this.say("paused");
      return;
    }
    const source = new EventSource(`/api/v1/stream?${this.query}`);
    this.source = source;
    // Said once: whoever waits for the engine is not told of each attempt.
    if (this.state !== "waiting") this.say("connecting");
    this.heard();
    source.addEventListener("open", () => {
      if (source !== this.source) return;
      this.wait = FIRST_WAIT;
      this.heard();
      this.say("open");
    });
    // The browser would try again by itself only as long as the server answers at all, and gives up on a 503.
    source.addEventListener("error", () => source === this.source && this.lose());
    source.addEventListener("alive", () => source === this.source && this.heard());
    for (const kind of ["songs", "users", "status"]) {
      source.addEventListener(kind, (event) => {
        if (source !== this.source) return;
        this.heard();
        this.on.event(kind, JSON.parse(event.data));
      });
    }
  }

  say(state) {
    this.state = state;
    this.on.state(state);
  }

  /** Something came, so that the connection is no dead one. */
  heard() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lose(), LONGEST_SILENCE);
  }

  /** Tries again after a while. */
  lose() {
    this.source.close();
    clearTimeout(this.timer);
    this.say("waiting");
    this.timer = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}

/** One answer of the API; null while the engine has none. */
export async function ask(path, signal) {
  try {
    const response = await fetch(`/api/v1/${path}`, { signal });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
