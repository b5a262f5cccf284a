package devnode_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// scripts generates scripts of one to ten commands.
func scripts() *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		return rapid.SliceOfN(commands(), 1, 10).Draw(t, "script")
	})
}

// commands generates a command. Writes come first, since they are what a script shrinks to.
func commands() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		switch n := rapid.IntRange(0, 99).Draw(t, "kind"); {
		case n < 30:
			return "msg " + drawPut(t)
		case n < 45:
			return "msg " + drawOperate(t)
		case n < 60:
			return "msg " + drawGet(t)
		case n < 68:
			return "msg " + drawRemove(t)
		case n < 82:
			return drawBatch(t)
		case n < 93:
			return "msg " + drawScan(t)
		}
		return drawMalformed(t)
	})
}

// drawOne draws one of some choices.
func drawOne(t *rapid.T, label string, choices ...string) string {
	return rapid.SampledFrom(choices).Draw(t, label)
}

// drawSometimes draws one of some choices in one of n cases, "" in the others.
func drawSometimes(t *rapid.T, n int, label string, choices ...string) string {
	if rapid.IntRange(1, n).Draw(t, "with "+label) != n {
		return ""
	}
	return " " + drawOne(t, label, choices...)
}

// drawRecord draws the record of a command, and now and then a set or a key.
func drawRecord(t *rapid.T) string {
	return "rec=" + drawOne(t, "record", "a", "a", "b", "c", "d", "e", "f") +
		drawSometimes(t, 8, "set", "set=t", "set=-", "set=", "set=x*64", "set=x*63") +
		drawSometimes(t, 4, "key", "key=str:k1", "key=str:k1", "key=str:k2", "key=int:1", "key=dbl:1", "key=blob:00", "key=str:") +
		drawSometimes(t, 40, "namespace", "ns=-", "ns=nowhere", "ns=", "ns=x*40")
}

// drawPut draws a write as clients send it.
func drawPut(t *rapid.T) string {
	info := drawOne(t, "put", "00.01.00", "00.01.00", "00.01.00", "00.01.10", "00.01.08", "00.01.20", "00.21.00",
		"00.05.00", "00.09.00", "00.25.00", "00.05.10", "00.09.20", "00.81.00", "00.21.08", "00.0d.00")
	return info + " " + drawRecord(t) + drawHeader(t) + drawFilter(t, 4) + drawOps(t, 4, drawWriteOp)
}

// drawHeader draws the generation and the TTL of a write.
func drawHeader(t *rapid.T) string {
	return drawSometimes(t, 2, "generation", "gen=1", "gen=2", "gen=3", "gen=0", "gen=65535", "gen=65537", "gen=-1") +
		drawSometimes(t, 3, "ttl", "ttl=100", "ttl=1000", "ttl=-1", "ttl=-2", "ttl=0", "ttl=315360000", "ttl=315360001", "ttl=-3")
}

// drawOperate draws a request with operations that read and others that write.
func drawOperate(t *rapid.T) string {
	info := drawOne(t, "operate", "01.01.00", "01.81.00", "03.01.00", "03.81.00", "01.01.08", "01.01.10", "00.01.00", "01.05.00", "21.01.00")
	return info + " " + drawRecord(t) + drawHeader(t) + drawFilter(t, 8) + drawOps(t, 5, drawAnyOp)
}

// drawGet draws a read.
func drawGet(t *rapid.T) string {
	info := drawOne(t, "get", "03.00.00", "03.00.00", "01.00.00", "01.00.00", "21.00.00", "23.00.00", "01.80.00", "00.00.00", "03.04.00")
	text := info + " " + drawRecord(t) + drawFilter(t, 4)
	if info[0] == '0' && info[1] == '3' || info[0] == '2' {
		return text + drawSometimes(t, 8, "op", "read:x", "read:")
	}
	return text + drawOps(t, 4, drawReadOp)
}

// drawRemove draws a delete.
func drawRemove(t *rapid.T) string {
	info := drawOne(t, "delete", "00.03.00", "00.03.00", "00.07.00", "00.0b.00", "00.03.08", "01.03.00", "00.23.00", "00.02.00", "00.03.10", "00.83.00")
	return info + " " + drawRecord(t) + drawHeader(t) + drawFilter(t, 4) + drawSometimes(t, 10, "op", "write:x:int:1", "read:x", "delete-all", "touch")
}

