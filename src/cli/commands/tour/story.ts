import { print } from '../../output.ts';
import { bold, type Printable, text } from '../../terminal.ts';

/** Begins a chapter of a tour. */
export function say(title: string): void {
  print(false, null, () => text`\n${bold(title)}`);
}

/** Prints a part of a chapter. */
export function line(printed: Printable): void {
  print(false, null, () => text`${printed}`);
}
