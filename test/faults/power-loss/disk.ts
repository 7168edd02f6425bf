/**
 * A strict model of a disk: what POSIX promises, and not what a kind file system does besides.
 *
 * - The content of a file is on the disk only once that file was synced; a name only once its folder was.
 * - Everything since then may be on the disk or not, in any subset, and in any order: of a write each sector of 512 bytes
 *   by itself. So a file that was renamed into place without a sync can be empty, and an unlink may not have happened.
 * - A rename inside one folder happens as a whole, as every file system does it.
 *
 * `apply` replays a recorded call; `imageAfterPowerLoss` gives one disk that the power loss may leave.
 */
import { dirname, join } from 'node:path';
import type { Random } from '../random.ts';
import type { Recorded } from './recording.ts';

const SECTOR = 512;

type Change = { offset: number; data: Buffer } | { size: number };

class File {
  /** What is on the disk for sure. */
  durable: Buffer = Buffer.alloc(0);
  /** What came after, in order. */
  pending: Change[] = [];

  sync(): void {
    this.durable = applied(this.durable, this.pending);
    this.pending = [];
  }
}

/** A change of a folder: each name gets a node, or null if it goes. */
type Naming = Map<string, Node | null>;

class Folder {
  /** As the program sees it. */
  readonly names = new Map<string, Node>();
  durable = new Map<string, Node>();
  pending: Naming[] = [];

  change(naming: Naming): void {
    rename(this.names, naming);
    this.pending.push(naming);
  }

  sync(): void {
    for (const naming of this.pending) rename(this.durable, naming);
    this.pending = [];
  }
}

type Node = File | Folder;

/** How much of what was pending has reached the disk. */
export const SURVIVALS = ['nothing', 'everything', 'the beginning', 'some', 'some sectors'] as const;
export type Survival = (typeof SURVIVALS)[number];

/** Paths to the files' content; null for a folder. */
export type Image = Map<string, Buffer | null>;

export class Disk {
  readonly #root = new Folder();
  readonly #top: string;
  readonly #open = new Map<number, Node>();

  /** Of a program that works below the folder `top`, which is there. */
  constructor(top: string) {
    this.#top = top;
  }

  apply(call: Recorded): void {
    switch (call.call) {
      case 'open': {
        const node = call.how === 'new' ? this.#create(call.path, new File()) : this.#find(call.path);
        if (node instanceof File && call.how === 'emptied') node.pending.push({ size: 0 });
        if (node) this.#open.set(call.descriptor, node);
        break;
      }
      case 'close':
        this.#open.delete(call.descriptor);
        break;
      case 'sync':
        this.#open.get(call.descriptor)?.sync();
        break;
      case 'write':
        this.#file(call.descriptor).pending.push({ offset: call.offset, data: call.data });
        break;
      case 'truncate':
        this.#file(call.descriptor).pending.push({ size: call.size });
        break;
      case 'mkdir':
        this.#create(call.path, new Folder());
        break;
      case 'unlink':
        this.#folder(call.path).change(new Map([[nameOf(call.path), null]]));
        break;
      case 'link':
        this.#create(call.to, this.#existing(call.path));
        break;
      case 'rename':
        this.#rename(call.path, call.to);
        break;
    }
  }

  imageAfterPowerLoss(survival: Survival, random: Random): Image {
    const image: Image = new Map();
    const files = new Map<File, Buffer>();
    const visit = (folder: Folder, path: string): void => {
      for (const [name, node] of survivingNames(folder, survival, random)) {
        const at = join(path, name);
        if (node instanceof Folder) {
          image.set(at, null);
          visit(node, at);
        } else {
          // One content, however many names it has.
          const content = files.get(node) ?? survivingContent(node, survival, random);
          files.set(node, content);
          image.set(at, content);
        }
      }
    };
    visit(this.#root, '');
    return image;
  }

  #create<T extends Node>(path: string, node: T): T {
    this.#folder(path).change(new Map([[nameOf(path), node]]));
    return node;
  }

  #rename(from: string, to: string): void {
    const node = this.#existing(from);
    const [source, target] = [this.#folder(from), this.#folder(to)];
    if (source === target) {
      source.change(
        new Map<string, Node | null>([
          [nameOf(from), null],
          [nameOf(to), node],
        ]),
      );
    } else {
      target.change(new Map([[nameOf(to), node]]));
      source.change(new Map([[nameOf(from), null]]));
    }
  }

  #find(path: string): Node | undefined {
    let at: Node | undefined = this.#root;
    for (const name of path.slice(this.#top.length).split('/').filter(Boolean))
      at = at instanceof Folder ? at.names.get(name) : undefined;
    return at;
  }

  #existing(path: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw new Error(`The recording names ${path}, which was never made.`);
    return node;
  }

  #folder(path: string): Folder {
    const folder = this.#existing(dirname(path));
    if (folder instanceof Folder) return folder;
    throw new Error(`The recording has ${path} in a file.`);
  }

  #file(descriptor: number): File {
    const node = this.#open.get(descriptor);
    if (node instanceof File) return node;
    throw new Error(`The recording writes to descriptor ${descriptor}, which is no open file.`);
  }
}

function survivingNames(folder: Folder, survival: Survival, random: Random): Map<string, Node> {
  const names = new Map(folder.durable);
  for (const naming of survivors(folder.pending, survival, random)) rename(names, naming);
  return names;
}

function survivingContent(file: File, survival: Survival, random: Random): Buffer {
  const changes = survivors(file.pending, survival, random);
  return applied(
    file.durable,
    survival === 'some sectors' ? changes.flatMap((change) => torn(change, random)) : changes,
  );
}

function survivors<T>(pending: readonly T[], survival: Survival, random: Random): readonly T[] {
  switch (survival) {
    case 'nothing':
      return [];
    case 'everything':
      return pending;
    case 'the beginning':
      return pending.slice(0, random.below(pending.length + 1));
    default: {
      const probability = random.next();
      return pending.filter(() => random.chance(probability));
    }
  }
}

/** The sectors of a write that reached the disk. */
function torn(change: Change, random: Random): Change[] {
  if ('size' in change || random.chance(0.5)) return [change];
  const sectors: Change[] = [];
  for (let at = 0; at < change.data.length; ) {
    const length = Math.min(SECTOR - ((change.offset + at) % SECTOR), change.data.length - at);
    if (random.chance(0.5))
      sectors.push({ offset: change.offset + at, data: change.data.subarray(at, at + length) });
    at += length;
  }
  return sectors;
}

function applied(content: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return content;
  let size = content.length;
  let most = size;
  for (const change of changes)
    most = Math.max(most, 'size' in change ? change.size : change.offset + change.data.length);
  const bytes = Buffer.alloc(most);
  content.copy(bytes);
  for (const change of changes) {
    if ('size' in change) {
      if (change.size < size) bytes.fill(0, change.size, size);
      size = change.size;
    } else {
      change.data.copy(bytes, change.offset);
      size = Math.max(size, change.offset + change.data.length);
    }
  }
  return bytes.subarray(0, size);
}

function rename(names: Map<string, Node>, naming: Naming): void {
  for (const [name, node] of naming) {
    if (node === null) names.delete(name);
    else names.set(name, node);
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
