import type { Kind, Place } from './words.ts';

/**
 * The functions that bash and zsh share. Each answers in REPLY; `_proxyvault_read` also sets `at` (the command), `operands` (how
 * many), `awaited` (what the option before the cursor wants) and `ended` (whether no more options are read).
 */
export function sharedFunctions(places: readonly Place[]): string {
  return `_proxyvault_is_command() {
  case "$1" in
    ${places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join(' | ')}) return 0 ;;
  esac
  return 1
}

# What the option $2 of the command $1 wants.
_proxyvault_value() {
  case "$1 $2" in
${cases(valuesOf(places))}
    *) REPLY='' ;;
  esac
}

# What the argument with the number $2, from 0, of the command $1 is.
_proxyvault_operand() {
  case "$1 $2" in
${cases(operandsOf(places))}
    *) REPLY='' ;;
  esac
}

_proxyvault_read() {
  local word
  at='' operands=0 awaited='' ended=''
  for word in "$@"; do
    # bash takes the = of --option=value for a word.
    if [[ $word == '=' ]]; then continue; fi
    if [[ -n $awaited ]]; then awaited=''; continue; fi
    if [[ -z $ended && $word == -- ]]; then ended=1; continue; fi
    if [[ -z $ended && $word == -* ]]; then
      _proxyvault_value "$at" "\${word%%=*}"
      if [[ $word != *=* ]]; then awaited=$REPLY; fi
      continue
    fi
    if ((operands == 0)) && _proxyvault_is_command "\${at:+$at }$word"; then at="\${at:+$at }$word"; continue; fi
    operands=$((operands + 1))
    if [[ $at == exec ]]; then ended=1; fi
  done
}
`;
}

/** Each option with a value, as `command option`, and what it wants. */
export function valuesOf(places: readonly Place[]): [key: string, kind: Kind][] {
  return places.flatMap(({ path, options }) =>
    options.flatMap(({ names, value }) =>
      value === '' ? [] : names.map((name): [string, Kind] => [`${path} ${name}`, value]),
    ),
  );
}

/** Each argument, as `command number`, and what it is. The key of one that repeats ends in `*`, and comes after all others. */
export function operandsOf(places: readonly Place[]): [key: string, kind: Kind][] {
  const all = places.flatMap(({ path, operands, isVariadic }) =>
    operands.map((kind, index): [string, Kind] => [
      isVariadic && index === operands.length - 1 ? `${path} *` : `${path} ${index}`,
      kind,
    ]),
  );
  const isRepeated = ([key]: [string, Kind]): boolean => key.endsWith('*');
  return [...all.filter((each) => !isRepeated(each)), ...all.filter(isRepeated)];
}

/** A text between quotes, for a POSIX shell. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The entries, those with the same answer joined; none before one that it would hide. */
export function joined(entries: readonly [key: string, kind: Kind][]): [keys: string[], kind: Kind][] {
  const groups = Map.groupBy(entries, ([key, kind]) => `${key.endsWith('*')} ${String(kind)}`);
  return [...groups.values()].map((group) => [group.map(([key]) => key), group[0]?.[1] ?? '']);
}

/** The lines of a `case`. */
function cases(entries: readonly [key: string, kind: Kind][]): string {
  return joined(entries)
    .map(([keys, kind]) => {
      const answer = typeof kind === 'string' ? kind : kind.join(' ');
      return `    ${keys.map(pattern).join(' | ')}) REPLY=${quoted(answer)} ;;`;
    })
    .join('\n');
}

function pattern(key: string): string {
  return key.endsWith('*') ? `${quoted(key.slice(0, -1))}*` : quoted(key);
}
