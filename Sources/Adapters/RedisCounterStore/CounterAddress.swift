import MeteringModel
import MeteringPorts
import RedisClient

/// Where a counter lives inside its shard: a small hash (the bucket) and a field in it.
///
/// Redis stores small hashes as flat lists, which is what makes a counter cheap: counters are
/// spread over buckets so that a bucket stays small. The number of buckets is chosen anew by every
/// rebuild. The day on which the period ends is part of the bucket, so a whole bucket expires at
/// once.
struct CounterAddress: Hashable, Sendable {
    /// Range of the hash in a place; the most buckets that a day can have. Part of the layout.
    static let slotsPerDay: Int64 = 1 << 20
    /// By default, Redis keeps hashes of up to 128 entries flat; a quarter leaves room to grow.
    private static let countersPerBucket = 32
    /// Flat up to half a million counters in 64 shards before any rebuild knows better.
    private static let bucketsMinimum: Int64 = 64
    /// Days since 1970; periods that end later (lifetime ones) share the last.
    private static let lastDay: Int64 = 2_932_897
    private static let secondsPerDay: Int64 = 86_400

    /// `day × slotsPerDay + hash of field`.
    var place: Int64
    /// Customer, meter, period start and length; each part's end can be told from its bytes.
    var field: [UInt8]

    init(_ key: SharedCounterKey) {
        field = Self.encode(key)
        // A period that ends at midnight belongs to the day before.
        let endDay = key.period.end.adding(seconds: -1).seconds / Self.secondsPerDay
        place = min(max(endDay, 0), Self.lastDay) * Self.slotsPerDay + Self.hash(field)
    }

    /// How many buckets suit these counters: a power of two, by the day with most of them.
    static func buckets(for keys: some Sequence<SharedCounterKey>) -> Int64 {
        var counts: [Int64: Int] = [:]
        for key in keys { counts[CounterAddress(key).place / slotsPerDay, default: 0] += 1 }
        let wanted = Int64((counts.values.max() ?? 0) / countersPerBucket)
        var buckets = bucketsMinimum
        while buckets < wanted, buckets < slotsPerDay { buckets *= 2 }
        return buckets
    }

    /// The functions in Redis compute the same; products stay below 2^53.
    private static func hash(_ bytes: [UInt8]) -> Int64 {
        var hash: Int64 = 0
        for byte in bytes { hash = (hash &* 65_599 &+ Int64(byte)) % 4_294_967_291 }
        return hash % slotsPerDay
    }

    func append(to command: inout RedisCommand) {
        command.append(place)
        command.append(field)
    }

    private static func encode(_ key: SharedCounterKey) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(key.customer.rawValue.utf8.count + key.meter.rawValue.utf8.count + 14)
        for part in [key.customer.rawValue, key.meter.rawValue] {
            appendVariable(UInt64(part.utf8.count), to: &bytes)
            bytes.append(contentsOf: part.utf8)
        }
        let start = key.period.start.microseconds
        let length = UInt64(bitPattern: key.period.end.microseconds &- start)
        let areWholeSeconds = start % 1_000_000 == 0 && length % 1_000_000 == 0
        bytes.append(areWholeSeconds ? 0 : 1)
        let unit: Int64 = areWholeSeconds ? 1_000_000 : 1
        let scaled = start / unit
        appendVariable(UInt64(bitPattern: scaled << 1 ^ scaled >> 63), to: &bytes)
        appendVariable(length / UInt64(unit), to: &bytes)
        return bytes
    }

    /// Seven bits per byte, lowest first; the top bit says that more follow.
    private static func appendVariable(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