// drawOps draws up to n operations.
func drawOps(t *rapid.T, n int, op func(*rapid.T) string) string {
	var b strings.Builder
	for range rapid.SampledFrom([]int{1, 1, 1, 1, 2, 2, 3, 3, n, n, 0}).Draw(t, "number of operations") {
		b.WriteString(" " + op(t))
	}
	return b.String()
}

// drawBin draws the name of a bin.
func drawBin(t *rapid.T) string {
	return drawOne(t, "bin", "x", "x", "x", "x", "y", "y", "y", "z", "z", "", "b*15", "b*16")
}

func drawWriteOp(t *rapid.T) string {
	switch n := rapid.IntRange(0, 19).Draw(t, "write"); {
	case n < 12:
		return "write:" + drawBin(t) + ":" + drawValue(t)
	case n < 17:
		return drawModifyOp(t)
	}
	return drawOne(t, "other", "touch", "touch", "delete-all", "delete-all", "touch:x", "delete-all:x", "delete-all::int:1")
}

func drawModifyOp(t *rapid.T) string {
	op := drawOne(t, "modify", "add", "append", "prepend")
	if rapid.IntRange(0, 9).Draw(t, "any value") == 0 {
		return op + ":" + drawBin(t) + ":" + drawValue(t)
	}
	if op == "add" {
		return op + ":" + drawBin(t) + ":" + drawOne(t, "amount", "int:1", "int:-5", "int:9223372036854775807", "dbl:0.5", "dbl:-1", "int:0")
	}
	return op + ":" + drawBin(t) + ":" + drawOne(t, "text", "str:more", "str:", "blob:aa", "4:", "str:é")
}

func drawReadOp(t *rapid.T) string {
	switch n := rapid.IntRange(0, 19).Draw(t, "read"); {
	case n < 15:
		return "read:" + drawBin(t)
	case n < 18:
		return "exp-read:" + drawBin(t) + ":" + drawExpressionOp(t)
	}
	return drawOne(t, "other", "write:x:int:1", "touch", "op99:x", "op6:x", "op0:x", "op17:x", "read", "read:x:int:5")
}

func drawAnyOp(t *rapid.T) string {
	switch n := rapid.IntRange(0, 19).Draw(t, "operation"); {
	case n < 9:
		return drawWriteOp(t)
	case n < 17:
		return drawReadOp(t)
	case n < 19:
		return "exp-write:" + drawBin(t) + ":" + drawExpressionOp(t)
	}
	return drawOne(t, "other", "op99:x", "op6:x", "op0", "op17:x:int:1")
}

// drawValue draws the value of a bin.
func drawValue(t *rapid.T) string {
	if rapid.IntRange(0, 2).Draw(t, "usual value") > 0 {
		return drawOne(t, "value", "int:1", "int:5", "int:0", "int:-1", "int:9223372036854775807", "str:abc", "str:", "dbl:1.5", "dbl:0",
			"blob:0001", "nil", "bool:01", "bool:00")
	}
	return drawOne(t, "value", "nil", "int:-9223372036854775808", "1:05", "1:0005", "1:00000005", "1:ff", "1:ffff", "1:ffffffff", "1:000005", "1:", "1:000000000000000005",
		"dbl:NaN", "dbl:+Inf", "dbl:-0", "2:00", "2:3f800000", "2:", "bool:02", "17:", "17:0001", "0:00",
		"3:ff", "4:", "7:00", "8:01", "9:", "10:02", "11:03", "12:", "16:04", "16:",
		"5:00", "6:00", "13:00", "14:00", "15:00", "21:00", "22:00", "24:00", "99:00", "255:00",
		"18:", "18:00", "18:00040000000000000000ff",
		"list:90", "list:", "list:93010203", "list:9303a261", "list:92a20361c0", "list:c0", "list:80", "list:9101ff", "list:92c7000001", "list:91cf0000000000000001",
		"list:92c700010102", "list:93c700010102", "list:93c700010201", "list:91c3", "list:91c1", "list:91d4ff00", "list:919101", "list:91ca3f800000", "list:dc000101",
		"list:91a0", "list:91d90101", "list:91c400", "list:91d10001", "list:918101c0",
		"map:80", "map:", "map:810102", "map:8201020304", "map:8203040102", "map:8201020103", "map:81c002", "map:81c302", "map:8190c0", "map:81a2036105",
		"map:82c70001c00102", "map:83c70001c001020304", "map:83c70001c003040102", "map:82c70003c00102", "map:82c70009c00102", "map:81c70001c0", "map:80ff", "map:8101", "map:de00010102", "map:81cb3ff000000000000002", "map:81c4020401c0", "map:90",
		"geo:00000000", "geo:0000007b7d", "23:", "23:0000")
}

