// A name server (RFC 1035) for a lab, whose names are what a shell would love to read: every address is called by a name full of
// metacharacters, that name leads back to the address, and office.example.org is only another word for it.
//   hostile-names.ts ADDRESS LABEL...
// Prints "ready" once it answers.
import { createSocket } from "node:dgram";

const TYPE = { a: 1, cname: 5, ptr: 12 } as const;
const [address = "", ...labels] = process.argv.slice(2);

const nameOf = (parts: readonly string[]): Buffer =>
  Buffer.concat([
    ...parts.map((part) => Buffer.from(`${String.fromCharCode(part.length)}${part}`, "latin1")),
    Buffer.alloc(1),
  ]);

function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const fields = Buffer.alloc(10);
  fields.writeUInt16BE(type, 0);
  fields.writeUInt16BE(1, 2);
  fields.writeUInt32BE(60, 4);
  fields.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fields, data]);
}

const hostile = nameOf(labels);
const own = Buffer.from(address.split(".").map(Number));

function answersTo(asked: Buffer, type: number): Buffer[] {
  if (type === TYPE.ptr) return [record(asked, TYPE.ptr, hostile)];
  if (type !== TYPE.a) return [];
  const isOffice = asked.toString("latin1", 1, 7) === "office";
  return isOffice
    ? [record(asked, TYPE.cname, hostile), record(hostile, TYPE.a, own)]
    : [record(asked, TYPE.a, own)];
}

const server = createSocket("udp4");
server.on("message", (query, from) => {
  let end = 12;
  while (query[end] !== 0) end += query[end]! + 1;
  const asked = query.subarray(12, end + 1);
  const records = answersTo(asked, query.readUInt16BE(end + 1));
  const head = Buffer.from(query.subarray(0, end + 5));
  head.writeUInt16BE(0x8580, 2); // an authoritative answer (section 4.1.1)
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  server.send(Buffer.concat([head, ...records]), from.port, from.address);
});
server.bind(53, () => process.stdout.write("ready\n"));
