// Runs the statements of the JSON array on standard input in one DuckDB in memory, and prints
// the columns and rows of each. All values are strings or null.
const { DuckDBInstance } = require('@duckdb/node-api');

async function main() {
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const results = [];
  for (const statement of JSON.parse(input)) {
    const reader = await connection.runAndReadAll(statement);
    const rows = reader.getRows().map((row) => row.map((value) => (value === null ? null : String(value))));
    results.push({ columns: reader.columnNames(), rows });
  }
  process.stdout.write(JSON.stringify(results));
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
