/// Gives each row of a trace without customers a subject, `key_1` to `key_N`, few of them busy and
/// most of them quiet: the k-th is chosen with a weight of 1 / k^(9/8).
///
/// Integer arithmetic only and a fixed seed: row n gets the same subject on every machine.
struct ZipfSubjects: Sendable {
    static let countMax = 1_000_000
    private static let seed: UInt64 = 0x746f_6c6c_6761_7465

    /// `cumulative[k]` is the sum of the weights of subjects 1 … k + 1.
    private let cumulative: [UInt64]

    /// Nil unless `count` is 1 … `countMax`.
    init?(count: Int) {
        guard (1...Self.countMax).contains(count) else { return nil }
        var sum: UInt64 = 0
        cumulative = (1...UInt64(count)).map { rank in
            sum += Self.weight(rank)
            return sum
        }
    }

    /// Parses `zipf:50`.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "zipf", let count = Int(parts[1]) else { return nil }
        self.init(count: count)
    }

    /// - Parameter row: number of the data row, from 1.
    func subject(row: Int) -> String { "key_\(rank(row: row))" }

    /// 1 … N.
    func rank(row: Int) -> Int {
        let random = Self.mix(UInt64(truncatingIfNeeded: row) &+ Self.seed)
        // The high word of the product is uniform in 0 ..< total.
        let target = random.multipliedFullWidth(by: cumulative[cumulative.count - 1]).high
        var low = 0
        var high = cumulative.count - 1
        while low < high {
            let middle = (low + high) / 2
            if cumulative[middle] > target { high = middle } else { low = middle + 1 }
        }
        return low + 1
    }

    /// 2^32 / rank^(9/8), at least 1. The eighth root is three integer square roots, each with
    /// 20 binary places.
    private static func weight(_ rank: UInt64) -> UInt64 {
        var root = rank << 20
        for _ in 0..<3 { root = squareRoot(root << 20) }
        return max(1, (1 << 52) / (rank * root))
    }

    /// Rounded down. Newton's method from above.
    private static func squareRoot(_ value: UInt64) -> UInt64 {
        if value == 0 { return 0 }
        var guess = UInt64(1) << UInt64((65 - value.leadingZeroBitCount) / 2 + 1)
        while true {
            let better = (guess + value / guess) / 2
            if better >= guess { return guess }
            guess = better
        }
    }

    /// The output function of SplitMix64 (Steele, Lea and Flood 2014).
    private static func mix(_ seed: UInt64) -> UInt64 {
        var word = seed &* 0x9e37_79b9_7f4a_7c15
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
