// Runs the commands on standard input, a JSON object on each line, with npm's client of
// Aerospike, and prints the outcome of each as JSON on a line. Arguments: host and port.
const Aerospike = require('aerospike');
const readline = require('readline');
const { exp, operations, policy, ttl, batchType } = Aerospike;

const TIMEOUTS = { totalTimeout: 30000, socketTimeout: 30000, maxRetries: 0 };

// value returns the value of a literal.
function value(text) {
  if (text === 'null') return null;
  if (text.startsWith('0x')) return Buffer.from(text.slice(2), 'hex');
  if (text.startsWith('blob:')) return Buffer.alloc(Number(text.slice(5)));
  if (text.startsWith('geo:')) return new Aerospike.GeoJSON(JSON.parse(text.slice(4)));
  if (/^-?[0-9]+$/.test(text)) return integer(text);
  if (/^-?[0-9.]+$/.test(text)) return new Aerospike.Double(Number(text));
  return JSON.parse(text);
}

// integer returns a number, or a BigInt beyond what a number holds.
function integer(text) {
  const n = Number(text);
  return Number.isSafeInteger(n) ? n : BigInt(text);
}

// literal is the inverse of value.
function literal(v) {
  if (v === null || v === undefined) return 'null';
  if (v instanceof Aerospike.Double) return String(v.Double);
  if (v instanceof Aerospike.GeoJSON) return 'geo:' + JSON.stringify(v.toString());
  if (Buffer.isBuffer(v)) return v.length > 64 && v.every((b) => b === 0) ? 'blob:' + v.length : '0x' + v.toString('hex');
  if (Array.isArray(v)) return '[' + v.map(literal).join(',') + ']';
  if (v instanceof Map) v = Object.fromEntries(v);
  if (typeof v === 'object') return '{' + Object.keys(v).sort().map((k) => JSON.stringify(k) + ':' + literal(v[k])).join(',') + '}';
  if (typeof v === 'string') return JSON.stringify(v);
  return String(v);
}

function key(c) {
  const user = value(c.key);
  if (!c.digestOf) return new Aerospike.Key(c.ns, c.set, user);
  const other = new Aerospike.Key(c.ns, c.digestSet, value(c.digestOf));
  return new Aerospike.Key(c.ns, c.set, user === null ? undefined : user, digest(other));
}

// digest returns the digest of a key with a set and a user key.
function digest(k) {
  const user = k.key;
  let type = 3;
  let particle = Buffer.from(String(user));
  if (typeof user === 'number') {
    type = 1;
    particle = Buffer.alloc(8);
    particle.writeBigInt64BE(BigInt(user));
  } else if (Buffer.isBuffer(user)) {
    type = 4;
    particle = user;
  }
  return require('crypto').createHash('ripemd160').update(Buffer.concat([Buffer.from(k.set), Buffer.from([type]), particle])).digest();
}

function bins(c) {
  return Object.fromEntries((c.bins || []).map((b) => [b.name, value(b.value)]));
}

function ops(c) {
  return (c.ops || []).map((o) => ({
    get: () => operations.read(o.name),
    put: () => operations.write(o.name, value(o.value)),
    add: () => operations.incr(o.name, value(o.value)),
    append: () => operations.append(o.name, value(o.value)),
    prepend: () => operations.prepend(o.name, value(o.value)),
    touch: () => operations.touch(expiration(c)),
    delete: () => operations.delete(),
  }[o.do]()));
}

function expiration(c) {
  switch (c.ttl) {
    case undefined: return ttl.NAMESPACE_DEFAULT;
    case 'never': return ttl.NEVER_EXPIRE;
    case 'keep': return ttl.DONT_UPDATE;
  }
  return Number(c.ttl);
}

const EXISTS = {
  'update-only': policy.exists.UPDATE, replace: policy.exists.CREATE_OR_REPLACE, 'replace-only': policy.exists.REPLACE, 'create-only': policy.exists.CREATE,
};

// settings returns the fields of a policy for a write.
function settings(c) {
  const p = { ...TIMEOUTS, ttl: expiration(c) };
  if (c.exists) p.exists = EXISTS[c.exists];
  if (c.generation !== undefined) p.gen = c.greater ? policy.gen.GT : policy.gen.EQ;
  if (c.generation !== undefined) p.generation = c.generation;
  if (c.sendKey) p.key = policy.key.SEND;
  if (c.durable) p.durableDelete = true;
  if (c.filter) p.filterExpression = filter(c.filter);
  return p;
}

