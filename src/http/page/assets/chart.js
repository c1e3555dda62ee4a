// A line of active users over time, drawn as SVG in the size that there is.

import { attribute, drawing, keyed, text } from "./dom.js";
import { compact, number, time } from "./format.js";

const HEIGHT = 180;
const TOP = 8;
const BOTTOM = 22;
const LEFT = 40;
const RIGHT = 6;

/** Round numbers from 0 up to `most`: three or four of them. */
function ticks(most) {
  const rough = most / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, place) => place * step);
}

/** Lengths between the marks of time, ms. */
const EVERY = [5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720].map((minutes) => minutes * 60000);

export class SeriesChart {
  constructor(svg, readout) {
    this.svg = svg;
    this.readout = readout;
    this.points = [];
    this.grid = drawing("g", { class: "grid" });
    this.hours = drawing("g", { class: "hours" });
    this.area = drawing("path", { class: "area" });
    this.line = drawing("path", { class: "line" });
    this.open = drawing("path", { class: "line open" });
    this.cross = drawing("g", { class: "cross", visibility: "hidden" }, drawing("line"), drawing("circle", { r: 3.5 }));
    svg.append(this.grid, this.hours, this.area, this.line, this.open, this.cross);
    new ResizeObserver(() => this.draw()).observe(svg);
    svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    svg.addEventListener("pointerdown", (event) => this.point(event.offsetX));
    svg.addEventListener("pointerleave", () => this.point(null));
  }

  /** `isOpen`: the last step is not over, so its users are still to grow. */
  show(points, step, isOpen) {
    this.points = points;
    this.step = step;
    this.isOpen = isOpen;
    this.draw();
  }

  draw() {
    const { points } = this;
    const width = this.svg.clientWidth;
    if (points.length < 2 || width === 0) return;
    attribute(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    const most = Math.max(3, ...points.map((point) => point.users));
    const floor = HEIGHT - BOTTOM;
    this.x = (place) => LEFT + (place * (width - LEFT - RIGHT)) / (points.length - 1);
    this.y = (users) => floor - (users * (floor - TOP)) / (most * 1.04);
    this.drawGrid(ticks(most), width);
    this.drawHours(width);
    const at = (place) => `${this.x(place).toFixed(1)} ${this.y(points[place].users).toFixed(1)}`;
    const path = (from, to) => {
      let line = "";
      for (let place = from; place <= to; place += 1) line += `${line ? "L" : "M"}${at(place)}`;
      return line;
    };
    const last = points.length - 1;
    const settled = this.isOpen ? last - 1 : last;
    attribute(this.line, "d", path(0, settled));
    attribute(this.open, "d", this.isOpen ? path(settled, last) : "");
    attribute(this.area, "d", `${path(0, settled)}L${this.x(settled).toFixed(1)} ${floor}L${LEFT} ${floor}Z`);
    this.point(this.pointed);
  }

  drawGrid(levels, width) {
    const make = () => drawing("g", {}, drawing("line"), drawing("text", { x: LEFT - 8, "text-anchor": "end", dy: "0.32em" }));
    keyed(this.grid, levels, String, make, (group, level) => {
      const [line, label] = group.children;
      const y = this.y(level).toFixed(1);
      for (const [name, value] of [["x1", LEFT], ["x2", width - RIGHT], ["y1", y], ["y2", y]]) attribute(line, name, value);
      attribute(label, "y", y);
      text(label, compact(level));
    });
  }

  drawHours(width) {
    const { points } = this;
    const length = this.step * (points.length - 1);
    const room = Math.max(2, Math.floor((width - LEFT) / 90));
    const every = EVERY.find((step) => length / step <= room) ?? length;
    const start = points[0].at;
    // Whole hours of the reader's zone, not of UTC.
    const offset = new Date(start).getTimezoneOffset() * 60000;
    const marks = [];
    for (let at = Math.ceil((start - offset) / every) * every + offset; at <= start + length; at += every) marks.push(at);
    const x = (at) => this.x((at - start) / this.step);
    const fits = (at) => x(at) > LEFT + 14 && x(at) < width - 18;
    const make = () => drawing("text", { y: HEIGHT - 6, "text-anchor": "middle" });
    keyed(this.hours, marks.filter(fits), String, make, (label, at) => {
      attribute(label, "x", x(at).toFixed(1));
      text(label, time(at));
    });
  }

  /** Reads the chart at a distance from its left edge; null: nobody points. */
  point(left) {
    this.pointed = left;
    attribute(this.cross, "visibility", left === null || left === undefined ? "hidden" : "visible");
    if (left === null || left === undefined || !this.x) return text(this.readout, "");
    const last = this.points.length - 1;
    const gap = this.x(1) - this.x(0);
    const place = Math.min(last, Math.max(0, Math.round((left - LEFT) / gap)));
    const { at, users } = this.points[place];
    const [line, dot] = this.cross.children;
    const x = this.x(place).toFixed(1);
    for (const [name, value] of [["x1", x], ["x2", x], ["y1", TOP], ["y2", HEIGHT - BOTTOM]]) attribute(line, name, value);
    attribute(dot, "cx", x);
    attribute(dot, "cy", this.y(users).toFixed(1));
    const unfinished = this.isOpen && place === last ? " so far" : "";
    return text(this.readout, `${time(at)}: ${number(users)}${unfinished}`);
  }
}
