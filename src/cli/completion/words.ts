import type { Argument, Command, Option } from 'commander';

/** What may be typed in a place: some words, a path, a program, or anything. Empty for an option without a value. */
export type Kind = readonly string[] | ':file' | ':command' | ':any' | '';

/** A command, an option or a place for an argument, as a shell needs to know it. */
export interface Place {
  /** The names of the command, such as `key status`; empty for the program itself. */
  path: string;
  /** What is typed without a dash, by its position; the last one is repeated if `isVariadic`. */
  operands: readonly Kind[];
  isVariadic: boolean;
  options: readonly { names: readonly string[]; description: string; value: Kind }[];
  commands: readonly { name: string; description: string }[];
}

/** What a value is called if it is a path, or may be one, such as an argument of the command that `exec` runs. */
const PATHS = ['file', 'backup', 'folder', 'path', 'args'];

/** Everything that may be typed after `proxyvault`, from the declarations. */
export function placesOf(program: Command): Place[] {
  const all = placesBelow(program, '');
  // After `help` come the names of commands once more, and nothing else.
  const named = all.map(({ path, commands }): Place => {
    const operands = commands.length > 0 ? [commands.map(({ name }) => name)] : [];
    return { path: pathTo('help', path), operands, isVariadic: false, options: [], commands };
  });
  return [...all.filter(({ path }) => path !== 'help'), ...named];
}

function placesBelow(command: Command, path: string): Place[] {
  const below = command.commands.map((each) => ({ name: each.name(), description: each.description() }));
  const operands = command.registeredArguments;
  const place: Place = {
    path,
    operands: below.length > 0 ? [below.map(({ name }) => name)] : operands.map(kindOfArgument),
    isVariadic: operands.at(-1)?.variadic === true,
    options: command.createHelp().visibleOptions(command).map(describe),
    commands: below,
  };
  const rest = command.commands.flatMap((each) => placesBelow(each, pathTo(path, each.name())));
  return [place, ...rest];
}

function pathTo(...names: string[]): string {
  return names.filter((name) => name !== '').join(' ');
}

function describe(option: Option): Place['options'][number] {
  const { short, long, description } = option;
  return {
    names: [long, short].filter((name) => name !== undefined),
    description,
    value: kindOfOption(option),
  };
}

function kindOfOption({ flags, argChoices, required, optional }: Option): Kind {
  if (!required && !optional) return '';
  return argChoices ?? kindOfName(/[<[]([\w-]+)/.exec(flags)?.[1]);
}

function kindOfArgument(argument: Argument): Kind {
  if (argument.argChoices) return argument.argChoices;
  return argument.name() === 'command' ? ':command' : kindOfName(argument.name());
}

function kindOfName(name = ''): Kind {
  return PATHS.includes(name) ? ':file' : ':any';
}
