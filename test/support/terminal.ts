/** A person at a terminal: a real pseudo-terminal on which a program runs, and answers typed when it asks. */

import { runProgram } from './processes.ts';
import { cliPath, type Program } from './program.ts';

/** What to wait for, and what to type then; the return key is pressed after it, unless it is Ctrl-C; `hang up` takes the terminal away. */
export type Answer = readonly [question: string, typed: string];

export interface Conversation {
  readonly status: number;
  /** All that stood on the terminal, what was typed with echo too. */
  readonly screen: string;
}

/** Python has pseudo-terminals, Node has not. Ends with status 99 if a question does not come within a minute. */
const driver = `
import json, os, pty, select, sys, time
command, answers = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen, mark, deadline = b'', 0, time.time() + 60
while True:
    ready = select.select([terminal], [], [], max(0, deadline - time.time()))[0]
    if not ready:
        os.kill(pid, 9)
        sys.stderr.write('waited in vain for: %r' % (answers[:1] or 'the end'))
        status = 99 << 8
        break
    try:
        data = os.read(terminal, 4096)
    except OSError:
        data = b''
    if not data:
        status = os.waitpid(pid, 0)[1]
        break
    seen += data
    while answers and answers[0][0].encode() in seen[mark:]:
        mark = len(seen)
        typed = answers.pop(0)[1].encode()
        if typed == b'hang up':
            os.close(terminal)
            ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            sys.exit(128 - ended if ended < 0 else ended)
        os.write(terminal, typed if typed == b'\\x03' else typed + b'\\r')
        deadline = time.time() + 60
sys.stdout.buffer.write(seen)
sys.exit(status >> 8)
`;

/** Runs our program on a terminal of its own. @throws if it ends, or is silent for a minute, with an answer left over */
export async function converse(
  program: Program,
  args: readonly string[],
  answers: readonly Answer[],
  term = 'dumb',
): Promise<Conversation> {
  const conversation = JSON.stringify([[process.execPath, cliPath, ...args], answers]);
  const options = { env: { ...program.env, TERM: term }, cwd: program.home, timeoutMs: 180_000 };
  const { status, stdout, stderr } = await runProgram('python3', ['-c', driver, conversation], options);
  if (status === null || status === 99) throw new Error(`${stderr}\n${stdout}`);
  return { status, screen: stdout.replaceAll('\r\n', '\n') };
}
