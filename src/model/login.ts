import { z } from 'zod';

import { webUrlSchema } from './web-url.ts';

/** The most characters of a username or password. RFC 1929 allows 255 bytes for SOCKS5; HTTP proxies and their session options take more. */
export const MAX_LOGIN_PART = 1024;

const part = z
  .string()
  .max(MAX_LOGIN_PART)
  .regex(/^\P{Cc}*$/u, 'has a control character')
  .refine((text) => text.isWellFormed(), 'is not well-formed');

export const loginSchema = z
  .strictObject({ username: part, password: part, rotateUrl: webUrlSchema.optional() })
  .refine(
    ({ username, password, rotateUrl }) => username !== '' || password !== '' || rotateUrl !== undefined,
    'username and password are both empty',
  );

type Valid = z.output<typeof loginSchema>;

/** What is secret of a proxy: what logs a user in, and its change-IP URL. Any part may be empty or absent, not all. */
export interface Login extends Valid {
  /** An http or https URL that gives the proxy a new exit address when it is requested; at most 2048 characters. */
  rotateUrl?: Valid['rotateUrl'];
}
