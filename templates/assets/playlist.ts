// Reads just enough of a playlist to fetch its first pieces ahead of hls.js.

const name = /^b[a-z2-7]{58}$/;

/** The renditions of a multivariant playlist with the CIDs of their media playlists. */
export function renditionsOf(master: string): { name: string; cid: string }[] {
  const lines = master.split(/\r?\n/);
  const found: { codecs: string; bits: number; cid: string }[] = [];
  lines.forEach((line, i) => {
    if (!line.startsWith("#EXT-X-STREAM-INF:")) return;
    const cid = lines[i + 1]?.trim() ?? "";
    const codecs = /CODECS="([^"]*)"/.exec(line)?.[1] ?? "";
    const bits = Number(/AVERAGE-BANDWIDTH=(\d+)/.exec(line)?.[1] ?? /BANDWIDTH=(\d+)/.exec(line)?.[1]);
    if (name.test(cid)) found.push({ codecs, bits, cid });
  });
  const names = renditionNames(found);
  return found.map(({ cid }, i) => ({ name: names[i], cid }));
}

/**
 * The names of a track's renditions from what a playlist says of them. Quiet music takes fewer bits than a rendition is
 * named for, so the three of AAC go by their order.
 */
export function renditionNames(all: readonly { codecs: string; bits: number }[]): string[] {
  const lossy = all.filter((v) => !/flac/i.test(v.codecs)).sort((a, b) => a.bits - b.bits);
  return all.map((v) => {
    if (/flac/i.test(v.codecs)) return "flac";
    if (lossy.length === 3) return ["aac64", "aac128", "aac256"][lossy.indexOf(v)];
    return v.bits > 192_000 ? "aac256" : v.bits > 96_000 ? "aac128" : "aac64";
  });
}

/** The CIDs of the init segment and of the first segments of a media playlist. */
export function firstBlocks(media: string, segments = 2): string[] {
  const found: string[] = [];
  const map = /^#EXT-X-MAP:.*URI="([^"]*)"/m.exec(media)?.[1];
  if (map && name.test(map)) found.push(map);
  for (const line of media.split(/\r?\n/)) {
    if (found.length >= segments + (map ? 1 : 0)) break;
    if (name.test(line)) found.push(line);
  }
  return found;
}
