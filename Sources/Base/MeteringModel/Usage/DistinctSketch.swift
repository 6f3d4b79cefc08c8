/// Counts distinct 64-bit hashes: exactly up to `exactBound`, then as a HyperLogLog with 4,096
/// registers (standard error 1.04 / √4096 = 1.6 %; Flajolet et al. 2007). Merging is a set union,
/// so the order of events and the cutting of batches do not show in the result.
public struct DistinctSketch: Hashable, Sendable {
    /// Up to this many distinct values the count is exact.
    public static let exactBound = 4_096
    static let registerBits: UInt64 = 12
    static let registerCount = 4_096

    /// Exact members, sorted; empty once `registers` is in use.
    private(set) var members: [UInt64]
    private(set) var registers: [UInt8]

    public init() {
        members = []
        registers = []
    }

    public init(_ member: UInt64) {
        members = [member]
        registers = []
    }

    public var isExact: Bool { registers.isEmpty }

    /// The number of distinct members, exact or estimated.
    public var estimate: Int64 {
        registers.isEmpty ? Int64(members.count) : Self.estimate(registers)
    }

    public mutating func insert(_ member: UInt64) {
        if registers.isEmpty {
            let index = Self.lowerBound(members, member)
            if index < members.count, members[index] == member { return }
            members.insert(member, at: index)
            if members.count > Self.exactBound { densify() }
        } else {
            Self.observe(member, in: &registers)
        }
    }

    public mutating func merge(_ other: DistinctSketch) {
        if other.registers.isEmpty {
            if registers.isEmpty {
                members = Self.union(members, other.members)
                if members.count > Self.exactBound { densify() }
            } else {
                for member in other.members { Self.observe(member, in: &registers) }
            }
            return
        }
        if registers.isEmpty { densify() }
        for index in registers.indices {
            registers[index] = Swift.max(registers[index], other.registers[index])
        }
    }

    // MARK: bytes

    /// The stored form: one tag byte (0 exact, 1 registers), then little-endian members or registers.
    public var encoded: [UInt8] {
        if !registers.isEmpty { return [1] + registers }
        var bytes: [UInt8] = [0]
        bytes.reserveCapacity(1 + members.count * 8)
        for member in members {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: member >> shift))
            }
        }
        return bytes
    }

    /// Nil when the bytes are not what `encoded` wrote.
    public init?(encoded bytes: [UInt8]) {
        guard let tag = bytes.first else { return nil }
        members = []
        registers = []
        if tag == 1 {
            guard bytes.count == 1 + Self.registerCount else { return nil }
            registers = Array(bytes.dropFirst())
            return
        }
        guard tag == 0, (bytes.count - 1) % 8 == 0 else { return nil }
        members.reserveCapacity((bytes.count - 1) / 8)
        for start in stride(from: 1, to: bytes.count, by: 8) {
            var member: UInt64 = 0
            for offset in 0..<8 { member |= UInt64(bytes[start + offset]) << UInt64(offset * 8) }
            members.append(member)
        }
    }

    // MARK: parts

    private mutating func densify() {
        registers = [UInt8](repeating: 0, count: Self.registerCount)
        for member in members { Self.observe(member, in: &registers) }
        members = []
    }

    private static func observe(_ member: UInt64, in registers: inout [UInt8]) {
        // The members are hashes already; one more mix keeps weak callers from skewing the estimate.
        var hash = member &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash >> 32
        hash = hash &* 0xd6e8_feb8_6659_fd93
        hash ^= hash >> 32
        let index = Int(hash >> (64 - registerBits))
        let rest = (hash << registerBits) | (1 << (registerBits - 1))
        let rank = UInt8(rest.leadingZeroBitCount + 1)
        registers[index] = Swift.max(registers[index], rank)
    }

    private static func estimate(_ registers: [UInt8]) -> Int64 {
        let count = Double(registers.count)
        var sum = 0.0
        var zeros = 0
        for register in registers {
            sum += 1.0 / Double(UInt64(1) << UInt64(register))
            if register == 0 { zeros += 1 }
        }
        let raw = (0.7213 / (1.0 + 1.079 / count)) * count * count / sum
        // Linear counting is the better estimator while registers are still empty.
        if raw <= 2.5 * count, zeros > 0 {
            return Int64((count * logarithm(count / Double(zeros))).rounded())
        }
        return Int64(raw.rounded())
    }

    /// Natural logarithm by the area hyperbolic tangent series; this layer has no libm.
    private static func logarithm(_ x: Double) -> Double {
        let exponent = x.exponent
        let ratio = (x.significand - 1) / (x.significand + 1)
        var term = ratio
        var sum = 0.0
        var odd = 1.0
        while term.magnitude > 1e-18 {
            sum += term / odd
            term *= ratio * ratio
            odd += 2
        }
        return 2 * sum + Double(exponent) * 0.693_147_180_559_945_3
    }

    private static func lowerBound(_ values: [UInt64], _ value: UInt64) -> Int {
        var low = 0
        var high = values.count
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func union(_ left: [UInt64], _ right: [UInt64]) -> [UInt64] {
        var result: [UInt64] = []
        result.reserveCapacity(left.count + right.count)
        var i = 0
        var j = 0
        while i < left.count, j < right.count {
            if left[i] == right[j] {
                result.append(left[i])
                i += 1
                j += 1
            } else if left[i] < right[j] {
                result.append(left[i])
                i += 1
            } else {
                result.append(right[j])
                j += 1
            }
        }
        result.append(contentsOf: left[i...])
        result.append(contentsOf: right[j...])
        return result
    }
}
