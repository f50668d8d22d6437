/** The little DER (ITU-T X.690 §10) that hands OpenPGP's key parameters to node:crypto. Written only. */

import { withoutLeadingZeros } from './openpgp-fields.ts';

function element(tag: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), content]);
}

/** Elements of DER, each at most 64 KiB. */
export const der = {
  sequence: (...items: readonly Uint8Array[]) => element(0x30, Buffer.concat(items)),
  /** @param value big-endian, not negative */
  integer(value: Uint8Array) {
    const bytes = withoutLeadingZeros(value);
    const needsZero = bytes.length === 0 || bytes[0]! >= 0x80;
    return element(2, needsZero ? Buffer.concat([Uint8Array.of(0), bytes]) : bytes);
  },
  bitString: (content: Uint8Array) => element(3, Buffer.concat([Uint8Array.of(0), content])),
  octetString: (content: Uint8Array) => element(4, content),
  nothing: () => element(5, new Uint8Array(0)),
  /** @param content the encoded identifier, without tag and length; hex or bytes */
  identifier: (content: string | Uint8Array) =>
    element(6, typeof content === 'string' ? Buffer.from(content, 'hex') : content),
};
