// The states of the US as a map of equal tiles: a small state is seen as well as a large one.

import { attribute, byId, drawing, element, keyed, text } from "./dom.js";
import { number, percent } from "./format.js";

const SIDE = 40;
const GAP = 3;
const STEPS = 5;

// Row, column, code, name.
const TILES = [
  [0, 0, "AK", "Alaska"], [0, 10, "ME", "Maine"], [1, 9, "VT", "Vermont"], [1, 10, "NH", "New Hampshire"],
  [2, 0, "WA", "Washington"], [2, 1, "ID", "Idaho"], [2, 2, "MT", "Montana"], [2, 3, "ND", "North Dakota"],
  [2, 4, "MN", "Minnesota"], [2, 5, "IL", "Illinois"], [2, 6, "WI", "Wisconsin"], [2, 7, "MI", "Michigan"],
  [2, 8, "NY", "New York"], [2, 9, "RI", "Rhode Island"], [2, 10, "MA", "Massachusetts"],
  [3, 0, "OR", "Oregon"], [3, 1, "NV", "Nevada"], [3, 2, "WY", "Wyoming"], [3, 3, "SD", "South Dakota"],
  [3, 4, "IA", "Iowa"], [3, 5, "IN", "Indiana"], [3, 6, "OH", "Ohio"], [3, 7, "PA", "Pennsylvania"],
  [3, 8, "NJ", "New Jersey"], [3, 9, "CT", "Connecticut"], [4, 0, "CA", "California"], [4, 1, "UT", "Utah"],
  [4, 2, "CO", "Colorado"], [4, 3, "NE", "Nebraska"], [4, 4, "MO", "Missouri"], [4, 5, "KY", "Kentucky"],
  [4, 6, "WV", "West Virginia"], [4, 7, "VA", "Virginia"], [4, 8, "MD", "Maryland"], [4, 9, "DE", "Delaware"],
  [5, 1, "AZ", "Arizona"], [5, 2, "NM", "New Mexico"], [5, 3, "KS", "Kansas"], [5, 4, "AR", "Arkansas"],
  [5, 5, "TN", "Tennessee"], [5, 6, "NC", "North Carolina"], [5, 7, "SC", "South Carolina"],
  [5, 8, "DC", "District of Columbia"], [6, 3, "OK", "Oklahoma"], [6, 4, "LA", "Louisiana"],
  [6, 5, "MS", "Mississippi"], [6, 6, "AL", "Alabama"], [6, 7, "GA", "Georgia"], [7, 0, "HI", "Hawaii"],
  [7, 3, "TX", "Texas"], [7, 8, "FL", "Florida"],
];
const NAMES = new Map(TILES.map(([, , code, name]) => [code, name]));

/** Where the shades begin that stand for somebody: squares, for a few states have most of the users. */
function bounds(counts) {
  const most = Math.max(...counts);
  return Array.from({ length: STEPS - 1 }, (_, place) => Math.max(1, Math.ceil(most * (place / (STEPS - 1)) ** 2)));
}

export class States {
  constructor() {
    this.users = new Map();
    this.total = 0;
    this.tiles = TILES.map(([row, column, code]) => {
      const x = column * SIDE;
      const y = row * SIDE;
      const size = SIDE - GAP;
      const tile = drawing(
        "g", { "data-state": code },
        drawing("rect", { x, y, width: size, height: size, rx: 4 }),
        drawing("text", { x: x + size / 2, y: y + size / 2, dy: "0.35em", "text-anchor": "middle" }),
      );
      text(tile.lastElementChild, code);
      tile.addEventListener("pointerenter", () => this.read(code));
      tile.addEventListener("pointerleave", () => this.read(null));
      return tile;
    });
    byId("states").append(...this.tiles);
  }

  show(groups, total) {
    this.users = new Map(groups.map((group) => [group.state, group.users]));
    this.total = Math.max(1, total);
    const limits = bounds(TILES.map(([, , code]) => this.users.get(code) ?? 0));
    this.tiles.forEach((tile) => {
      const count = this.users.get(tile.dataset.state) ?? 0;
      const shade = count === 0 ? 0 : limits.filter((limit) => count >= limit).length;
      attribute(tile, "class", `shade-${shade}`);
    });
    this.showWords(groups);
    this.showLegend(limits);
    this.read(this.pointed);
  }

  showWords(groups) {
    const known = groups.filter((group) => NAMES.has(group.state));
    const most = known.slice(0, 3).map((group) => `${NAMES.get(group.state)} ${number(group.users)}`);
    text(byId("states-words"), most.length ? `Most active users: ${most.join(", ")}.` : "No state is known.");
    const make = () => element("tr", {}, element("th", { scope: "row" }), element("td"));
    keyed(byId("states-table").tBodies[0], groups, (group) => JSON.stringify(group.state), make, (row, group) => {
      text(row.firstElementChild, NAMES.get(group.state) ?? group.state ?? "Not said");
      text(row.lastElementChild, number(group.users));
    });
  }

  showLegend(limits) {
    const from = [0, ...limits];
    const steps = from.map((limit, shade) => ({ limit, shade })).filter(({ limit }, place) => limit !== from[place + 1]);
    const make = () => element("span", {}, element("i"), element("span"));
    keyed(byId("states-legend"), steps, ({ shade }) => String(shade), make, (step, { limit, shade }) => {
      attribute(step.firstElementChild, "class", `shade-${shade}`);
      text(step.lastElementChild, shade === 0 ? "0" : `${number(limit)}+`);
    });
  }

  read(code) {
    this.pointed = code;
    const users = this.users.get(code) ?? 0;
    text(byId("state-readout"), code ? `${NAMES.get(code)}: ${number(users)}, ${percent(users / this.total)}` : "");
  }
}
