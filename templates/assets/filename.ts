// Names of files that every system takes, whatever a title holds.

// Windows keeps these for itself, with any ending.
const reserved = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/i;
const longest = 120;

/** A part of a name: no separators, no controls, no marks that turn text around, no dots or spaces at its ends. */
function safe(text: string, otherwise: string): string {
  const clean = text.normalize("NFC").replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "")
    .replace(/[\\/:*?"<>|]/g, "-").replace(/\s+/g, " ");
  const short = [...clean].slice(0, longest).join("").replace(/^[. ]+|[. ]+$/g, "");
  return short === "" || reserved.test(short) ? otherwise : short;
}

/** "Artist - Title.flac". */
export function fileName(artist: string, title: string, format: string): string {
  return `${safe(artist, "Unknown artist")} - ${safe(title, "Untitled")}.${/^[a-z0-9]{2,8}$/.test(format) ? format : "bin"}`;
}

/** "Artist - Title", for a folder or an archive. */
export function folderName(artist: string, title: string): string {
  return `${safe(artist, "Unknown artist")} - ${safe(title, "Untitled")}`;
}

/** "01 Title.flac": the number has as many digits as that of the last of `count`, and two at least. */
export function numbered(number: number, count: number, title: string, format: string): string {
  const digits = Math.max(2, String(count).length);
  return `${String(number).padStart(digits, "0")} ${safe(title, "Untitled")}.${/^[a-z0-9]{2,8}$/.test(format) ? format : "bin"}`;
}

/** The media type of a format. */
export function mediaType(format: string): string {
  const types: Record<string, string> = { flac: "audio/flac", mp3: "audio/mpeg", opus: "audio/ogg" };
  return types[format] ?? "application/octet-stream";
}
