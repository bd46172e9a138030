// What people type, as a question of the API.

const SUM = /(^|\s)[+-](\s|$)|"|(^|\s)\d*\.?\d+\*/;

// {kind, item, words, reading} of a text, or null for nothing. `item` is the item of the API's endpoint `kind`.
export function readQuestion(text) {
  const trimmed = text.trim().replace(/[\u2212\u2013]/g, "-");
  if (!trimmed) return null;
  if (SUM.test(trimmed)) {
    const words = trimmed.match(/"[^"]*"|\S+/g).filter((word) => word !== "+" && word !== "-");
    return { kind: "query", item: trimmed, words, reading: `the words nearest to ${trimmed}` };
  }
  const words = trimmed.split(/[\s,:]+/).filter(Boolean);
  if (!words.length) return null;
  if (words.length === 1) return { kind: "similar", item: words[0], words, reading: `the nearest neighbours of ${words[0]}` };
  if (words.length === 2) return { kind: "similarity", item: words, words, reading: `how near ${words[0]} and ${words[1]} are` };
  if (words.length === 3 && !trimmed.includes(",")) {
    const [a, b, c] = words;
    return { kind: "analogy", item: words, words, reading: `${a} is to ${b} as ${c} is to ?` };
  }
  return { kind: "odd", item: words, words, reading: "the word that does not belong to the others" };
}

// An expression that has the question's place in the space: what the map is drawn around.
export function placeOf(question) {
  const quoted = (word) => (/^[\d.]+\*|^[+-]$/.test(word) ? `"${word}"` : word);
  if (question.kind === "query") return question.item;
  if (question.kind === "analogy") {
    const [a, b, c] = question.item.map(quoted);
    return `${b} - ${a} + ${c}`;
  }
  return question.words.map(quoted).join(" + ");
}

// The text with its last word completed.
export function completed(text, word) {
  return text.replace(/[^\s,"*]*$/, word);
}

export function lastWord(text) {
  return text.match(/[^\s,"*]*$/)[0];
}
