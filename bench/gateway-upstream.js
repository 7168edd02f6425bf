// The proxy that gateway.js measures through, and the target that it leads to, in a process of their own: bare sockets, so that they cost as
// little as they can. A plain GET gets a fixed answer. In a tunnel, a first line `bulk N` gets N bytes; whatever else comes is sent back.
import { createServer } from 'node:net';
import { ANSWER, PATTERN } from './gateway-bytes.js';
import { answerCosts } from './gateway-costs.js';

const END = Buffer.from('\r\n\r\n');
const ESTABLISHED = Buffer.from('HTTP/1.1 200 OK\r\n\r\n');

const server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
  socket.on('error', () => socket.destroy());
  let isTunnel = false;
  let rest = null;
  const onData = (bytes) => {
    if (isTunnel) {
      if (bytes.length < 32 && bytes.toString('latin1', 0, 5) === 'bulk ') {
        socket.off('data', onData);
        stream(socket, Number(bytes.toString('latin1', 5)));
      } else socket.write(bytes);
      return;
    }
    const all = rest === null ? bytes : Buffer.concat([rest, bytes]);
    const end = all.indexOf(END);
    rest = end === -1 ? all : null;
    if (end === -1) return;
    isTunnel = all[0] === 67; // 'C'
    socket.write(isTunnel ? ESTABLISHED : ANSWER);
  };
  socket.on('data', onData);
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  process.send({ port: server.address().port }),
);
answerCosts();

function stream(socket, size) {
  let left = size;
  const more = () => {
    while (left > 0) {
      const piece = left >= PATTERN.length ? PATTERN : PATTERN.subarray(0, left);
      left -= piece.length;
      if (!socket.write(piece)) return void socket.once('drain', more);
    }
    socket.end();
  };
  socket.resume();
  more();
}
