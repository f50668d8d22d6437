// node test/rsync/vectors/make-rdiff.mjs, after a build: rdiff's signatures and deltas of small files → rdiff.ts.
import { writeFileSync } from 'node:fs';
import { noise, rdiff, rdiffSignature } from '../../../dist/test/rsync/support.js';

const text = Buffer.from('It restores; nothing false is restored in silence. What did not change is not sent again, what did is.');
const cases = [
  [1, Buffer.from('abc'), Buffer.from('cab')],
  [7, text, Buffer.concat([text.subarray(0, 60), Buffer.from('!'), text.subarray(30)])],
  [64, noise(200), Buffer.concat([noise(200).subarray(64), noise(70, 2), noise(64)])],
  [512, noise(1100), noise(1100)],
  [512, noise(1024), Buffer.concat([noise(1024), noise(80, 3)])],
];

const vectors = cases.map(([blockLength, basis, edited]) => {
  const signature = rdiffSignature(basis, blockLength);
  const delta = rdiff([], 'delta', signature, edited);
  const hex = bytes => Buffer.from(bytes).toString('hex');
  return { blockLength, basis: hex(basis), edited: hex(edited), signature: hex(signature), delta: hex(delta) };
});
writeFileSync(
  new URL('rdiff.ts', import.meta.url),
  `// Made by make-rdiff.mjs with rdiff of librsync 2.3.2; all bytes in hexadecimal.\nexport const vectors = ${JSON.stringify(vectors, null, 2)};\n`,
);
