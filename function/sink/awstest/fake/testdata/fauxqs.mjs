// Serves fauxqs, which is in the folder of the first argument, on loopback until stdin ends.
// It prints the port.
const { buildApp } = await import(process.argv[2] + '/dist/app.js')
const app = buildApp({ logger: false, host: '127.0.0.1', defaultRegion: 'eu-west-1' })
console.log(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
process.stdin.on('end', () => process.exit(0)).resume()
