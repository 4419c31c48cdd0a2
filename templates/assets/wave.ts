// Draws the bars of a waveform on a canvas, in the colors of the page.
import { unb64u } from "./bytes";

/** The peaks (0..255) in a data attribute; none when there are none or they cannot be read. */
export function peaksOf(text: string | undefined): Uint8Array {
  if (!text) return new Uint8Array();
  try {
    return unb64u(text);
  } catch {
    return new Uint8Array();
  }
}

/** Draws peaks, strong from `from` to `to` (parts of the whole), faint elsewhere. */
export function drawWave(canvas: HTMLCanvasElement, peaks: Uint8Array, from: number, to: number): void {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(2, devicePixelRatio || 1);
  const width = Math.round(box.width * scale);
  const height = Math.round(box.height * scale);
  if (!width || !height) return;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const strong = style.getPropertyValue("--accent") || "#000";
  const faint = style.getPropertyValue("--edge") || "#888";
  const step = 3 * scale;
  const bars = Math.max(1, Math.floor(width / step));
  const rtl = style.direction === "rtl";
  for (let i = 0; i < bars; i++) {
    const part = i / bars;
    let peak = 0;
    const last = Math.max(Math.floor(part * peaks.length) + 1, Math.floor(((i + 1) / bars) * peaks.length));
    for (let j = Math.floor(part * peaks.length); j < last; j++) peak = Math.max(peak, peaks[j] ?? 0);
    const half = Math.max(scale, (peak / 255) * (height / 2 - scale));
    pen.fillStyle = part >= from && part < to ? strong : faint;
    pen.fillRect(rtl ? width - (i + 1) * step : i * step, height / 2 - half, 2 * scale, 2 * half);
  }
}
