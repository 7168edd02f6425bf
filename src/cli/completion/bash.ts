import { quoted, sharedFunctions } from './posix.ts';
import type { Place } from './words.ts';

/** The script for bash 3.2 and later. */
export function bashScript(places: readonly Place[]): string {
  const options = places
    .map(
      ({ path, options: all }) =>
        `    ${quoted(path)}) REPLY=${quoted(all.flatMap(({ names }) => names).join(' '))} ;;`,
    )
    .join('\n');
  return `# Completion of proxyvault for bash. It runs no program.
${sharedFunctions(places)}
_proxyvault_options() {
  case "$1" in
${options}
  esac
}

_proxyvault() {
  local word=\${COMP_WORDS[COMP_CWORD]} at operands awaited ended REPLY line
  local -a action
  if [[ $word == '=' ]]; then word=''; fi
  _proxyvault_read "\${COMP_WORDS[@]:1:COMP_CWORD-1}"
  if [[ -n $awaited ]]; then
    REPLY=$awaited
  elif [[ -z $ended && $word == -* ]]; then
    _proxyvault_options "$at"
  else
    _proxyvault_operand "$at" "$operands"
  fi
  COMPREPLY=()
  case $REPLY in
    '' | :any) return ;;
    # Only bash itself completes a name with a line end. The bash of macOS (3.2) cannot be asked to.
    :file) if compopt -o default 2> /dev/null; then return; fi; action=(-f) ;;
    :command) action=(-c) ;;
    *) action=(-W "$REPLY") ;;
  esac
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "\${action[@]}" -- "$word")
}

complete -F _proxyvault proxyvault
`;
}
