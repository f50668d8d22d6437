/**
 * Loaded before the program (`node --import`): what is restored loses the dots at the end of its name, and has a short name
 * if it is long, as on FAT.
 */

import { changeNames } from './changed-names.ts';

changeNames(name => (name === 'LONGNA~1.TXT' ? 'LONG name.txt' : name.replace(/\.+$/, '')));
