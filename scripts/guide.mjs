// node scripts/guide.mjs ANSWERS SSH…: tries docs/raspberry-pi.md, word for word, on a machine that is reached by
// `ssh SSH…` (key, port, user@host): a Raspberry Pi, or an emulated one. Sections 2 to 5: what stands in blocks of shell
// is run, line by line, the line for fstab goes where it belongs, and every command has to end with status 0. The package
// has to be in the user's home folder already. ANSWERS is a file with the NAS's password in the first line (in place of
// the guide's `…`), and below it what `init` is to be told. Changes that machine: not for one that is in use.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [answersFile, ...ssh] = process.argv.slice(2);
if (ssh.length === 0) throw new Error('usage: node scripts/guide.mjs ANSWERS SSH…');
const [password, ...answers] = readFileSync(answersFile, 'utf8').split('\n');
const guide = readFileSync(new URL('../docs/raspberry-pi.md', import.meta.url), 'utf8');
const sections = guide.slice(guide.indexOf('\n## 2.'), guide.indexOf('\n## Measured'));

/** @returns seconds */
function remote(command, input = '') {
  const begun = Date.now();
  const { status, stdout, stderr } = spawnSync('ssh', [...ssh, command], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`status ${status}: ${command}\n${stdout}${stderr}`);
  process.stderr.write(`$ ${command}\n${stdout}${stderr}`);
  return (Date.now() - begun) / 1000;
}

const rows = [];
for (const [, kind, block] of sections.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)) {
  if (kind === 'sh') {
    for (const line of block.trim().split('\n')) {
      const command = line.replace('password=…', `password=${password}`).replace(/apt install/, '$& -y');
      const asked = / tsbackup init /.test(command) ? answers.join('\n') : '';
      rows.push([line, remote(command, asked)]);
    }
  } else if (/\bautomount\b/.test(block)) {
    rows.push(['(the line in /etc/fstab)', remote('sudo tee -a /etc/fstab', block)]);
  }
}
console.log('| command | seconds |\n|---|---|');
for (const [line, seconds] of rows)
  console.log(`| \`${line.replaceAll('|', '\\|')}\` | ${seconds.toFixed(1)} |`);
const total = rows.reduce((sum, [, seconds]) => sum + seconds, 0);
console.log(`\n${rows.length} commands, ${(total / 60).toFixed(1)} minutes.`);
