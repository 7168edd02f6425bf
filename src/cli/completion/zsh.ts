import { quoted, sharedFunctions } from './posix.ts';
import type { Place } from './words.ts';

/** The script for zsh: a file on its $fpath, or read with `source`. */
export function zshScript(places: readonly Place[]): string {
  const described = (items: readonly { name: string; description: string }[]): string =>
    items.map(({ name, description }) => quoted(`${name}:${description}`)).join(' ');
  const listed = (
    name: string,
    of: (place: Place) => readonly { name: string; description: string }[],
  ): string => `
_proxyvault_${name}() {
  case "$1" in
${places.map((place) => `    ${quoted(place.path)}) described=(${described(of(place))}) ;;`).join('\n')}
  esac
}
`;
  const optionsOf = ({ options }: Place): { name: string; description: string }[] =>
    options.flatMap(({ names, description }) => names.map((name) => ({ name, description })));
  return `#compdef proxyvault
# Completion of proxyvault for zsh. It runs no program.
${sharedFunctions(places)}${listed('commands', ({ commands }) => commands)}${listed('options', optionsOf)}
_proxyvault() {
  local at operands awaited ended REPLY word=$words[CURRENT]
  local -a described
  _proxyvault_read "\${(@)words[2,CURRENT-1]}"
  if [[ -z $ended && -z $awaited && $word == -*=* ]]; then
    _proxyvault_value "$at" "\${word%%=*}"
    compset -P '*='
  elif [[ -n $awaited ]]; then
    REPLY=$awaited
  elif [[ -z $ended && $word == -* ]]; then
    _proxyvault_options "$at"
    _describe -o option described
    return
  else
    _proxyvault_operand "$at" "$operands"
    _proxyvault_commands "$at"
    if ((operands == 0 && $#described > 0)); then
      _describe command described
      return
    fi
  fi
  case $REPLY in
    '' | :any) return 1 ;;
    :file) _files ;;
    :command) _command_names -e ;;
    *) compadd -- \${=REPLY} ;;
  esac
}

if [[ $funcstack[1] == _proxyvault ]]; then
  _proxyvault "$@"
else
  compdef _proxyvault proxyvault
fi
`;
}
