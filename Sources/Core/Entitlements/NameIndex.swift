import MeteringModel

/// Names of millions, in shards: a change copies one shard. Copies share all other shards.
struct NameIndex: Sendable {
    private static let shardBits = 12
    private var shards = PagedArray(repeating: ByteStringTable(), count: 1 << shardBits)
    private(set) var count = 0

    /// Within a shard the lower bits of the hash choose the slot.
    private static func shard(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash &>> UInt64(64 - shardBits))
    }

    /// Allocates nothing.
    func number(hash: UInt64, _ name: RawSpan) -> Int? {
        shards[Self.shard(of: hash)].number(hash: hash, name)
    }

    func number(_ name: String, _ key: KeyHash) -> Int? {
        // SAFETY: the span is read while `name` is alive.
        unsafe number(hash: key.hash(name), name.utf8Span.span.bytes)
    }

    /// Stores `number`, unless the name is there already: then returns its number.
    mutating func insert(_ name: String, _ key: KeyHash, number: Int) -> Int? {
        let hash = key.hash(name)
        let known = shards[Self.shard(of: hash)].insert(name, hash: hash, number: number)
        if known == nil { count += 1 }
        return known
    }

    mutating func remove(_ name: String, _ key: KeyHash) {
        let hash = key.hash(name)
        // SAFETY: the span is read while `name` is alive.
        let removed = unsafe shards[Self.shard(of: hash)].remove(
            hash: hash, name.utf8Span.span.bytes)
        if removed != nil { count -= 1 }
    }
}
