// The pipeline's health, in words.

import { byId, element, keyed, text } from "./dom.js";
import { briefly, duration, moment, number, percent, plural } from "./format.js";

/** Uploads are due every two minutes unless set otherwise; a record this old is late. */
const LATE_SECONDS = 600;
const MANY_RECORDS = 10_000;

const ago = (since) => `${duration(Math.max(0, (Date.now() - Date.parse(since)) / 1000))} ago`;

function verdict(status) {
  const refused = status.partitions.filter((partition) => partition.refused);
  if (refused.length > 0) {
    return ["bad", `${plural(refused.length, "partition is", "partitions are")} stopped until somebody acts: ${refused[0].refused}`];
  }
  if (status.state !== "running") return ["wait", `The engine is ${status.state}: ${status.reason ?? "one moment"}.`];
  if (status.behind_seconds > LATE_SECONDS) return ["bad", "The lake is late."];
  if (status.lag > MANY_RECORDS) return ["wait", `Catching up: ${number(status.lag)} records are still to be read.`];
  return ["good", "All is well."];
}

function facts(status) {
  const { records, rejected, late, uncounted, lag, pending, partitions } = status;
  const idle = partitions.filter((partition) => partition.idle).length;
  const left = uncounted > 0 ? ` ${plural(uncounted, "record was", "records were")} too old or too far ahead to count.` : "";
  return [
    ["Freshness", status.behind_seconds === null ? "Not known yet."
      : status.behind_seconds === 0 ? "Everything is in the lake."
        : `The oldest record that is not in the lake yet has waited for ${duration(status.behind_seconds)}.`],
    ["Lag", lag === null ? "Not known yet."
      : `${lag === 0 ? "Nothing waits in Kafka" : `${plural(lag, "record waits", "records wait")} in Kafka`}` +
        `${pending ? `; ${plural(pending, "record is", "records are")} not in the lake yet` : ""}.`],
    ["Last upload", status.last_upload === null
      ? `None since the engine started, ${ago(status.started)}.`
      : `${ago(status.last_upload)}, at ${moment(Date.parse(status.last_upload))}.`],
    ["Rejected", rejected === 0
      ? `None of ${plural(records, "record", "records")} read since the engine started.`
      : `${plural(rejected, "record", "records")} of ${number(records)} (${percent(rejected / Math.max(1, records))}) do not decode; they are kept aside.`],
    ["Late", (late === 0 ? "No record came late." : `${plural(late, "late record", "late records")} counted in afterwards.`) + left],
    ["Watermark", status.watermark === null
      ? "None yet: some partition has not been heard of."
      : `Only late records are expected from before ${moment(Date.parse(status.watermark))}.`],
    ["Partitions", `${number(partitions.length)} read here${idle ? `, ${number(idle)} of them idle` : ""}.`],
  ];
}

export class Health {
  constructor() {
    this.isConnected = true;
    // Ages grow while nothing arrives.
    setInterval(() => this.draw(), 1000);
  }

  show(status) {
    this.status = status;
    this.draw();
  }

  connected(isConnected) {
    this.isConnected = isConnected;
    this.draw();
  }

  draw() {
    if (!this.isConnected) {
      byId("verdict").className = "verdict bad";
      text(byId("verdict"), "The engine does not answer. What follows was its last word.");
      text(byId("verdict-short"), "The engine does not answer.");
      return;
    }
    if (!this.status || document.hidden) return;
    const [kind, words] = verdict(this.status);
    byId("verdict").className = `verdict ${kind}`;
    text(byId("verdict"), words);
    text(byId("verdict-short"), words);
    const { behind_seconds: behind } = this.status;
    text(byId("behind"), behind === null ? "–" : briefly(behind));
    const make = ([name]) => {
      const group = element("div", {}, element("dt"), element("dd"));
      text(group.firstElementChild, name);
      return group;
    };
    keyed(byId("facts"), facts(this.status), ([name]) => name, make, (group, [, words]) => text(group.lastElementChild, words));
  }
}
