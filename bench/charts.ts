/** Medians → a picture: for each corpus and operation a bar for each program, by wall time. */

import { operations } from './programs.ts';
import type { Sample } from './tables.ts';

const ROW = 13;
const GAP = 12;
const LABEL = 130;
const WIDTH = 480;
const colours: Readonly<Record<string, string>> = {
  tsbackup: '#1b6ca8',
  duplicity: '#b0b0b0',
  restic: '#d9a441',
  borg: '#7aa874',
};

/** @returns an SVG document; bars of a group are relative to the slowest of its group */
export function drawChart(medians: readonly Sample[]): string {
  const groups = groupsOf(medians);
  const parts: string[] = [];
  let y = GAP;
  for (const [title, samples] of groups) {
    const slowest = Math.max(...samples.map(({ wallSeconds }) => wallSeconds));
    parts.push(text(8, y + ROW - 3, title, 'bold'));
    for (const { program, wallSeconds } of samples) {
      const length = Math.max(1, (WIDTH * wallSeconds) / slowest);
      const colour = colours[program] ?? '#888888';
      parts.push(
        `<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${ROW - 2}" fill="${colour}"/>`,
      );
      parts.push(text(LABEL + length + 5, y + ROW - 3, `${program} ${wallSeconds.toFixed(2)} s`));
      y += ROW;
    }
    y += GAP;
  }
  const size = `width="${LABEL + WIDTH + 140}" height="${y}"`;
  const style = 'font-family="sans-serif" font-size="11" fill="#222222"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n<title>Wall time of each program, by corpus and operation</title>\n<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`;
}

function groupsOf(medians: readonly Sample[]): Map<string, Sample[]> {
  const groups = new Map<string, Sample[]>();
  const corpora = [...new Set(medians.map(({ corpus }) => corpus))];
  for (const corpus of corpora) {
    for (const operation of operations) {
      const samples = medians.filter(one => one.corpus === corpus && one.operation === operation);
      if (samples.length > 0) groups.set(`${corpus}, ${operation}`, samples);
    }
  }
  return groups;
}

function text(x: number, y: number, words: string, weight = 'normal'): string {
  return `<text x="${x.toFixed(1)}" y="${y}" font-weight="${weight}">${words}</text>`;
}
