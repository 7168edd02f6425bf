import type { Command } from 'commander';
import { addCommand } from './add.ts';
import { backupCommand } from './backup.ts';
import { checkCommand } from './check.ts';
import { completionCommand } from './completion.ts';
import { configCommand } from './config.ts';
import { coolCommand } from './cool.ts';
import { editCommand } from './edit.ts';
import { disableCommand, enableCommand } from './enable.ts';
import { eventsCommand } from './events.ts';
import { execCommand } from './exec.ts';
import { explainCommand } from './explain.ts';
import { exportCommand } from './export.ts';
import { helpCommand } from './help.ts';
import { importCommand } from './import.ts';
import { initCommand } from './init.ts';
import { keyCommand } from './key.ts';
import { listCommand } from './list.ts';
import { migrateCommand } from './migrate.ts';
import { nextCommand } from './next.ts';
import { pruneCommand } from './prune.ts';
import { removeCommand } from './remove.ts';
import { reportCommand } from './report.ts';
import { resetCommand } from './reset.ts';
import { restoreCommand } from './restore.ts';
import { rotateCommand } from './rotate.ts';
import { rulesCommand } from './rules.ts';
import { serveCommand } from './serve.ts';
import { showCommand } from './show.ts';
import { statsCommand } from './stats.ts';
import { stickyCommand } from './sticky.ts';
import { tourCommand } from './tour.ts';

/** The commands in the order of --help: a new one is a file here and a line below. */
export const COMMANDS: readonly (() => Command)[] = [
  tourCommand,
  initCommand,
  importCommand,
  exportCommand,
  addCommand,
  listCommand,
  showCommand,
  editCommand,
  enableCommand,
  disableCommand,
  removeCommand,
  nextCommand,
  rotateCommand,
  explainCommand,
  execCommand,
  serveCommand,
  reportCommand,
  coolCommand,
  resetCommand,
  statsCommand,
  eventsCommand,
  stickyCommand,
  rulesCommand,
  configCommand,
  keyCommand,
  migrateCommand,
  backupCommand,
  restoreCommand,
  checkCommand,
  pruneCommand,
  completionCommand,
  helpCommand,
];
