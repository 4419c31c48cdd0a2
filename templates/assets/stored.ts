// Choices that this browser remembers, such as the volume.

/** A choice that was made before, or otherwise. */
export function stored(name: string, otherwise: string): string {
  try {
    return localStorage.getItem(name) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remembers a choice. */
export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Private windows may have no storage; the choice then lasts as long as the page.
  }
}
