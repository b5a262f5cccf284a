// Serves kinesalite, which is in the folder of the first argument, on loopback until stdin
// ends. It prints the port.
import { createRequire } from 'node:module'
const kinesalite = createRequire(import.meta.url)(process.argv[2])
const server = kinesalite({ createStreamMs: 0, shardLimit: 100 })
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => process.exit(0)).resume()
