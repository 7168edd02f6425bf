import { Argument } from 'commander';

import { standaloneCommand } from '../command.ts';
import { writeData } from '../terminal.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export const completionCommand = standaloneCommand({
  name: 'completion',
  purpose: 'print the script with which a shell completes commands, options, their values and paths',
  example: 'source <(proxyvault completion bash)',
  notes: `To have it in every shell, once:
  bash  proxyvault completion bash > ~/.local/share/bash-completion/completions/proxyvault
        (needs the package bash-completion; else add the example to ~/.bashrc)
  zsh   proxyvault completion zsh > ~/.zfunc/_proxyvault
        (and before compinit in ~/.zshrc: fpath=(~/.zfunc $fpath))
  fish  proxyvault completion fish > ~/.config/fish/completions/proxyvault.fish

Run it again after an update. The script starts no program and opens no pool.`,
  takes: (command) => command.addArgument(new Argument('<shell>', 'which shell reads it').choices(SHELLS)),
  async act(command, shell: Shell) {
    // Loaded only here, so that no other command starts later.
    const { completionScript } = await import('../completion/script.ts');
    writeData(completionScript(shell, command.parent ?? command));
  },
});
