/** So many answers are kept; then they are forgotten, and asked for again. */
const MOST = 10_000;
/** Longer texts, such as the URL of a data set in the place of a domain, are not kept. */
const LONGEST = 512;

/** Keeps the answers of a function that takes longer than a look-up. An error is not kept. */
export function remembered<T>(work: (text: string) => T): (text: string) => T {
  const answers = new Map<string, T>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    const answer = work(text);
    if (text.length > LONGEST) return answer;
    if (answers.size === MOST) answers.clear();
    answers.set(text, answer);
    return answer;
  };
}
