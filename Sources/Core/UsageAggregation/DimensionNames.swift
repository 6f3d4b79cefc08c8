public import MeteringModel

/// Gives every distinct set of dimension values of a batch a small number, and keeps the canonical
/// JSON text that the ledger stores for it. Number 0 stands for `{}`.
///
/// Bounded by `DimensionSets`: a set that its meter has no room for counts as `__other__`, so that a
/// careless emitter cannot fill the ledger with rollup rows.
public struct DimensionNames: ~Copyable {
    public static let other = "__other__"

    /// A set that was met for the first time in its month.
    public struct New: Hashable, Sendable {
        public var place: DimensionSets.Place
        public var hash: UInt64
    }

    /// What the sets of a meter have in common.
    public struct Meter: Sendable {
        /// Position in the catalog.
        public var index: Int32
        public var key: MeterKey
        public var groupsMax: Int
        public init(index: Int32, key: MeterKey, groupsMax: Int) {
            self.index = index
            self.key = key
            self.groupsMax = groupsMax
        }
    }

    public var sets: DimensionSets
    private let key: KeyHash
    private var numbers: [UInt64: Int32] = [:]
    private var texts: [String] = ["{}"]
    private var others: [Int32: Int32] = [:]
    private var news: [Int32: New] = [:]

    /// - Parameter key: hashes the sets' texts; the same for all time, as the hashes are stored.
    public init(key: KeyHash, sets: DimensionSets = DimensionSets()) {
        self.key = key
        self.sets = sets
    }

    /// The number of the set whose month, names and values hash to `hash`, if known.
    @inline(__always)
    public func known(_ hash: UInt64) -> Int32? { numbers[hash] }

    public func text(_ number: Int32) -> String { texts[Int(number)] }

    /// What has to be remembered with a batch that has the number; nil when it is already.
    public func new(_ number: Int32) -> New? { news[number] }

    /// Starts over; only between batches, when no fold refers to a number.
    public mutating func removeAll() {
        numbers.removeAll(keepingCapacity: true)
        texts = ["{}"]
        others.removeAll()
        news.removeAll()
    }

    /// Numbers a set not known yet; pairs sorted by name.
    /// - Parameters:
    ///   - month: of the log's append time.
    ///   - hash: as for `known`.
    public mutating func insert(
        _ meter: Meter, month: Int32, hash: UInt64, values: [(name: String, value: String)]
    ) -> Int32 {
        if values.isEmpty { return 0 }
        let text = CanonicalJSON.object(values)
        let place = DimensionSets.Place(meter: meter.key, month: month)
        let set = key.hash(text)
        let (isKept, isNew) = sets.admit(set, at: place, groupsMax: meter.groupsMax)
        if !isKept {
            // Not remembered by its hash: what does not fit must not fill this table either.
            if let other = others[meter.index] { return other }
            let number = append(CanonicalJSON.object(values.map { ($0.name, Self.other) }))
            others[meter.index] = number
            return number
        }
        let number = append(text)
        numbers[hash] = number
        if isNew { news[number] = New(place: place, hash: set) }
        return number
    }

    private mutating func append(_ text: String) -> Int32 {
        texts.append(text)
        return Int32(truncatingIfNeeded: texts.count - 1)
    }
}