// drawFilter draws a filter in one of n cases.
func drawFilter(t *rapid.T, n int) string {
	if rapid.IntRange(1, n).Draw(t, "with filter") != n {
		return ""
	}
	if rapid.IntRange(0, 9).Draw(t, "broken filter") == 0 {
		return " filter=" + drawOne(t, "filter", "0x", "0xff", "0x00", "0x90", "0x91", "0x9100", "0x93010102ff", "0x9301", "[1,1]", "[1,1,2,3]", "[999]", "[-1]", "5", "true", "false", "null", "[16]",
			`["bin",2,"x"]`, `["bin",1,"x"]`, `["bin",99,"x"]`, `["bin","x"]`, `["bin",2]`, `["not",1]`, `["eq",1,"a"]`, `["eq",1,["bin",3,"x"]]`, `["cond",true]`, `["cond",true,true]`,
			`["unknown"]`, `["not",["unknown"]]`, `["var","a"]`, `["let","a",1,["eq",["var","a"],1]]`, `["let",["eq",1,1]]`, `["let","a",1]`, `["and",true]`, `["or",false]`, `["div",1,0]`,
			`["digest-mod",0]`, `["digest-mod",2]`, `[]`, `["eq",null,null]`, `["eq",true,true]`, `["lt",false,true]`)
	}
	return " filter=" + drawBoolean(t, 3)
}

// drawExpressionOp draws the value of an operation with an expression.
func drawExpressionOp(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "broken expression") == 0 {
		return drawOne(t, "expression", "0x", "0x90", "0x9101", "[[1,1,1]]", "[5,0]", "[null,0]", "[[0],16]", "[[0],0]", `[true,0]`, `[1.5,0]`, "[5,0,0]", "[5,99]", "[5,-1]", "[5,null]")
	}
	flags := drawOne(t, "flags", "0", "0", "0", "1", "2", "4", "8", "16", "24", "31", "20", "12")
	switch rapid.IntRange(0, 3).Draw(t, "kind of expression") {
	case 0:
		return fmt.Sprintf("[%s,%s]", drawBoolean(t, 2), flags)
	case 1:
		return fmt.Sprintf("[%s,%s]", drawOne(t, "expression", `["bin",3,"x"]`, `["bin",7,"x"]`, `["bin",6,"y"]`, `["bin",4,"x"]`, `["bin",1,"x"]`, `["key",3]`, `["key",2]`, `["unknown"]`, `["bin",0,"x"]`, `"\u0003abc"`, `["lut"]`, `["void"]`, `["ttl"]`), flags)
	}
	return fmt.Sprintf("[%s,%s]", drawInteger(t, 2), flags)
}

// drawBoolean draws an expression with a boolean value.
func drawBoolean(t *rapid.T, depth int) string {
	n := rapid.IntRange(0, 9).Draw(t, "boolean")
	if depth == 0 {
		n %= 3
	}
	compare := drawOne(t, "compare", "eq", "ne", "gt", "ge", "lt", "le")
	switch n {
	case 0, 3, 4:
		return fmt.Sprintf(`[%q,%s,%s]`, compare, drawInteger(t, depth-1), drawInteger(t, depth-1))
	case 1:
		return drawOne(t, "leaf", `["key-exists"]`, `["tombstone"]`, `true`, `false`, `["eq",["key",3],"\u0003k1"]`, `["eq",["key",2],1]`, `["unknown"]`, `["bin",1,"x"]`,
			`["eq",["bin",3,"x"],"\u0003abc"]`, `["lt",["bin",3,"x"],"\u0003b"]`, `["eq",["bin",7,"x"],1.5]`, `["gt",["bin",7,"x"],0.5]`, `["lt",["lut"],1]`, `["gt",["lut"],1]`, `["lt",["since"],600000]`,
			`["gt",["ttl"],50]`, `["eq",["ttl"],-1]`, `["eq",["void"],-1]`, `["eq",["set-name"],"\u0003"]`, `["ne",["set-name"],"\u0003zz"]`, `["eq",["bin",1,"x"],true]`)
	case 2:
		return fmt.Sprintf(`["eq",["bin-type",%q],%s]`, drawOne(t, "bin", "x", "y", "z"), drawOne(t, "type", "0", "1", "2", "3", "4", "17", "19", "20"))
	case 5:
		return fmt.Sprintf(`["and",%s,%s]`, drawBoolean(t, depth-1), drawBoolean(t, depth-1))
	case 6:
		return fmt.Sprintf(`["or",%s,%s]`, drawBoolean(t, depth-1), drawBoolean(t, depth-1))
	case 7:
		return fmt.Sprintf(`["not",%s]`, drawBoolean(t, depth-1))
	case 8:
		return fmt.Sprintf(`["exclusive",%s,%s]`, drawBoolean(t, depth-1), drawBoolean(t, depth-1))
	}
	return fmt.Sprintf(`["cond",%s,%s,%s]`, drawBoolean(t, depth-1), drawBoolean(t, depth-1), drawBoolean(t, depth-1))
}

