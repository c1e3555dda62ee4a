// The engine's event stream, for as long as the page is looked at, through restarts of the engine.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;

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
      this.on.state("paused");
      return;
    }
    const source = new EventSource(`/api/v1/stream?${this.query}`);
    this.source = source;
    source.addEventListener("open", () => {
      this.wait = FIRST_WAIT;
      this.on.state("open");
    });
    source.addEventListener("error", () => {
      if (source !== this.source) return;
      // The browser would try again by itself only as long as the server answers at all, and gives up on a 503.
      source.close();
      this.on.state("waiting");
      this.timer = setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    });
    for (const kind of ["songs", "users", "status"]) {
      source.addEventListener(kind, (event) => {
        if (source === this.source) this.on.event(kind, JSON.parse(event.data));
      });
    }
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
