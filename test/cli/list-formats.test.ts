import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../support/command-line.ts';

describe('import of files of other programs', () => {
  it.each([
    ['config.yaml', 'mixed-port: 7890\nallow-lan: true\nrules:\n  - MATCH,g\n', 'no proxies:'],
    ['provider.yaml', 'proxy-providers:\n  p: {type: http, url: "https://x.example"}\n', 'proxy-providers:'],
    ['proxychains.conf', 'strict_chain\n[ProxyList]\n# socks5 192.0.2.1 1080\n', 'no proxy'],
    ['profile.ppx', '<ProxifierProfile><ProxyList></ProxyList></ProxifierProfile>', 'no proxy'],
    ['link.txt', 'tg://proxy?server=h.example&port=443&secret=canary\n', 'MTProto'],
    ['settings.reg', 'Windows Registry Editor Version 5.00\n\n"ProxyServer"="192.0.2.1:80"\n', 'registry'],
  ])('%s without a proxy fails and says why', (name, text, reason) => {
    const { folder, run } = commandLine();
    writeFileSync(join(folder, name), text);
    const { status, stdout, stderr } = run(['import', name]);
    expect(status).toBe(1);
    expect(stdout + stderr).toContain(reason);
    expect(stdout + stderr).not.toContain('canary');
  });

  it('reads their proxies', () => {
    const { folder, run, json } = commandLine();
    const lists = {
      'clash.yaml': 'proxies: [{name: a, type: socks5, server: 192.0.2.1, port: 1, username: ~}]\n',
      'chain.txt': 'socks5 192.0.2.2 2 u p\n',
      'profile.ppx':
        '<ProxifierProfile><ProxyList><Proxy id="1" type="SOCKS4"><Address>192.0.2.3</Address><Port>3</Port></Proxy></ProxyList></ProxifierProfile>',
      'links.txt': 'https://t.me/socks?server=192.0.2.4&port=4\n',
    };
    for (const [name, text] of Object.entries(lists)) {
      writeFileSync(join(folder, name), text);
      const format = name === 'chain.txt' ? ['--format', 'proxychains'] : [];
      expect(json('import', name, ...format)).toMatchObject({ added: 1, refused: [] });
    }
    expect(run(['export', '--reveal']).stdout).toMatch(
      /^socks5h?:\/\/192\.0\.2\.1:1#a\nsocks5h?:\/\/u:p@192\.0\.2\.2:2\nsocks4a?:\/\/192\.0\.2\.3:3\nsocks5h?:\/\/192\.0\.2\.4:4\n$/,
    );
  });
});