// drawInteger draws an expression with an integer value.
func drawInteger(t *rapid.T, depth int) string {
	n := rapid.IntRange(0, 9).Draw(t, "integer")
	if depth <= 0 {
		n %= 5
	}
	switch n {
	case 0, 1:
		return fmt.Sprintf(`["bin",2,%q]`, drawOne(t, "bin", "x", "y", "z", ""))
	case 2, 3, 4:
		return drawOne(t, "number", "0", "1", "5", "-1", "63", "64", "65535", "9223372036854775807")
	case 5:
		return fmt.Sprintf(`["cond",%s,%s,%s]`, drawBoolean(t, depth-1), drawInteger(t, depth-1), drawInteger(t, depth-1))
	case 6:
		return fmt.Sprintf(`["let","v",%s,["add",["var","v"],%s]]`, drawInteger(t, depth-1), drawInteger(t, depth-1))
	case 7:
		return fmt.Sprintf(`[%q,%s]`, drawOne(t, "operator", "abs", "int-not", "bit-count", "sub"), drawInteger(t, depth-1))
	}
	if n == 8 { // the smallest integer by -1 crashes a server
		return fmt.Sprintf(`[%q,%s,%s]`, drawOne(t, "division", "div", "mod"), drawInteger(t, depth-1), drawOne(t, "divisor", "0", "1", "5", "63", "65535"))
	}
	op := drawOne(t, "operator", "add", "sub", "mul", "int-and", "int-or", "int-xor", "shift-left", "shift-right", "shift-signed", "min", "max")
	return fmt.Sprintf(`[%q,%s,%s]`, op, drawInteger(t, depth-1), drawInteger(t, depth-1))
}

// drawBatch draws a batch of reads, writes and deletes. Each record comes once, and a batch that
// reports only one error is inline, since the order of rows is not defined otherwise.
func drawBatch(t *rapid.T) string {
	var b strings.Builder
	b.WriteString("batch " + drawOne(t, "field", "41", "41", "41", "42") + "." + drawOne(t, "flags", "04", "04", "0c", "05", "01", "01", "07", "0d") + drawFilter(t, 8))
	written := ""
	rows := rapid.IntRange(1, 5).Draw(t, "number of rows")
	for i := range rows {
		index := i
		if rapid.IntRange(0, 19).Draw(t, "odd index") == 0 {
			index = rapid.SampledFrom([]int{70 + i, 1000000 + i}).Draw(t, "index")
		}
		if i > 0 && rapid.IntRange(0, 3).Draw(t, "repeat") == 0 {
			record := drawOne(t, "record", "a", "b", "c", "d", "e", "f")
			if !strings.Contains(written, record) {
				written += record
				fmt.Fprintf(&b, " ; %d %s rec=%s", index, drawOne(t, "kind", "01", "01", "03", "0f"), record)
				continue
			}
		}
		fmt.Fprintf(&b, " ; %d %s", index, drawBatchRow(t, &written))
	}
	return b.String()
}

