// How hard a passphrase is to guess, roughly and without a dictionary: a help for the eye, not a rule.

const common = ["password", "passwort", "motdepasse", "letmein", "welcome", "qwerty", "qwertz", "azerty", "iloveyou",
  "dragon", "monkey", "football", "admin", "music", "secret", "abc123", "123456", "sunshine", "princess", "antiphon"];

/** A rough count of bits. `known` are words that an attacker tries first, such as the account's name. */
export function bits(passphrase: string, known: string[] = []): number {
  let text = passphrase.normalize("NFKC").toLowerCase();
  for (const word of [...common, ...known.map((k) => k.toLowerCase()).filter((k) => k.length > 2)]) {
    text = text.replaceAll(word, "\u0001");
  }
  const words = text.split(/[\s\-_.,]+/).filter((w) => w.length > 2);
  if (words.length >= 3) return 11 * new Set(words).size + 2;
  const letters = Array.from(text);
  // What repeats, or follows its neighbor in the alphabet, adds little.
  let fresh = 0;
  letters.forEach((c, i) => {
    const step = i ? c.codePointAt(0)! - letters[i - 1].codePointAt(0)! : 9;
    fresh += Math.abs(step) <= 1 ? 0.25 : letters.indexOf(c) < i ? 0.7 : 1;
  });
  let alphabet = 0;
  if (/[a-z]/.test(text)) alphabet += 26;
  if (/[A-Z]/.test(passphrase)) alphabet += 13;
  if (/[0-9]/.test(text)) alphabet += 10;
  if (/[^a-zA-Z0-9\u0001]/.test(text)) alphabet += 20;
  return fresh * Math.log2(alphabet || 2) * 0.8;
}

/** 0 for nothing typed, else 1 (easy to guess) to 4 (very hard). */
export function level(passphrase: string, known: string[] = []): 0 | 1 | 2 | 3 | 4 {
  if (!passphrase) return 0;
  const b = bits(passphrase, known);
  if (passphrase.length < 10 || b < 32) return 1;
  return b < 44 ? 2 : b < 60 ? 3 : 4;
}
