/// A whole number of any size, digit by digit: slow, simple, and made another way than what it
/// checks.
struct BigNumber: Equatable, Comparable {
    /// Decimal digits, least significant first, without zeros at the end.
    private(set) var digits: [Int] = []
    private(set) var isNegative = false

    init(_ text: String) {
        var text = Substring(text)
        if text.first == "-" {
            isNegative = true
            text = text.dropFirst()
        }
        digits = text.reversed().compactMap(\.wholeNumberValue)
        trim()
    }

    private mutating func trim() {
        while digits.last == 0 { digits.removeLast() }
        if digits.isEmpty { isNegative = false }
    }

    var text: String {
        if digits.isEmpty { return "0" }
        return (isNegative ? "-" : "") + digits.reversed().map(String.init).joined()
    }

    static func power(_ places: Int) -> BigNumber {
        BigNumber("1" + String(repeating: "0", count: places))
    }

    var magnitude: BigNumber {
        var result = self
        result.isNegative = false
        return result
    }

    static prefix func - (number: BigNumber) -> BigNumber {
        var result = number
        result.isNegative.toggle()
        result.trim()
        return result
    }

    static func + (left: BigNumber, right: BigNumber) -> BigNumber {
        if left.isNegative != right.isNegative {
            return left.isNegative ? right - left.magnitude : left - right.magnitude
        }
        var (result, carry) = (BigNumber("0"), 0)
        for place in 0..<max(left.digits.count, right.digits.count) {
            let sum = left.digit(place) + right.digit(place) + carry
            result.digits.append(sum % 10)
            carry = sum / 10
        }
        if carry > 0 { result.digits.append(carry) }
        result.isNegative = left.isNegative
        result.trim()
        return result
    }

    static func - (left: BigNumber, right: BigNumber) -> BigNumber {
        if left.isNegative != right.isNegative { return left + -right }
        if left.magnitude < right.magnitude { return -(right - left) }
        var (result, borrow) = (BigNumber("0"), 0)
        for place in 0..<left.digits.count {
            var difference = left.digit(place) - right.digit(place) - borrow
            borrow = difference < 0 ? 1 : 0
            if difference < 0 { difference += 10 }
            result.digits.append(difference)
        }
        result.isNegative = left.isNegative
        result.trim()
        return result
    }

    static func * (left: BigNumber, right: BigNumber) -> BigNumber {
        var result = BigNumber("0")
        result.digits = [Int](repeating: 0, count: left.digits.count + right.digits.count + 1)
        for (place, digit) in left.digits.enumerated() {
            var carry = 0
            for other in 0...right.digits.count {
                let sum = result.digits[place + other] + digit * right.digit(other) + carry
                result.digits[place + other] = sum % 10
                carry = sum / 10
            }
        }
        result.isNegative = left.isNegative != right.isNegative
        result.trim()
        return result
    }

    /// Of magnitudes.
    func quotientAndRemainder(by divisor: BigNumber) -> (BigNumber, BigNumber) {
        var (quotient, rest) = (BigNumber("0"), BigNumber("0"))
        for digit in digits.reversed() {
            rest = rest * BigNumber("10") + BigNumber(String(digit))
            var times = 0
            while divisor.magnitude <= rest {
                rest = rest - divisor.magnitude
                times += 1
            }
            quotient = quotient * BigNumber("10") + BigNumber(String(times))
        }
        return (quotient, rest)
    }

    static func < (left: BigNumber, right: BigNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        let (low, high) = left.isNegative ? (right, left) : (left, right)
        if low.digits.count != high.digits.count { return low.digits.count < high.digits.count }
        for place in low.digits.indices.reversed() where low.digits[place] != high.digits[place] {
            return low.digits[place] < high.digits[place]
        }
        return false
    }

    private func digit(_ place: Int) -> Int { place < digits.count ? digits[place] : 0 }
}