func drawBatchRow(t *rapid.T, written *string) string {
	var kind, text string
	switch n := rapid.IntRange(0, 9).Draw(t, "row"); {
	case n < 4:
		kind, text = drawOne(t, "kind", "0a", "02", "00", "0e", "1a"), drawGet(t)
	case n < 8:
		kind, text = drawOne(t, "kind", "0e", "0e", "0e", "06", "0a", "1e"), drawPut(t)
	case n < 9:
		kind, text = drawOne(t, "kind", "0e", "0e", "0a"), drawRemove(t)
	default:
		kind, text = drawOne(t, "kind", "0e", "0a"), drawOperate(t)
	}
	at := strings.Index(text, "rec=") + len("rec=")
	record := text[at : at+1]
	if strings.Contains(*written, record) {
		kind, record = "0a", unwritten(*written)
		text = "03.00.00 rec=" + record
	}
	*written += record
	return kind + " " + text
}

// unwritten returns a record that is not written.
func unwritten(written string) string {
	for _, r := range []string{"a", "b", "c", "d", "e", "f"} {
		if !strings.Contains(written, r) {
			return r
		}
	}
	return "a"
}

// drawScan draws a scan of some partitions. One with a maximum scans one partition of one set,
// since nodes go through partitions in any order, and others write to the namespace.
func drawScan(t *rapid.T) string {
	text := drawOne(t, "scan", "03.00.04", "03.00.04", "21.00.04", "01.00.04", "03.00.00", "23.00.04", "00.00.04") + drawFilter(t, 3) +
		drawSometimes(t, 6, "rate", "rate=1000", "rate=0") + drawSometimes(t, 20, "namespace", "ns=-", "ns=nowhere")
	if rapid.IntRange(0, 5).Draw(t, "with maximum") == 5 {
		return text + " parts=5 max=" + drawOne(t, "maximum", "1", "2", "0", "3")
	}
	text += " parts=" + drawOne(t, "partitions", "5", "5,6", "5,6,4095", "4095,5", "7", "6,6", "4096", "6") +
		drawSometimes(t, 4, "digests", "behind=a", "behind=b", "behind=c", "behind=d", "behind=d,c") +
		drawSometimes(t, 6, "set", "set=t", "set=-", "set=", "set=nowhere", "set=x*64", "set=x*63")
	if strings.HasPrefix(text, "01") {
		text += drawOps(t, 2, func(t *rapid.T) string {
			return drawOne(t, "op", "read:x", "read:x", "read:y", "read:none", "write:x:int:1", "op99:x")
		})
	}
	return text
}

// drawMalformed draws a command with broken bytes. In batches only the number of rows is wrong,
// since a server does not look where fields and operations of rows end, and may crash.
func drawMalformed(t *rapid.T) string {
	if rapid.IntRange(0, 3).Draw(t, "batch") == 0 {
		text := drawBatch(t)
		at := strings.Index(text, " ; ")
		return text[:at] + " " + drawOne(t, "damage", "count=0", "count=1", "count=6", "count=100000", "count=-1") + text[at:]
	}
	command := rapid.SampledFrom([]func(*rapid.T) string{drawPut, drawGet, drawRemove, drawScan, drawOperate}).Draw(t, "command")
	return "msg " + command(t) + " " + drawOne(t, "damage",
		"cut=1", "cut=2", "cut=5", "cut=9", "cut=20", "extra=00", "extra=0000000201ff", "extra=000000000000",
		"nfields=0", "nfields=1", "nfields=9", "nops=0", "nops=1", "nops=9", "size=21", "size=23", "size=0", "size=255",
		"patch=3:ff", "patch=22:00000000", "patch=22:00000001", "patch=22:ffffffff", "patch=22:7fffffff",
		"patch=25:00", "patch=25:ff", "patch=26:07", "patch=31:ff", "field=4:00", "field=14:00",
		"field=99:00", "field=43:", "field=11:00", "field=12:00", "field=13:00", "field=10:00",
		"digest=00", "proto=0103", "proto=0202", "proto=0204", "proto=0200", "proto=0206", "proto=0003", "proto=0303")
}

// clientScripts generates scripts of commands of the Go client.
func clientScripts() *rapid.Generator[script] {
	return rapid.Custom(func(t *rapid.T) script {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return "client " + drawCall(t) }), 1, 12).Draw(t, "script")
	})
}

