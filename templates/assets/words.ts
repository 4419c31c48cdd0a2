// Words, numbers and times for the reader. All texts stand in texts/en.json.
import texts from "texts";

/** The text of a key, its places "{name}" filled from values. A key that is missing is shown as it is. */
export function say(key: string, values: Record<string, string | number> = {}): string {
  let text = texts[key] ?? key;
  for (const [name, value] of Object.entries(values)) text = text.replaceAll(`{${name}}`, String(value));
  return text;
}

/** Whether there is a text for the key. */
export function hasText(key: string): boolean {
  return key in texts;
}

/** A length in seconds as 3:07 or 1:02:09. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0));
  const rest = String(s % 60).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)}:${rest}`;
  return `${Math.floor(s / 3600)}:${String(Math.floor(s / 60) % 60).padStart(2, "0")}:${rest}`;
}

/** A length in seconds in words that a person waits by: "12 seconds", "3 minutes". */
export function span(seconds: number): string {
  const unit = seconds < 60 ? "second" : seconds < 3600 ? "minute" : "hour";
  const per = { second: 1, minute: 60, hour: 3600 }[unit];
  return new Intl.NumberFormat(undefined, { style: "unit", unit, unitDisplay: "long" }).format(Math.max(1, Math.ceil(seconds / per)));
}

/** A number of bytes as "3.4 MB". */
export function size(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let i = 0;
  for (; bytes >= 1000 && i < units.length - 1; i++) bytes /= 1000;
  return new Intl.NumberFormat(undefined, {
    style: "unit", unit: units[i], unitDisplay: "short", maximumFractionDigits: bytes < 10 && i > 0 ? 1 : 0,
  }).format(bytes);
}

/** Puts the times and the money below root into the reader's own form. */
export function localize(root: ParentNode): void {
  for (const t of root.querySelectorAll<HTMLTimeElement>("time[data-form]")) {
    const at = new Date(t.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const form = t.dataset.form;
    t.textContent = form === "day"
      ? at.toLocaleDateString(undefined, { day: "numeric", month: "long", year: "numeric" })
      : form === "until"
        ? at.toLocaleTimeString(undefined, { hour: "numeric", minute: "2-digit" })
        : at.toLocaleString(undefined, { day: "numeric", month: "long", year: "numeric", hour: "numeric", minute: "2-digit" });
  }
  for (const m of root.querySelectorAll<HTMLElement>("data.money[data-number]")) {
    const number = m.querySelector(".number");
    if (number) number.textContent = localNumber(m.dataset.number ?? "");
  }
}

/** A decimal number in English notation in the reader's own, digit by digit: it may have more digits than a double. */
export function localNumber(text: string, locale?: string): string {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) return text;
  const [whole, part] = text.split(".");
  const grouped = new Intl.NumberFormat(locale).format(BigInt(whole));
  if (part === undefined) return grouped;
  const mark = new Intl.NumberFormat(locale).formatToParts(0.5).find((p) => p.type === "decimal")?.value ?? ".";
  const digits = new Intl.NumberFormat(locale, { useGrouping: false });
  return grouped + mark + Array.from(part, (d) => digits.format(Number(d))).join("");
}

/** Says a sentence to a screen reader. */
export function announce(text: string): void {
  const region = document.getElementById("announce");
  if (region) region.textContent = text;
}
