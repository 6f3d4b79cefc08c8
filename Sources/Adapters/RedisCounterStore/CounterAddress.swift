import MeteringModel
import MeteringPorts
import RedisClient

/// Where a counter lives inside its shard: a small hash (the bucket) and a field in it.
///
/// Redis stores small hashes as flat lists, which is what makes a counter cheap: counters are
/// spread over buckets so that a bucket stays small. The day on which the period ends is part of
/// the bucket, so a whole bucket expires at once.
struct CounterAddress: Hashable, Sendable {
    /// Buckets per shard and day of period end. Part of the stored layout.
    static let bucketsPerDay: Int64 = 2_048
    /// Days since 1970; periods that end later (lifetime ones) share the last.
    private static let lastDay: Int64 = 2_932_897
    private static let secondsPerDay: Int64 = 86_400
    private static let bucketHash = KeyHash(k0: 0x6275_636b, k1: 0x6574)

    var bucket: Int64
    /// Customer, meter, period start and length; each part's end can be told from its bytes.
    var field: [UInt8]

    init(_ key: SharedCounterKey) {
        field = Self.encode(key)
        // Rounded up: a period that ends at midnight belongs to the day before.
        let endDay = key.period.end.adding(seconds: -1).seconds / Self.secondsPerDay
        let day = min(max(endDay, 0), Self.lastDay)
        let hash = Self.bucketHash.hash(key.customer.rawValue, key.meter.rawValue)
        bucket = day * Self.bucketsPerDay + Int64(hash % UInt64(Self.bucketsPerDay))
    }

    func append(to command: inout RedisCommand) {
        command.append(bucket)
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
