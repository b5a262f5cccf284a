package formats_test

import (
	"flag"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/json"
)

var doubles = flag.Int("doubles", 20_000, "how many doubles TestJSONAppendBins_anyDouble tries")

// bigQueryText returns how AppendBins writes a double.
func bigQueryText(t *testing.T, d float64) string {
	t.Helper()
	object, err := json.AppendBins(nil, []change.Bin{{Name: "d", Value: change.DoubleValue(d)}})
	if err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(string(object), `{"d":`)
	if !ok {
		t.Fatalf("%s", object)
	}
	return strings.TrimSuffix(text, "}")
}

// decimal returns the exact value of a number of JSON.
func decimal(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	return r
}

// checkDouble checks that text reads back as d, looks like a double, and is the same decimal
// as printed, which is BigQuery's own form: CheckNumberRoundtrip of ZetaSQL.
func checkDouble(t *testing.T, d float64, text string, printed *big.Rat) {
	t.Helper()
	back, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Float64bits(back) != math.Float64bits(d) {
		t.Errorf("%s reads back as %v, error %v, want %v", text, back, err, d)
	}
	if !strings.ContainsAny(text, ".e") {
		t.Errorf("%s looks like an integer", text)
	}
	if decimal(t, text).Cmp(printed) != 0 {
		t.Errorf("%s is not what BigQuery prints, %s", text, printed.FloatString(30))
	}
}

// Doubles as the library prints them with which BigQuery compares.
func TestJSONAppendBins_printedByNlohmann(t *testing.T) {
	text, err := os.ReadFile("testdata/nlohmann-doubles.txt")
	if err != nil {
		t.Fatal(err)
	}
	longer := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		hex, printed, _ := strings.Cut(strings.TrimSpace(line), " ")
		bits, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		d := math.Float64frombits(bits)
		checkDouble(t, d, bigQueryText(t, d), decimal(t, printed))
		if decimal(t, strconv.FormatFloat(d, 'g', -1, 64)).Cmp(decimal(t, printed)) != 0 {
			longer++
		}
	}
	if longer < 100 {
		t.Errorf("%d doubles that BigQuery refuses in the shortest form, want 100 at least", longer)
	}
}

// Whatever the double, BigQuery takes it as it is written.
func TestJSONAppendBins_anyDouble(t *testing.T) {
	random := rand.New(rand.NewPCG(rand.Uint64(), 0))
	for range *doubles {
		d := randomDouble(random)
		text := bigQueryText(t, d)
		if checkDouble(t, d, text, grisu2(d)); t.Failed() {
			t.Fatalf("of the double %x", math.Float64bits(d))
		}
	}
}

// randomDouble returns any double, or one as people have them: a coordinate, a time with
// microseconds, a price; a power of two, whose neighbours are not equally close; one that is
// not normal.
func randomDouble(r *rand.Rand) float64 {
	d := 0.0
	switch r.IntN(7) {
	case 0:
		d = math.Round(r.Float64()*360e6)/1e6 - 180
	case 1:
		d = math.Round((1.6e9+r.Float64()*2e8)*1e6) / 1e6
	case 2:
		d = float64(r.IntN(1e9)) / 100
	case 3:
		d = math.Ldexp(1, r.IntN(2098)-1074)
	case 4:
		d = math.Float64frombits(r.Uint64() >> (12 + r.IntN(52)))
	default:
		d = math.Float64frombits(r.Uint64())
	}
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return 0
	}
	return d
}

// grisu2 returns the decimal that Grisu2 makes of d, computed with exact integers from what
// the algorithm promises: of the decimals between two bounds the one with the fewest digits,
// and of those the closest to d, where bounds and d are rounded to 64 bits twice.
func grisu2(d float64) *big.Rat {
	if d == 0 {
		return new(big.Rat)
	}
	v := new(big.Rat).SetFloat64(math.Abs(d))
	fraction, exponent := math.Frexp(math.Abs(d))
	last := max(exponent-53, -1074) // of the last bit of d
	up := powerOf(2, last-1)
	down := up
	if fraction == 0.5 && last > -1074 { // the double below is closer
		down = powerOf(2, last-2)
	}
	k, power, e := scale(exponent - 64)
	rounded := func(x *big.Rat) *big.Int { // x * power
		x = new(big.Rat).Quo(x, powerOf(2, exponent-64)) // an integer of 64 bits
		product := new(big.Int).Mul(x.Num(), power)
		return product.Rsh(product.Add(product, new(big.Int).Lsh(big.NewInt(1), 63)), 64)
	}
	one := big.NewInt(1)
	low := new(big.Int).Add(rounded(new(big.Rat).Sub(v, down)), one)
	high := new(big.Int).Sub(rounded(new(big.Rat).Add(v, up)), one)
	result := new(big.Rat).SetInt(fewestDigits(low, rounded(v), high, uint(-e)))
	result.Quo(result, powerOf(10, decimals+k))
	if d < 0 {
		result.Neg(result)
	}
	return result.Mul(result, powerOf(2, e))
}

// scale returns 10^k, rounded to 64 bits without its exponent, and the exponent of its product
// with a number of 64 bits and that exponent. Of every eighth k it takes the first whose
// product has an exponent of -60 or more.
func scale(exponent int) (k int, power *big.Int, e int) {
	for k = -300; ; k += 8 {
		rounded := roundedPowers()[k]
		if e = exponent + rounded.MantExp(nil); e >= -60 {
			power, _ = new(big.Float).SetMantExp(rounded, 64-rounded.MantExp(nil)).Int(nil)
			return k, power, e
		}
	}
}

// roundedPowers are 10^k, rounded to 64 bits.
var roundedPowers = sync.OnceValue(func() map[int]*big.Float {
	powers := map[int]*big.Float{}
	for k := -300; k <= 324; k += 8 {
		powers[k] = new(big.Float).SetPrec(64).SetRat(powerOf(10, k))
	}
	return powers
})

// decimals is how many decimals of a number fewestDigits looks at.
const decimals = 20

// fewestDigits returns the number between low and high that has the fewest digits, and of
// those that are not below it the closest to w, times 10^decimals. One is 2^shift.
func fewestDigits(low, w, high *big.Int, shift uint) *big.Int {
	all := powersOfTen()[decimals]
	for _, x := range []*big.Int{low, w, high} {
		x.Mul(x, all)
	}
	for n := len(powersOfTen()) - 1; ; n-- {
		unit := new(big.Int).Lsh(powersOfTen()[n], shift)
		number := new(big.Int).Div(high, unit)
		if number.Mul(number, unit); number.Sign() == 0 || number.Cmp(low) < 0 {
			continue
		}
		for {
			next := new(big.Int).Sub(number, unit)
			above, below := new(big.Int).Sub(number, w), new(big.Int).Sub(w, next)
			if next.Cmp(low) < 0 || above.Cmp(below) <= 0 {
				return number
			}
			number = next
		}
	}
}

// powersOfTen are those that may be a unit of the numbers of fewestDigits.
var powersOfTen = sync.OnceValue(func() (powers []*big.Int) {
	for n := range decimals + 10 {
		powers = append(powers, powerOf(10, n).Num())
	}
	return powers
})

// powerOf returns base^n.
func powerOf(base int64, n int) *big.Rat {
	power := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(max(n, -n))), nil)
	if n < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), power)
	}
	return new(big.Rat).SetInt(power)
}
