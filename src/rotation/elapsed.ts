/**
 * A clock that never goes back, in milliseconds. It follows the clock of the system; if that is set back, the time that is left of
 * a lease or a cooldown stays as it was.
 */
export class Elapsed {
  /** What the clock of the system said last: milliseconds since the epoch. */
  wall = Number.NaN;
  now = 0;

  /** Reads the clock of the system. */
  at(wall: number): number {
    if (wall > this.wall) this.now += wall - this.wall;
    else if (Number.isNaN(this.wall)) this.now = wall;
    this.wall = wall;
    return this.now;
  }

  /** What the clock of the system will say at a time of this one. */
  wallAt(time: number): number {
    return this.wall + (time - this.now);
  }
}