// drawCall draws a command of the Go client.
func drawCall(t *rapid.T) string {
	record := func() string { return "rec=" + drawOne(t, "record", "a", "a", "a", "b", "c", "d") }
	switch n := rapid.IntRange(0, 19).Draw(t, "method"); {
	case n < 5:
		return "put " + record() + drawWritePolicy(t) + drawBins(t)
	case n < 7:
		return drawOne(t, "method", "add", "append", "prepend") + " " + record() + drawWritePolicy(t) + " " + drawOne(t, "bin", "x", "y", "s") + "=" +
			drawOne(t, "value", "int:1", "str:a", "dbl:0.5", "blob:00")
	case n < 8:
		return "touch " + record() + drawWritePolicy(t)
	case n < 9:
		return "delete " + record() + drawSometimes(t, 3, "generation", "gen=equal:1", "gen=equal:2", "gen=greater:1") + drawSometimes(t, 4, "filter", "filter=5")
	case n < 12:
		return drawOne(t, "method", "get", "header", "exists") + " " + record() + drawSometimes(t, 4, "filter", "filter=5", "filter=1")
	case n < 13:
		return "get " + record() + " x" + drawSometimes(t, 2, "bin", "y", "none")
	case n < 16:
		return "operate " + record() + drawWritePolicy(t) + drawOperations(t)
	case n < 18:
		return "batch-operate" + drawClientRows(t)
	case n < 19:
		return drawOne(t, "method", "batch-get", "batch-exists", "batch-delete") + " rec=a,b,c,d" + drawSometimes(t, 3, "filter", "filter=5")
	}
	return drawOne(t, "method", "scan", "query") + " parts=" + drawOne(t, "partitions", "5-5", "5-6", "7-7") + drawSometimes(t, 3, "metadata", "meta=true") +
		drawSometimes(t, 3, "filter", "filter=5") + drawSometimes(t, 3, "bin", "x", "y")
}

func drawWritePolicy(t *rapid.T) string {
	return drawSometimes(t, 3, "action", "exists=update-only", "exists=replace", "exists=replace-only", "exists=create-only") +
		drawSometimes(t, 4, "generation", "gen=equal:0", "gen=equal:1", "gen=equal:2", "gen=greater:1", "gen=greater:3") +
		drawSometimes(t, 4, "ttl", "ttl=100", "ttl=-1", "ttl=-2", "ttl=315360001") + drawSometimes(t, 4, "filter", "filter=5", "filter=1")
}

func drawBins(t *rapid.T) string {
	var b strings.Builder
	for _, bin := range []string{"x", "y", "s"} {
		if bin == "x" || rapid.Bool().Draw(t, "with "+bin) {
			b.WriteString(" " + bin + "=" + drawOne(t, "value", "int:1", "int:5", "int:9", "str:abc", "dbl:1.5", "blob:00ff", "bool:01", "nil", "list:93010203", "map:8203040102"))
		}
	}
	return b.String() + drawSometimes(t, 20, "long name", "nameofsixteenbyt=int:1")
}

func drawOperations(t *rapid.T) string {
	var b strings.Builder
	for range rapid.IntRange(1, 4).Draw(t, "number of operations") {
		b.WriteString(" " + drawOne(t, "operation", "read:x", "read:x", "read:y", "read:none", "write:x:int:5", "write:y:str:abc", "write:x:nil", "add:x:int:1", "add:y:dbl:0.5",
			"append:s:str:b", "prepend:s:str:a", "touch", "delete-all", "read-all:", "header:"))
	}
	return b.String()
}

// drawClientRows draws the rows of a batch of different records, since rows are carried out in
// any order.
func drawClientRows(t *rapid.T) string {
	var b strings.Builder
	for _, r := range []string{"a", "b", "c", "d"} {
		switch rapid.IntRange(0, 4).Draw(t, "row") {
		case 0:
			b.WriteString(" ; put rec=" + r + drawWritePolicy(t) + drawBins(t))
		case 1:
			b.WriteString(" ; get rec=" + r + drawSometimes(t, 3, "filter", "filter=5") + drawSometimes(t, 3, "bin", "x"))
		case 2:
			b.WriteString(" ; delete rec=" + r + drawSometimes(t, 3, "generation", "gen=equal:1", "gen=equal:2"))
		case 3:
			b.WriteString(" ; operate rec=" + r + drawSometimes(t, 3, "filter", "filter=5") + drawOperations(t))
		}
	}
	if b.Len() == 0 {
		return " ; get rec=a"
	}
	return b.String()
}
