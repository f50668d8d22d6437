/** Loaded before the program (`node --import`): what is opened by descriptor and name is restored regardless of case. */

import { changeNames } from './changed-names.ts';

changeNames(name => name.toLowerCase());
