// The ceiling of a Node HTTP server on this machine: takes any PUT and throws the body away; answers a GET with as many
// bytes as its path names (/get-4096). Prints its port on one line.
import { createServer } from "node:http";

const block = Buffer.alloc(1 << 20, 7);
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (request.method === "PUT") {
    request.on("data", () => {});
    request.on("end", () => response.writeHead(200, { "content-length": 0 }).end());
    return;
  }
  request.resume();
  const length = Number(/get-(\d+)/.exec(request.url ?? "")?.[1] ?? 0);
  response.writeHead(200, { "content-length": length });
  pump(response, length);
});

/** As many bytes, block by block, as fast as they are taken. */
function pump(response, length) {
  let left = length;
  while (left > block.length) {
    left -= block.length;
    if (response.write(block)) continue;
    response.once("drain", () => pump(response, left));
    return;
  }
  response.end(block.subarray(0, left));
}

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.on("disconnect", () => process.exit(0));
