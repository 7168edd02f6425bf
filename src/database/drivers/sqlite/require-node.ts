import { ProxyVaultError } from '../../../errors.ts';
import { nodeVersionProblem } from '../../../node-version.ts';

const problem = nodeVersionProblem();
if (problem !== null) throw new ProxyVaultError('UNSUPPORTED', problem);
