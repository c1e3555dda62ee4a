// Numbers and times in the reader's locale; words in English.

const LEAST_SHARE = 0.0001;

const locales = navigator.languages?.length ? navigator.languages : undefined;

const whole = new Intl.NumberFormat(locales);
const short = new Intl.NumberFormat(locales, { notation: "compact", maximumSignificantDigits: 3 });
const share = new Intl.NumberFormat(locales, { style: "percent", maximumFractionDigits: 0 });
const fineShare = new Intl.NumberFormat(locales, { style: "percent", maximumSignificantDigits: 2 });
const clock = new Intl.DateTimeFormat(locales, { hour: "numeric", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(locales, { timeStyle: "medium" });
const dated = new Intl.DateTimeFormat(locales, {
  day: "numeric", month: "short", year: "numeric", hour: "numeric", minute: "2-digit",
});
const date = new Intl.DateTimeFormat(locales, { day: "numeric", month: "short", year: "numeric" });
const zoneName = new Intl.DateTimeFormat(locales, { timeZoneName: "long" });

export const number = (value) => whole.format(value);
export const compact = (value) => short.format(value);
export function percent(value) {
  if (value > 0 && value < LEAST_SHARE) return `under ${fineShare.format(LEAST_SHARE)}`;
  return (value > 0 && value < 0.01 ? fineShare : share).format(value);
}
export const time = (value) => clock.format(new Date(value));

const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

/** A moment to the second; with its date unless it is today. */
export function moment(value) {
  return sameDay(value, Date.now()) ? clockSeconds.format(new Date(value)) : dated.format(new Date(value));
}

/** Start and end of a window. */
export function span(start, end) {
  const [from, to] = [new Date(start), new Date(end)];
  return sameDay(start, end) ? clock.formatRange(from, to) : `${clock.format(from)} – ${clock.format(to)}`;
}

/** The day or days of a window. */
export function days(start, end) {
  return date.formatRange(new Date(start), new Date(end - 1));
}

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;

/** A length of time in words, in its largest unit. */
export function duration(seconds) {
  const units = [[86400, "day", "days"], [3600, "hour", "hours"], [60, "minute", "minutes"]];
  const unit = units.find(([length]) => seconds >= 2 * length);
  return unit ? plural(Math.round(seconds / unit[0]), unit[1], unit[2]) : plural(Math.round(seconds), "second", "seconds");
}

/** The same as a figure, with symbols that every language knows. */
export function briefly(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60]];
  const [symbol, length] = units.find(([, length]) => seconds >= 2 * length) ?? ["s", 1];
  return `${number(Math.round(seconds / length))}\u202f${symbol}`;
}

export function zone() {
  return zoneName.formatToParts(new Date()).find((part) => part.type === "timeZoneName")?.value ?? "local time";
}
