// Writes a record, as in the quick start of the README.
import Aerospike from 'aerospike'

const client = await Aerospike.connect({ hosts: '127.0.0.1:3000' })
await client.put(new Aerospike.Key('shop', 'customers', 'k3'), { name: 'Eve', age: 45 })
await client.close()
