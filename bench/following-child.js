// Looks for proxies of a region that another process is about to make, and answers with the time at which it got one.
import { openVault } from 'proxyvault';

const [path, keyFile] = process.argv.slice(2);
const vault = await openVault({ path, keyFile, durability: 'normal' });
vault.pool.choose();
let region = null;
process.on('message', (wanted) => {
  region = wanted;
  process.send('looking');
});
const timer = setInterval(() => {
  // It chooses in between, as a crawler does.
  const { id } = vault.pool.choose();
  if (region === null) return;
  const { proxy } = vault.pool.explain({ region });
  if (proxy === null) return;
  region = null;
  process.send(Date.now());
  vault.pool.report(id, { success: true });
}, 5);
process.on('disconnect', async () => {
  clearInterval(timer);
  await vault.close();
});
process.send('ready');
