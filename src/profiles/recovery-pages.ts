/** The blocks of a recovery kit as plain text, and as a page of HTML that prints well and needs nothing else. */

import type { Block } from './recovery-kit.ts';

const WIDTH = 78;
const TO_WRITE_ON = '_'.repeat(40);

export function kitAsText(blocks: readonly Block[]): string {
  return `${blocks.map(textOf).join('\n\n')}\n`;
}

function textOf(block: Block): string {
  switch (block.kind) {
    case 'title':
      return `${block.text}\n${'='.repeat(block.text.length)}`;
    case 'heading':
      return `${block.text}\n${'-'.repeat(block.text.length)}`;
    case 'text':
      return wrapped(block.text);
    case 'commands':
      return block.lines.map(line => `    ${line}`).join('\n');
    case 'verbatim':
      return block.text.trimEnd();
    case 'facts':
      return block.rows.map(([name, value]) => `${name}: ${value ?? TO_WRITE_ON}`).join('\n');
  }
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line].join('\n');
}

const style = `body { font: 11pt/1.45 serif; max-width: 42em; margin: 2em auto; padding: 0 1em; color: #000; background: #fff }
h1 { font-size: 18pt } h2 { font-size: 13pt; margin: 1.6em 0 .3em; break-after: avoid }
pre { font: 9.5pt/1.5 monospace; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #999; padding: .5em .8em; break-inside: avoid }
dl { margin: .6em 0 } dt { font-weight: bold } dd { margin: 0 0 .4em 1em; overflow-wrap: anywhere }
.blank { border-bottom: 1px solid #000; height: 1.6em }`;

export function kitAsHtml(blocks: readonly Block[]): string {
  const title = blocks.find(({ kind }) => kind === 'title') as { text: string } | undefined;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title?.text ?? '')}</title>
<style>
${style}
</style>
</head>
<body>
${blocks.map(htmlOf).join('\n')}
</body>
</html>
`;
}

function htmlOf(block: Block): string {
  switch (block.kind) {
    case 'title':
      return `<h1>${escaped(block.text)}</h1>`;
    case 'heading':
      return `<h2>${escaped(block.text)}</h2>`;
    case 'text':
      return `<p>${escaped(block.text)}</p>`;
    case 'commands':
      return `<pre>${escaped(block.lines.join('\n'))}</pre>`;
    case 'verbatim':
      return `<pre>${escaped(block.text.trimEnd())}</pre>`;
    case 'facts':
      return `<dl>\n${block.rows.map(row).join('\n')}\n</dl>`;
  }
}

function row([name, value]: readonly [string, string | undefined]): string {
  const said = value === undefined ? '<dd class="blank"></dd>' : `<dd>${escaped(value)}</dd>`;
  return `<dt>${escaped(name)}</dt>${said}`;
}

function escaped(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return text.replace(/[&<>"]/g, char => entities[char]!);
}
