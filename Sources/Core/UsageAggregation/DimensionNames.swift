import MeteringModel

/// Gives every distinct set of dimension values a small number, and keeps the canonical JSON text
/// that the ledger stores for it. Number 0 stands for `{}`.
///
/// Bounded per meter: past `maximumPerMeter` distinct sets, further ones count as `__other__`, so
/// that a careless emitter cannot fill the ledger with rollup rows.
public struct DimensionNames: ~Copyable {
    public static let other = "__other__"

    private var numbers: [UInt64: Int32] = [:]
    private var texts: [String] = ["{}"]
    private var perMeter: [Int32: Int] = [:]
    private var otherOfMeter: [Int32: Int32] = [:]
    private let maximumPerMeter: Int

    public init(maximumPerMeter: Int = 10_000) {
        self.maximumPerMeter = maximumPerMeter
    }

    /// Sets that were folded into `__other__` since the last call of `removeAll`.
    public private(set) var overflowCount: Int64 = 0

    /// The number of the set whose values hash to `hash` (keyed, over names and values), if known.
    @inline(__always)
    public func known(_ hash: UInt64) -> Int32? { numbers[hash] }

    public func text(_ number: Int32) -> String { texts[Int(number)] }

    /// Starts over; only between batches, when no fold refers to a number.
    public mutating func removeAll() {
        numbers.removeAll(keepingCapacity: true)
        texts = ["{}"]
        perMeter.removeAll()
        otherOfMeter.removeAll()
        overflowCount = 0
    }

    /// Numbers a set not known yet; pairs sorted by name.
    public mutating func insert(
        meter: Int32, hash: UInt64, values: [(name: String, value: String)]
    ) -> Int32 {
        if values.isEmpty { return 0 }
        let known = perMeter[meter, default: 0]
        if known >= maximumPerMeter {
            overflowCount += 1
            if let other = otherOfMeter[meter] { return other }
            let number = append(values.map { ($0.name, Self.other) })
            otherOfMeter[meter] = number
            return number
        }
        perMeter[meter] = known + 1
        let number = append(values)
        numbers[hash] = number
        return number
    }

    private mutating func append(_ values: [(name: String, value: String)]) -> Int32 {
        texts.append(CanonicalJSON.object(values))
        return Int32(truncatingIfNeeded: texts.count - 1)
    }
}