function filter(text) {
  const [, name, operator, number] = /^(.*?)(<=|>=|==|!=|<|>)(-?[0-9]+)$/.exec(text);
  const left = name === 'lut' ? exp.lastUpdate() : exp.binInt(name);
  return { '<': exp.lt, '<=': exp.le, '==': exp.eq, '!=': exp.ne, '>=': exp.ge, '>': exp.gt }[operator](left, exp.int(Number(number)));
}

const meta = (c) => ({ gen: c.generation, ttl: expiration(c) });

function record(r) {
  const o = { code: 0, bins: {} };
  for (const [name, v] of Object.entries(r.bins || {})) o.bins[name] = literal(v);
  if (r.gen) o.gen = r.gen;
  if (r.ttl !== undefined && r.ttl !== null) o.ttl = r.ttl === ttl.NEVER_EXPIRE || r.ttl === 0xffffffff ? 'never' : String(r.ttl);
  return o;
}

// row returns a row of a batch.
function row(c) {
  const r = { key: key(c), policy: new policy.BatchWritePolicy(settings(c)) };
  switch (c.do) {
    case 'get':
      return { type: batchType.BATCH_READ, key: r.key, readAllBins: !c.select, bins: c.select, policy: new policy.BatchReadPolicy(settings(c)) };
    case 'header':
      return { type: batchType.BATCH_READ, key: r.key, readAllBins: false, policy: new policy.BatchReadPolicy(settings(c)) };
    case 'delete':
      return { type: batchType.BATCH_REMOVE, key: r.key, policy: new policy.BatchRemovePolicy(settings(c)) };
    case 'put':
      r.ops = c.bins.map((b) => operations.write(b.name, value(b.value)));
      break;
    case 'touch':
      r.ops = [operations.touch(expiration(c))];
      break;
    default:
      r.ops = ops(c);
  }
  return { type: batchType.BATCH_WRITE, ...r };
}

function count(scan, p) {
  return new Promise((resolve) => {
    let n = 0;
    const stream = scan.foreach(p);
    stream.on('data', () => n++);
    stream.on('error', (e) => resolve({ code: e.code }));
    stream.on('end', () => resolve({ code: 0, count: n }));
  });
}

async function run(client, c) {
  switch (c.do) {
    case 'put': await client.put(key(c), bins(c), meta(c), new policy.WritePolicy(settings(c))); return { code: 0 };
    case 'get':
      if (c.select) return record(await client.select(key(c), c.select, new policy.ReadPolicy(settings(c))));
      return record(await client.get(key(c), new policy.ReadPolicy(settings(c))));
    case 'header':
    case 'exists': return { code: (await client.exists(key(c), new policy.ReadPolicy(settings(c)))) ? 0 : 2 };
    case 'delete': await client.remove(key(c), new policy.RemovePolicy(settings(c))); return { code: 0 };
    case 'touch': c.ops = [{ do: 'touch' }]; // falls through
    case 'operate': return record(await client.operate(key(c), ops(c), meta(c), new policy.OperatePolicy(settings(c))));
    case 'udf': await client.apply(key(c), { module: 'absent', funcname: 'absent', args: [] }); return { code: 0 };
    case 'truncate': await client.truncate(c.ns, c.set, 0); return { code: 0 };
    case 'scan': return count(client.scan(c.ns, c.set, { nobins: !!c.noBins }), new policy.ScanPolicy(settings(c)));
    case 'query': return count(client.query(c.ns, c.set), new policy.QueryPolicy(settings(c)));
    case 'batch': {
      const rows = await client.batchWrite(c.rows.map(row), new policy.BatchPolicy(TIMEOUTS));
      return { code: 0, rows: rows.map((r) => (r.status === 0 ? record(r.record) : { code: r.status })) };
    }
  }
  throw new Error('no command ' + c.do);
}

async function main() {
  const [host, port] = process.argv.slice(2);
  const client = await Aerospike.connect({ hosts: [{ addr: host, port: Number(port) }], log: { level: Aerospike.log.OFF }, connTimeoutMs: 30000 });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let outcome;
    try {
      outcome = await run(client, JSON.parse(line));
    } catch (e) {
      if (e instanceof Aerospike.AerospikeError) outcome = { code: e.code };
      else if (e instanceof TypeError && /^Set must/.test(e.message)) outcome = { code: Aerospike.status.ERR_PARAM };
      else throw e;
    }
    process.stdout.write(JSON.stringify(outcome) + '\n');
  }
  client.close();
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
