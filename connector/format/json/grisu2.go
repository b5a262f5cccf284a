package json

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"sync"
)

// appendGrisu2 appends d, which is finite, laid out as [appendDouble] does, with the digits
// that the algorithm Grisu2 makes (Florian Loitsch, Printing Floating-Point Numbers Quickly
// and Accurately with Integers, 2010). They read back as d, but about one in a thousand
// doubles has a shorter form: 67.174118 becomes 67.17411800000001.
//
// BigQuery takes a number of JSON only if it is the same decimal as what BigQuery prints for
// the double, which is made by Grisu2: see CheckNumberRoundtrip of ZetaSQL, its public parser
// (https://github.com/google/zetasql/blob/master/zetasql/public/json_value.cc), and dump of
// nlohmann/json, which that uses.
func appendGrisu2(dst []byte, d float64) []byte {
	if math.Signbit(d) {
		dst, d = append(dst, '-'), -d
	}
	if d == 0 {
		return append(dst, "0.0"...)
	}
	var buffer [maxDigits]byte
	digits, exponent := grisu2(buffer[:0], d)
	point := len(digits) + exponent // d is 0.digits * 10^point
	switch {
	case d < 1e-6 || d >= 1e21:
		return appendExponent(dst, digits, point-1)
	case point <= 0:
		dst = append(append(dst, "0."...), zeros[:-point]...)
		return append(dst, digits...)
	case point >= len(digits):
		dst = append(append(dst, digits...), zeros[:point-len(digits)]...)
		return append(dst, ".0"...)
	}
	return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
}

// maxDigits is how many digits tell all doubles apart.
const maxDigits = 17

const zeros = "000000000000000000000"

// appendExponent appends digits with a point after the first, and an exponent.
func appendExponent(dst, digits []byte, exponent int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'e')
	if exponent > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exponent), 10)
}

// floating is the number f * 2^e.
type floating struct {
	f uint64
	e int
}

// normalize returns x with the highest bit of f set.
func (x floating) normalize() floating {
	shift := bits.LeadingZeros64(x.f)
	return floating{x.f << shift, x.e - shift}
}

// times returns x * y, rounded to 64 bits.
func (x floating) times(y floating) floating {
	high, low := bits.Mul64(x.f, y.f)
	return floating{high + low>>63, x.e + y.e + 64}
}

// grisu2 appends the digits of d, which is positive. It returns the exponent of the last.
func grisu2(dst []byte, d float64) (digits []byte, exponent int) {
	const fractionBits, bias = 52, 1023 + 52
	field := math.Float64bits(d)
	v := floating{field & (1<<fractionBits - 1), 1 - bias}
	isPower := v.f == 0
	if e := int(field >> fractionBits); e > 0 {
		v = floating{v.f | 1<<fractionBits, e - bias}
		isPower = isPower && e > 1
	}
	// All that lies between low and high reads back as d.
	high := floating{2*v.f + 1, v.e - 1}.normalize()
	low := floating{2*v.f - 1, v.e - 1}
	if isPower { // the double below is closer
		low = floating{4*v.f - 1, v.e - 2}
	}
	low = floating{low.f << (low.e - high.e), high.e}
	power, exponent := powerFor(high.e)
	low, high = low.times(power), high.times(power)
	low.f, high.f = low.f+1, high.f-1 // what was rounded may be off by one
	digits, last := shortest(dst, low, v.normalize().times(power), high)
	return digits, last - exponent
}

// shortest appends the digits of the number between low and high that has the fewest, and
// of several of those the one that is closest to w. It returns the exponent of the last. All
// three have the same e, from -60 to -32.
func shortest(dst []byte, low, w, high floating) (digits []byte, exponent int) {
	span, distance := high.f-low.f, high.f-w.f
	shift := -high.e
	one := uint64(1) << shift
	whole, fraction := high.f>>shift, high.f&(one-1)
	unit := uint64(1)
	for exponent = 0; whole/unit >= 10; exponent++ {
		unit *= 10
	}
	for ; exponent >= 0; exponent-- {
		dst = append(dst, '0'+byte(whole/unit))
		whole %= unit
		if rest := whole<<shift + fraction; rest <= span {
			dst[len(dst)-1] -= steps(rest, distance, span, unit<<shift)
			return dst, exponent
		}
		unit /= 10
	}
	for ; ; exponent-- {
		fraction, span, distance = fraction*10, span*10, distance*10
		dst = append(dst, '0'+byte(fraction>>shift))
		if fraction &= one - 1; fraction <= span {
			dst[len(dst)-1] -= steps(fraction, distance, span, one)
			return dst, exponent
		}
	}
}

// steps returns by how much to lower the last digit of a number that is rest below the upper
// end of the span, so that it comes closest to the one that is distance below it. A step of
// the digit is unit.
func steps(rest, distance, span, unit uint64) (n byte) {
	for rest < distance && span-rest >= unit && (rest+unit < distance || distance-rest > rest+unit-distance) {
		rest += unit
		n++
	}
	return n
}

// Powers of ten from minPower to maxPower, each powerStep from the next.
const (
	minPower  = -300
	maxPower  = 324
	powerStep = 8
)

// powerFor returns the power of ten, and its exponent, whose product with a normalized number
// of binary exponent e has one from -60 to -32.
func powerFor(e int) (power floating, exponent int) {
	f := -61 - e
	k := f * 78913 / (1 << 18) // log10(2) is 78913 / 2^18
	if f > 0 {
		k++
	}
	i := (k - minPower + powerStep - 1) / powerStep
	return powers()[i], minPower + i*powerStep
}

// powers returns the powers of ten, each rounded to 64 bits.
var powers = sync.OnceValue(func() (list []floating) {
	one := big.NewFloat(1)
	for exponent := minPower; exponent <= maxPower; exponent += powerStep {
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
		power := new(big.Float).SetPrec(64)
		if exponent < 0 {
			power.Quo(one, new(big.Float).SetInt(ten)) // SetInt keeps all bits
		} else {
			power.SetInt(ten)
		}
		e := power.MantExp(power) - 64
		f, _ := power.SetMantExp(power, 64).Uint64()
		list = append(list, floating{f, e})
	}
	return list
})
