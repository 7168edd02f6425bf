import { joined, operandsOf, valuesOf } from './posix.ts';
import type { Kind, Place } from './words.ts';

/** The script for fish 3 and later. */
export function fishScript(places: readonly Place[]): string {
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join(' ');
  const candidates = places.map(
    ({ path, options, commands }) => `    case ${quoted(`${path} options`)}
      printf '%s\\t%s\\n' ${options.flatMap(({ names, description }) => names.flatMap((name) => [quoted(name), quoted(description)])).join(' ')}${
        commands.length === 0
          ? ''
          : `
    case ${quoted(`${path} commands`)}
      printf '%s\\t%s\\n' ${commands.flatMap(({ name, description }) => [quoted(name), quoted(description)]).join(' ')}`
      }`,
  );
  return `# Completion of proxyvault for fish. It runs no program.
function __proxyvault_value
  switch "$argv[1] $argv[2]"
${cases(valuesOf(places))}
  end
end

function __proxyvault_operand
  switch "$argv[1] $argv[2]"
${cases(operandsOf(places))}
  end
end

function __proxyvault_described
  switch "$argv[1] $argv[2]"
${candidates.join('\n')}
  end
end

function __proxyvault_complete
  set -l word (commandline -ct)
  set -l at ''
  set -l operands 0
  set -l awaited
  set -l ended
  set -l typed (commandline -opc)
  for each in $typed[2..-1]
    if set -q awaited[1]
      set awaited
    else if not set -q ended[1]; and test "$each" = --
      set ended yes
    else if not set -q ended[1]; and string match -q -- '-*' $each
      string match -q -- '*=*' $each; or set awaited (__proxyvault_value "$at" $each)
    else if test $operands = 0; and contains -- (string trim -- "$at $each") ${paths}
      set at (string trim -- "$at $each")
    else
      set operands (math $operands + 1)
      test "$at" = exec; and set ended yes
    end
  end
  set -l kind
  set -l prefix ''
  if set -q awaited[1]
    set kind $awaited
  else if not set -q ended[1]; and string match -q -- '-*=*' $word
    set prefix (string replace -r -- '=.*' '=' $word)
    set kind (__proxyvault_value "$at" (string replace -- = '' $prefix))
    set word (string replace -- $prefix '' $word)
  else if not set -q ended[1]; and string match -q -- '-*' $word
    __proxyvault_described "$at" options
    return
  else
    set kind (__proxyvault_operand "$at" $operands)
    set -l commands (__proxyvault_described "$at" commands)
    if test $operands = 0; and set -q commands[1]
      printf '%s\\n' $commands
      return
    end
  end
  switch "$kind[1]"
    case '' :any
    case :file
      string replace -r -- '^' "$prefix" (__fish_complete_path $word)
    case :command
      __fish_complete_command
    case '*'
      printf "$prefix%s\\n" $kind
  end
end

complete -c proxyvault -f -a '(__proxyvault_complete)'
`;
}

/** The lines of a `switch`. */
function cases(entries: readonly [key: string, kind: Kind][]): string {
  return joined(entries)
    .map(([keys, kind]) => {
      const answers = typeof kind === 'string' ? [kind] : kind;
      return `    case ${keys.map(quoted).join(' ')}\n      printf '%s\\n' ${answers.map(quoted).join(' ')}`;
    })
    .join('\n');
}

/** A text between quotes, for fish. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
