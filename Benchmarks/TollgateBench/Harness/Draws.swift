import Foundation

/// SplitMix64: small, fast, and the same draws on every machine.
struct Draws: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mix(state)
    }

    /// A bijection that scatters small numbers over all of `UInt64`.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0 ..< 1.
    mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }
}

/// Ranks 0 ..< count with Zipf's frequencies, by the inversion of Gray et al. (SIGMOD 1994).
struct Zipf {
    private let count: Double
    private let theta: Double
    private let zeta: Double
    private let alpha: Double
    private let eta: Double

    init(count: Int, theta: Double = 0.99) {
        var zeta = 0.0
        for rank in 1...count { zeta += 1 / pow(Double(rank), theta) }
        self.count = Double(count)
        self.theta = theta
        self.zeta = zeta
        alpha = 1 / (1 - theta)
        let firstTwo = 1 + 1 / pow(2, theta)
        eta = (1 - pow(2 / Double(count), 1 - theta)) / (1 - firstTwo / zeta)
    }

    func draw(_ draws: inout Draws) -> Int {
        let uniform = draws.fraction()
        let scaled = uniform * zeta
        if scaled < 1 { return 0 }
        if scaled < 1 + pow(0.5, theta) { return 1 }
        return min(Int(count) - 1, Int(count * pow(eta * uniform - eta + 1, alpha)))
    }
}

/// An order-dependent checksum of a run's results, to tell equal runs from different ones.
struct Checksum {
    private(set) var value: UInt64 = 0x746f_6c6c
    mutating func add(_ number: Int64) {
        value = Draws.mix(value ^ UInt64(bitPattern: number))
    }
    var text: String { String(value, radix: 16) }
}
